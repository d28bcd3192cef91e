"""Third parties: an inventory of what is called outside; new ones and answers unlike before are told."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from sensor.alert import Detection, Severity
from sensor.cli.app import app
from sensor.config import ThirdPartiesSettings
from sensor.detection.detectors.third_parties import ThirdParties
from sensor.detection.stage import DetectionStage
from sensor.errors import SettingError
from sensor.tls import TlsConnection
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    NO_TRANSACTIONS,
    SECOND,
    START,
    Pool,
    alone,
    features_of,
    join,
    run_transactions,
    transaction,
)

PAY = {"host": "api.pay.example", "server": "198.51.100.1", "response_content_type": "application/json"}


def stage_of(pool: Pool, **given: object) -> DetectionStage:
    return DetectionStage(alone(third_parties=ThirdPartiesSettings(enabled=True, **given)), pool)  # type: ignore[arg-type]


def call(pool: Pool, second: float, **given: object) -> np.ndarray:
    return transaction(pool, second, **{"client": "10.0.0.1", **PAY, **given})


def told(found: list[Detection]) -> list[tuple[str, str, str]]:
    return [(each.rule.id, each.entity.value, str(each.details.get("unlike", ""))) for each in found]


def test_the_inventory() -> None:
    pool = Pool()
    stage = stage_of(pool)
    rows = [call(pool, n, client=f"10.0.0.{n % 3}", host="API.pay.example:8080") for n in range(9)]
    rows += [call(pool, 10, user=7), call(pool, 11, status_code=503), call(pool, 12, server="10.9.9.9")]
    rows += [call(pool, 13, client="203.0.113.5")]  # from outside
    assert run_transactions(stage, join(rows)) == []
    detector = stage.detectors["third_parties"]
    assert isinstance(detector, ThirdParties)
    (party,) = detector.parties.values()
    assert list(detector.parties) == ["api.pay.example"]
    assert (party.calls, party.answers, party.errors, party.credentials_in_clear) == (11, 11, 1, 1)
    assert party.callers == {"10.0.0.0": 3, "10.0.0.1": 5, "10.0.0.2": 3}
    assert party.endpoints == {"GET /things": 11}


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_third_party_that_comes_later_is_new(batch: int) -> None:
    pool = Pool()
    rows = [call(pool, n * 3600, host=f"h{n % 2}.example") for n in range(30)]
    rows += [call(pool, 30 * 3600 + n, host="later.example") for n in range(9)]
    found = run_transactions(stage_of(pool), join(rows), batch)
    assert told(found) == [("third-party-new", "later.example", "")]
    assert found[0].severity is None


def test_what_is_not_on_the_list_is_medium_at_once() -> None:
    pool = Pool()
    rows = [call(pool, 1), call(pool, 2, host="pay.example"), call(pool, 3, host="notpay.example")]
    found = run_transactions(stage_of(pool, allowed=("pay.example",)), join(rows))
    assert told(found) == [("third-party-new", "notpay.example", "")]
    assert (found[0].severity, found[0].details) == (Severity.MEDIUM, {"allowed": False})


ODD = [
    ({"status_code": 302}, "redirects"),
    ({"response_content_type": "text/html; charset=utf-8"}, "type text/html"),
    ({"response_body_len": 5_000_000}, "size"),
]


@pytest.mark.parametrize(("given", "unlike"), ODD)
def test_answers_unlike_before_are_told_once(given: dict[str, object], unlike: str) -> None:
    pool = Pool()
    rows = [call(pool, n) for n in range(40)] + [call(pool, 50 + n, **given) for n in range(5)]
    assert told(run_transactions(stage_of(pool), join(rows))) == [("third-party-changed", "api.pay.example", unlike)]


def test_answers_as_before_and_those_of_parties_little_known_are_not() -> None:
    pool = Pool()
    mixed = [call(pool, n, **ODD[n % 3][0] if n < 9 else {}) for n in range(40)]
    assert run_transactions(stage_of(pool), join(mixed + [call(pool, 99, **given) for given, _ in ODD])) == []
    few = [call(pool, n) for n in range(20)] + [call(pool, 30, **given) for given, _ in ODD]
    assert run_transactions(stage_of(pool), join(few)) == []


def test_connections_in_tls_are_in_the_inventory() -> None:
    pool = Pool()
    stage = stage_of(pool, allowed=("pay.example",))
    features = features_of(stage)
    rows = [
        msgspec.convert(
            {"ts": START / SECOND, "uid": "C", "community_id": "1:x", "id.orig_h": "10.0.0.5", "id.orig_p": 4,
             "id.resp_h": address, "id.resp_p": 443, "duration": 1.0, "end_now": START + SECOND, "version": "TLSv12",
             "server_name": name},
            TlsConnection,
        )
        for address, name in (("198.51.100.1", "api.pay.example"), ("198.51.100.2", "odd.example"), ("10.0.0.9", "x"))
    ]  # fmt: skip
    entities = features.process(NO_TRANSACTIONS)
    found = stage.process(NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS, START + SECOND, entities, features.tables, tls=rows)
    assert told(found) == [("third-party-new", "odd.example", "")]
    detector = stage.detectors["third_parties"]
    assert isinstance(detector, ThirdParties)
    assert {name: party.tls for name, party in detector.parties.items()} == {
        "api.pay.example": {"TLSv12": 1}, "odd.example": {"TLSv12": 1},
    }  # fmt: skip


def test_what_is_known_survives_a_restart_and_the_oldest_gives_way() -> None:
    pool = Pool()
    first, second = stage_of(pool, parties_max=2), stage_of(pool)
    run_transactions(first, join([call(pool, n, host=f"h{n}.example") for n in range(5)]))
    assert first.detectors["third_parties"].evicted == 3
    state = first.memories["detection.third_parties"].state()
    assert second.memories["detection.third_parties"].restore({name: array.copy() for name, array in state.items()})
    later = [call(pool, 100_000, host="h4.example"), call(pool, 100_001, host="h0.example")]
    assert told(run_transactions(second, join(later))) == [("third-party-new", "h0.example", "")]


def test_networks_that_are_none() -> None:
    with pytest.raises(SettingError, match=r"detection\.third_parties\.inside_networks"):
        ThirdParties(ThirdPartiesSettings(inside_networks=("10.0.0.0/33",)), Pool())


def test_the_inventory_of_a_capture() -> None:
    capture = str(Path(__file__).parents[2] / "pcaps" / "hydra-form.pcap")
    result = CliRunner().invoke(app, ["edges", "third-parties", capture, "--json"])
    assert result.exit_code == 0
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == []  # nobody calls outside there
