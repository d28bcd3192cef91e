"""What the file of allowances says is allowed raises no alert, then and there, until it ends; every fault is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sensor.alert import Detection, Entity, Http
from sensor.alerting.allowed import load_allowances
from sensor.alerting.stage import AlertingStage
from sensor.config import AlertingSettings
from sensor.errors import SettingError
from tests.alerting.detections import SECOND, detection

NIGHTLY = """\
# who may take everything
[[allow]]
rule = "bulk-*"
entity = "client:10.0.0.0/24"
schedule = "Mon-Fri 23:00-04:00"
time_zone = "Europe/Berlin"
until = 2027-01-31
reason = "nightly export, OPS-1234"
"""


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


CLIENT = Entity("client", "10.0.0.1")


def made(now: int = 0, rule_id: str = "rule", entity: Entity = CLIENT, **given: object) -> Detection:
    return msgspec.structs.replace(detection(now / SECOND, rule_id, **given), now=now, entity=entity)


def allowed(tmp_path: Path, text: str, **given: object) -> bool:
    path = tmp_path / "allow.toml"
    path.write_text(text)
    (allowance,) = load_allowances(str(path))
    return allowance.covers(made(**given))


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-12-07 22:30", True),   # Monday 23:30 in Berlin
        ("2026-12-07 21:30", False),
        ("2026-12-08 02:30", True),
        ("2026-12-08 03:30", False),
        ("2026-12-12 01:00", True),   # early on Saturday: Friday's night
        ("2026-12-12 23:00", False),  # Saturday's night
        ("2027-01-29 22:30", True),
        ("2027-02-01 22:30", False),  # it has ended
    ],
)  # fmt: skip
def test_it_holds_at_its_hours_and_until_its_end(moment: str, holds: bool, tmp_path: Path) -> None:
    given = {"rule_id": "bulk-transfer", "entity": Entity("client", "10.0.0.7"), "now": at(moment)}
    assert allowed(tmp_path, NIGHTLY, **given) == holds


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, True),
        ({"rule_id": "brute-force-login"}, False),
        ({"entity": Entity("client", "10.0.1.7")}, False),
        ({"entity": Entity("user", "10.0.0.7")}, False),
        ({"entity": Entity("client", "not an address")}, False),
    ],
)
def test_all_that_is_given_must_hold(given: dict, holds: bool, tmp_path: Path) -> None:
    ours = {"rule_id": "bulk-transfer", "entity": Entity("client", "10.0.0.7"), "now": at("2026-12-07 22:30")}
    assert allowed(tmp_path, NIGHTLY, **(ours | given)) == holds


def test_an_endpoint_by_method_and_template(tmp_path: Path) -> None:
    text = '[[allow]]\nendpoint = "GET /api/*/export"\nuntil = 2099-12-31\nreason = "x"\n'
    for template, holds in (("/api/v1/export", True), ("/api/v1/users", False)):
        assert allowed(tmp_path, text, http=Http(method="GET", endpoint=template)) == holds
    assert not allowed(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[allow]]\nrule = "x"\nuntil = 2027-01-01\n', r"allow.toml:1: allow.reason: expected why"),
        ('[[allow]]\nrule = "x"\nreason = "y"\n', r":1: allow.until: expected the last day"),
        ('\n[[allow]]\nrule = "x"\nuntil = "soon"\nreason = "y"\n', r":4: allow.until: expected the last day"),
        ('[[allow]]\nuntil = 2027-01-01\nreason = "y"\n', r":1: allow.rule: expected at least one of"),
        ('[[allow]]\nrules = "x"\nuntil = 2027-01-01\nreason = "y"\n', r":2: allow.rules: no such key"),
        ('[[allow]]\nentity = "10.0.0.7"\nuntil = 2027-01-01\nreason = "y"\n', r":2: allow.entity: expected \"KIND"),
        ('[[allow]]\nrule="x"\nuntil = 2027-01-01\nreason = "y"\n[[allow]]\nrule=5\nreason="y"\n', r":5: allow.until"),
        ('[[allow]]\nrule="x"\nuntil=2027-01-01\nreason="y"\nschedule="Nev 1-2"\n', r":5: allow.schedule: exp"),
        ('[[allow]]\nrule="x"\nuntil=2027-01-01\nreason="y"\ntime_zone="Mars"\n', r':5: allow.time_zone: no such zone'),
        ("[[allow]\n", r"allow.toml: not TOML"),
        ("allow = 3\n", r"expected \[\[allow\]\] tables"),
        ("[others]\n", r"expected \[\[allow\]\] tables and nothing else: others"),
    ],
)  # fmt: skip
def test_a_wrong_file_names_line_and_key(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "allow.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=problem):
        load_allowances(str(path))


def test_an_empty_file_allows_nothing(tmp_path: Path) -> None:
    for text in ("", "# nothing yet\n"):
        (tmp_path / "allow.toml").write_text(text)
        assert load_allowances(str(tmp_path / "allow.toml")) == []


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        load_allowances(str(tmp_path / "none.toml"))


def test_what_is_allowed_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "allow.toml"
    path.write_text('[[allow]]\nentity = "client:10.0.0.1"\nuntil = 2099-12-31\nreason = "x"\n')
    stage = AlertingStage(AlertingSettings(allow_file=str(path)))
    detections = [detection(100, who=address) for address in ("10.0.0.1", "10.0.0.2")]
    alerts = stage.process(detections, 101 * SECOND)
    assert [alert.entity.value for alert in alerts] == ["10.0.0.2"]
    assert stage.counters.as_dict()["allowed"] == 1
