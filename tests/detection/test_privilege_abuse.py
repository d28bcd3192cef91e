"""Functions and fields above one's role are found; what a role has always done, and harmless new fields, are not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, I64s, U64s, kernel
from sensor.alert import Severity
from sensor.config import PrivilegeAbuseSettings
from sensor.detection.detectors.privilege_abuse import RIGHTS, hashes_of
from sensor.detection.detectors.privilege_abuse_body_kernel import NAMES, next_field, read_fields
from sensor.detection.stage import DetectionStage
from sensor.schema import CONTENT
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    Pool,
    alone,
    features_of,
    join,
    real_alerts,
    run_transactions,
    transaction,
)

USER, ADMIN, MOLE = 0x11, 0x99, 0xBAD


class Site:
    """Twelve users and an administrator, known for a while."""

    def __init__(self, role: int = USER) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []
        self.bodies: list[bytes] = []
        for turn in range(20):
            for i in range(12):
                self.ask(turn * 5 + i * 0.1, 0x1000 + i, "/orders", role)
            self.ask(turn * 5 + 2, 0xA0, "/accounts", ADMIN)

    def ask(
        self, seconds: float, who: int, endpoint: str, role: int = USER, status: int = 200, body: Any = b"", **more: Any
    ) -> Site:
        values = {"user": who, "subject": who, "role": role, "status_code": status, "endpoint": endpoint} | more
        self.rows.append(transaction(self.pool, seconds, f"10.0.{who % 250}.1", **values))
        self.bodies.append(body if isinstance(body, bytes) else json.dumps(body).encode())
        return self

    def stage(self) -> DetectionStage:
        settings = alone(privilege_abuse=PrivilegeAbuseSettings(accesses_max=256))
        return DetectionStage(settings, self.pool)

    def found(self, batch: int = 1 << 30) -> list[Any]:
        return run_transactions(self.stage(), join(self.rows), batch)

    def found_with_bodies(self) -> list[Any]:
        stage, rows = self.stage(), join(self.rows)
        features = features_of(stage)
        contents = np.zeros(len(rows), CONTENT)
        contents["request_body_len"] = [len(body) for body in self.bodies]
        contents["request_body_offset"] = np.cumsum(contents["request_body_len"]) - contents["request_body_len"]
        arena = np.frombuffer(b"".join(self.bodies) + b"\0", np.uint8).copy()
        entities = features.process(rows)
        now = int(rows["now"][-1])
        return stage.process(rows, NO_FLOWS, NO_STREAMS, now, entities, features.tables, contents, arena)


def raised(role_then: int = USER, fields: Any = None, sent_to: str = "/me", **read: Any) -> list[Any]:
    """Somebody is refused, changes something, and is let in."""
    body = {"name": "x", "role": "admin"} if fields is None else fields
    site = Site().ask(105, MOLE, "/orders").ask(110, MOLE, "/reports", status=403, **read)
    site.ask(115, MOLE, sent_to, body=body, request_body_len=40)
    return [hit for hit in site.ask(120, MOLE, "/reports", role_then, **read).found_with_bodies()]


@pytest.mark.parametrize(("role", "severity"), [(ADMIN, Severity.HIGH), (USER + 1, Severity.HIGH)])
def test_who_gives_himself_a_role_and_is_let_in_where_he_was_refused(role, severity):
    found = [hit for hit in raised(role) if "sent a field" in hit.details["reason"]]
    assert [(hit.rule.id, hit.entity.value, hit.severity) for hit in found] == [
        ("function-above-role", f"{MOLE:016x}", severity)
    ]


@pytest.mark.parametrize(
    "quiet",
    [
        {},  # the role is what it was
        {"role_then": ADMIN, "fields": {"name": "x", "language": "de"}},
        {"role_then": ADMIN, "request_body_len": 40},  # a form that was refused, as its token had run out
    ],
)
def test_who_was_given_a_role_by_others_is_quiet(quiet):
    assert [hit for hit in raised(**quiet) if "sent a field" in hit.details["reason"]] == []


def test_an_endpoint_that_only_another_role_uses():
    found = Site().ask(110, MOLE, "/accounts").ask(111, MOLE, "/accounts").found()
    (one,) = found
    assert (one.rule.id, one.entity.value, one.severity) == ("function-above-role", f"{MOLE:016x}", None)
    assert one.details["reason"] == "only other roles used it before"


def test_an_endpoint_that_is_an_administrators_by_its_name():
    (one,) = Site().ask(110, MOLE, "/api/v1/Admin/users").found()
    assert one.details["reason"].startswith("an administrator's by its name")


def test_an_endpoint_that_the_role_was_refused():
    site = Site().ask(110, 0x1001, "/ledger", status=403).ask(120, MOLE, "/ledger")
    (one,) = site.found()
    assert one.severity == Severity.HIGH
    assert one.details["reason"] == "its role was refused there before"


@pytest.mark.parametrize("batch", [1, 13])
def test_batches_make_no_difference(batch):
    site = Site().ask(110, 0x1001, "/ledger", status=403).ask(120, MOLE, "/ledger").ask(121, MOLE, "/accounts")
    assert site.found(batch) == site.found()


def test_an_object_of_somebody_else_is_no_function():
    site = Site().ask(110, 0x1001, "/files/{id}", status=403, object_id=5).ask(111, 0x1001, "/files/{id}", object_id=6)
    assert site.found() == []


def test_a_new_function_that_nobody_else_has_is_quiet():
    assert Site().ask(110, 0x1001, "/news").ask(111, 0x1002, "/news").found() == []


def test_the_administrator_does_what_administrators_do():
    assert Site().ask(110, 0xA0, "/admin/users", ADMIN).ask(111, 0xA0, "/admin/config", ADMIN).found() == []


def test_without_roles_there_is_nothing_to_compare():
    assert Site(role=0).ask(110, MOLE, "/accounts", 0).found() == []


def test_a_role_that_is_not_known_yet_is_not_judged():
    site = Site()
    site.rows, site.bodies = site.rows[:40], site.bodies[:40]
    assert site.ask(20, MOLE, "/admin/users").found() == []


def test_one_function_after_the_other_refused():
    site = Site()
    for i in range(6):
        site.ask(110 + i, MOLE, f"/manage{i}", status=403)
    (one,) = site.found()
    assert (one.rule.id, one.numbers.observed) == ("function-probing", 5)


def test_the_same_function_refused_again_and_again_is_quiet():
    site = Site()
    for i in range(50):
        site.ask(110 + i, MOLE, f"/manage{i % 3}", status=403)
    assert site.found() == []


def orders(site: Site, count: int = 40, **more: Any) -> Site:
    for i in range(count):
        body = {"article": i, "amount": 1, "note": 'a "role": here'} | more
        site.ask(110 + i, 0x1000 + i % 12, "/orders", method="POST", body=body)
    return site


@pytest.mark.parametrize("field", ["role", "isAdmin", "is_admin", "Balance", "owner-id"])
def test_a_field_that_gives_rights_and_was_never_sent(field):
    site = orders(Site()).ask(200, MOLE, "/orders", method="POST", body={"article": 1, "extra": {field: "x"}})
    (one,) = site.found_with_bodies()
    assert (one.rule.id, one.details["field"]) == ("unexpected-field", field)


@pytest.mark.parametrize("body", [{"article": 1, "gift": True}, b"role=admin", b"{", {"note": "role"}, [1, 2]])
def test_other_new_fields_are_quiet(body):
    assert orders(Site()).ask(200, MOLE, "/orders", method="POST", body=body).found_with_bodies() == []


def test_a_field_that_everybody_sends_is_quiet():
    site = orders(Site(), role="user").ask(200, MOLE, "/orders", method="POST", body={"role": "admin"})
    assert site.found_with_bodies() == []


def test_fields_of_an_endpoint_that_few_have_used_are_quiet():
    site = orders(Site(), 10).ask(200, MOLE, "/orders", method="POST", body={"role": "admin"})
    assert site.found_with_bodies() == []


@kernel
def _fields(data: Bytes, stop: int, out: I64s) -> int:
    count, i = 0, 0
    while count < len(out) // 2:
        start, end = next_field(data, i, stop)
        if start < 0:
            return count
        out[2 * count], out[2 * count + 1] = start, end
        count += 1
        i = end + 1
    return count


def fields(raw: bytes) -> list[bytes]:
    out = np.zeros(200, np.int64)
    count = _fields(np.frombuffer(raw + b"\0" * 4, np.uint8).copy(), len(raw), out)
    return [raw[out[2 * i] : out[2 * i + 1]] for i in range(count)]


def keys_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [key for name, inner in value.items() for key in (name, *keys_of(inner))]
    return [key for inner in value for key in keys_of(inner)] if isinstance(value, list) else []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


SEEDS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)  # as good as drawn: small ones do not spread


@kernel
def _read(data: Bytes, stop: int, names: U64s, sensitive: U64s, out: I64s) -> np.uint64:
    rights, found, length = read_fields(data, 0, stop, np.uint64(out[2]), names, SEEDS, sensitive)
    out[0], out[1] = found, length
    return rights


def read(value: Any, names: npt.NDArray[np.uint64], sent: int = 0) -> tuple[int, bytes]:
    raw = json.dumps(value).encode()
    out = np.array([0, 0, sent])
    rights = _read(np.frombuffer(raw + b"\0" * 8, np.uint8).copy(), len(raw), names, hashes_of(RIGHTS), out)
    return int(rights), raw[out[0] : out[0] + out[1]]


@given(json_values, st.sampled_from(RIGHTS))
def test_a_name_that_was_met_before_is_the_same_field(value: Any, right: str) -> None:
    """However many names take the place of others in the memory of names."""
    names = np.zeros(2 * NAMES, np.uint64)
    for number in range(2):
        rights, first = read([value, {right.upper(): 1}], names)
        assert rights == 1 << RIGHTS.index(right), number
        assert first.decode() == right.upper()
        assert read([value, {right: 1}], names, rights) == (rights, b"")


def test_a_flood_of_names_takes_no_field_for_one_that_was_sent() -> None:
    names, rights = np.zeros(2 * NAMES, np.uint64), 0
    for turn in range(200):
        rights, first = read({f"field_{turn}_{number}": 1 for number in range(100)}, names, rights)
        assert (rights, first) == (0, b"")
    assert read({"name": "a", "is_admin": True}, names, rights) == (1 << RIGHTS.index("isadmin"), b"is_admin")


@given(json_values)
def test_fields_are_those_that_python_reads(value):
    raw = json.dumps(value)
    assert fields(raw.encode()) == [json.dumps(key)[1:-1].encode() for key in keys_of(value)]


@given(st.binary(max_size=80))
def test_any_bytes_have_some_fields(raw):
    for name in fields(raw):
        assert name in raw


def test_names_that_give_rights_are_told_apart():
    assert len(set(hashes_of(RIGHTS).tolist())) == len(RIGHTS)
    assert hashes_of(("is_Admin",))[0] in hashes_of(RIGHTS)


@pytest.mark.parametrize("name", ["01a-benign", "08a-bola-fast", "15a-error-spike"])
def test_real_traffic_without_it_is_quiet(name):
    rules = {"function-above-role", "function-probing", "unexpected-field"}
    assert [alert["rule_id"] for alert in real_alerts(name) if alert["rule_id"] in rules] == []
