"""Allowed edges and roles: what the file allows is quiet, what it does not is told; what was learned allows itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.alert import Detection, Severity
from sensor.config import SegmentationSettings
from sensor.detection.detectors.segmentation import Segmentation
from sensor.detection.edges.allowed import Allowed, Call, File, read
from sensor.detection.edges.learn import Learned, networks_of
from sensor.detection.stage import DetectionStage
from sensor.errors import SettingError
from sensor.schema import ConnState, Service
from tests.detection.tables import NO_FLOWS, Pool, alone, flow, join, run_flows, run_transactions, transaction

FILE = """
[groups]
web = ["10.0.0.0/24", "2001:db8::/64"]
jobs = ["10.9.0.1", "web"]

[[edges]]
from = ["web"]
to = ["10.0.1.1:80", "api.internal"]
endpoints = ["GET /users/{id}", "POST /login", "* /health*", "/status"]

[[edges]]
from = ["jobs"]
to = ["10.0.2.0/24:5432", "10.0.3.1"]

[[roles]]
role = "00000000000000aa"
endpoints = ["GET /users/{id}"]
"""


def allowed(text: str = FILE) -> Allowed:
    import tomllib

    import msgspec

    return Allowed(msgspec.convert(tomllib.loads(text), File), "edges.toml")


CALLS = [
    (Call("10.0.0.7", "10.0.1.1", 80, "x", "GET /users/{id}"), True),
    (Call("10.0.0.7", "10.0.1.1", 81, "x", "GET /users/{id}"), False),
    (Call("10.0.0.7", "10.0.1.2", 80, "x", "GET /users/{id}"), False),
    (Call("10.0.0.7", "10.7.7.7", 8080, "api.internal:8080", "POST /login"), True),
    (Call("10.0.0.7", "10.7.7.7", 80, "v2.API.internal", "POST /login"), True),
    (Call("10.0.0.7", "10.7.7.7", 80, "notapi.internal", "POST /login"), False),
    (Call("10.0.0.7", "10.0.1.1", 80, "x", "DELETE /users/{id}"), False),
    (Call("10.0.0.7", "10.0.1.1", 80, "x", "HEAD /health/live"), True),
    (Call("10.0.0.7", "10.0.1.1", 80, "x", "PUT /status"), True),
    (Call("10.1.0.7", "10.0.1.1", 80, "x", "GET /users/{id}"), False),
    (Call("2001:db8::5", "10.0.1.1", 80, "x", "GET /users/{id}"), True),
    (Call("10.9.0.1", "10.0.2.9", 5432), True),
    (Call("10.0.0.5", "10.0.3.1", 22), True),
    (Call("10.0.0.5", "10.0.1.1", 80), False),  # not HTTP, where HTTP alone is allowed
    (Call("10.9.0.2", "10.0.2.9", 5432), False),
]


@pytest.mark.parametrize(("call", "expected"), CALLS, ids=[str(tuple(call)) for call, _ in CALLS])
def test_what_a_file_allows(call: Call, expected: bool) -> None:
    assert allowed().allows(call) is expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("edges = 1", "Expected `array`"),
        ('[[edges]]\nfrom = ["10.0.0.1"]\n', "missing required field `to`"),
        ('[[edges]]\nfrom = ["10.0.0.300"]\nto = ["10.0.0.1"]\n', "edges[0].from: '10.0.0.300': expected a network"),
        ('[groups]\na = ["a"]\n[[edges]]\nfrom = ["a"]\nto = ["b"]\n', "contains itself"),
        ('[[edges]]\nfrom = ["10.0.0.1"]\nto = ["10.0.0.1"]\nport = 1\n', "unknown field `port`"),
    ],
)
def test_a_file_that_cannot_be_understood_says_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "edges.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=str(path)) as raised:
        read(path)
    assert told in str(raised.value)
    with pytest.raises(SettingError, match="tapir edges learn"):
        read(tmp_path / "none.toml")


def stage_of(tmp_path: Path, pool: Pool, text: str = FILE) -> DetectionStage:
    path = tmp_path / "edges.toml"
    path.write_text(text)
    return DetectionStage(alone(segmentation=SegmentationSettings(file=str(path))), pool)


def call(pool: Pool, second: float, client: str = "10.0.0.7", uri: str = "/users/1", **given: object) -> np.ndarray:
    template = "/users/{id}" if uri.startswith("/users/") else uri
    return transaction(pool, second, client, uri=uri, endpoint=template, **given)


def told(found: list[Detection]) -> list[tuple[str, str, str, str]]:
    return [(each.rule.id, each.entity.value, str(each.details.get("edge", each.details.get("endpoint"))),
             (each.severity or each.rule.severity).value) for each in found]  # fmt: skip


def test_allowed_calls_are_quiet_and_others_are_told(tmp_path: Path) -> None:
    pool = Pool()
    rows = [call(pool, n, f"10.0.0.{1 + n}") for n in range(20)]
    rows += [call(pool, 30, "10.5.0.1"), call(pool, 31, uri="/admin"), call(pool, 32, uri="/admin/x", status_code=403)]
    assert told(run_transactions(stage_of(tmp_path, pool), join(rows))) == [
        ("edge-not-allowed", "10.5.0.1", "10.5.0.1 -> api.test GET /users/{id}", "medium"),
        ("edge-not-allowed", "10.0.0.7", "10.0.0.7 -> api.test GET /admin", "medium"),
        ("edge-not-allowed", "10.0.0.7", "10.0.0.7 -> api.test GET /admin/x", "low"),
    ]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_repeats_do_not_depend_on_batches(tmp_path: Path, batch: int) -> None:
    pool = Pool()
    rows = join([call(pool, 10 * n, uri=("/admin", "/users/1")[n % 2]) for n in range(40)])
    found = run_transactions(stage_of(tmp_path, pool), rows, batch)
    assert [each.count for each in found] == [1, 3, 6, 12]
    assert {each.severity for each in found} == {None}


def test_roles_that_do_what_they_never_did(tmp_path: Path) -> None:
    pool = Pool()
    text = FILE.partition("[[edges]]")[0] + FILE[FILE.index("[[roles]]") :]
    rows = [
        call(pool, 1, role=0xAA, user=5), call(pool, 2, role=0xAA, user=5, uri="/export"),
        call(pool, 3, role=0xBB, user=6, uri="/export"), call(pool, 4, user=7, uri="/export"),
    ]  # fmt: skip
    assert told(run_transactions(stage_of(tmp_path, pool, text), join(rows))) == [
        ("role-not-allowed", "0000000000000005", "GET api.test/export", "medium")
    ]


def test_flows_that_are_not_http(tmp_path: Path) -> None:
    pool = Pool()
    flows = [
        flow(1, ConnState.SF, "10.9.0.1", "10.0.2.5", 5432), flow(2, ConnState.SF, "10.9.0.9", "10.0.2.5", 5432),
        flow(3, ConnState.S0, "10.9.0.9", "10.0.2.6", 5432), flow(4, ConnState.SF, "10.9.0.9", "10.0.1.1", 80,
                                                                  service=Service.HTTP),
    ]  # fmt: skip
    assert told(run_flows(stage_of(tmp_path, pool), flows)) == [
        ("edge-not-allowed", "10.9.0.9", "10.9.0.9 -> 10.0.2.5:5432", "medium")
    ]


def test_a_changed_file_is_taken_over_and_a_bad_one_is_told(tmp_path: Path) -> None:
    pool = Pool()
    stage = stage_of(tmp_path, pool)
    assert run_transactions(stage, call(pool, 1)) == []

    def change(text: str) -> None:
        (tmp_path / "edges.toml").write_text(text)
        detector = stage.detectors["segmentation"]
        assert isinstance(detector, Segmentation)
        detector._reloading._looked = -1e9
        detector._reloading.poll()
        assert detector._reloading._reader is not None
        detector._reloading._reader.join(30)

    change(FILE.replace("GET /users/{id}", "GET /orders"))
    assert [each.rule.id for each in run_transactions(stage, call(pool, 2))] == ["edge-not-allowed"]
    change("broken")
    assert [each.rule.id for each in run_transactions(stage, call(pool, 3, client="10.0.0.9", uri="/orders"))] == [
        "edges-not-reloaded"
    ]


def test_without_a_file_nothing_is_asked() -> None:
    pool = Pool()
    stage = DetectionStage(alone(segmentation=SegmentationSettings()), pool)
    assert run_transactions(stage, call(pool, 1, "10.5.0.1")) == []


def test_clients_of_one_network_are_written_as_the_network() -> None:
    assert networks_of([f"10.0.0.{n}" for n in range(1, 9)] + ["10.0.1.1"]) == ["10.0.0.0/24", "10.0.1.1"]


ROWS = st.lists(
    st.tuples(
        st.integers(1, 12), st.integers(1, 2), st.sampled_from(["/users/1", "/a", '/odd"x', "/b*"]),
        st.sampled_from([200, 302, 404]), st.integers(0, 2),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


@settings(max_examples=60)
@given(ROWS, st.lists(st.tuples(st.integers(1, 12), st.integers(1, 3)), max_size=8))
def test_what_was_learned_is_allowed(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, str, int, int]], flows: list[tuple[int, int]]
) -> None:
    pool = Pool()
    calls = [call(pool, n, f"10.0.0.{client}", uri, server=f"10.0.1.{server}", status_code=status, role=role, user=role)
             for n, (client, server, uri, status, role) in enumerate(rows)]  # fmt: skip
    others = [flow(n, ConnState.SF, f"10.0.0.{client}", f"10.0.2.{server}", 22)
              for n, (client, server) in enumerate(flows)]  # fmt: skip
    learned = Learned()
    learned.add(join(calls), join([each for each, _ in others]) if others else NO_FLOWS, pool)
    stage = stage_of(tmp_path_factory.mktemp("learn"), pool, learned.text())
    granted = [each for each in calls if each["status_code"][0] < 400]
    assert (run_transactions(stage, join(granted)) if granted and learned.calls else []) == []
    assert (run_flows(stage, others) if others else []) == []
    stranger = run_transactions(stage, call(pool, 99, "10.99.0.1", "/admin"))
    assert [each.severity or Severity.MEDIUM for each in stranger] == [Severity.MEDIUM] * bool(learned.edges())
