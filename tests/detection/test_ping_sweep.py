"""Ping sweeps: hosts asked in vain, at any pace; monitors, inventories of a living net and a dead gateway are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import PingSweepSettings
from sensor.detection.stage import DetectionStage
from sensor.schema import ConnState, Proto
from tests.detection.tables import Pool, alone, flow, run_flows

SWEEPER, MONITOR = "10.0.0.9", "10.0.0.7"
Rows = list[tuple[np.ndarray, np.ndarray]]


def ping(seconds: float, number: int, answered: bool = False, client: str = SWEEPER, **given: Any) -> Any:
    given = {"client_port": 8, "proto": Proto.ICMP, **given}
    host = f"10.7.{number // 250}.{number % 250 + 1}"
    row = flow(seconds, ConnState.S0, client, host, 0, (56, 56 * answered), **given)
    row[1]["packets"] = (1, int(answered))
    return row


def stage() -> DetectionStage:
    return DetectionStage(alone(ping_sweep=PingSweepSettings()), Pool())


def found(rows: Rows, batch: int = 1 << 30) -> list[Detection]:
    rows.sort(key=lambda row: int(row[0]["end_now"][0]))
    return run_flows(stage(), rows, batch)


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_a_sweep_of_a_net_with_few_hosts(batch: int) -> None:
    hits = found([ping(n / 10, n, answered=n % 9 == 0) for n in range(254)], batch)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("ping-sweep", SWEEPER)}
    assert hits[0].numbers.observed == 20
    assert hits[-1].numbers.observed > 200
    assert len({hit.run for hit in hits}) == 1


@pytest.mark.parametrize(("gap", "count"), [(25, 30), (300, 80)])
def test_at_any_pace(gap: int, count: int) -> None:
    assert found([ping(gap * n, n) for n in range(count)])


@pytest.mark.parametrize("kind", [8, 13, 15, 17])
def test_by_whatever_question(kind: int) -> None:
    assert found([ping(n, n, client_port=kind) for n in range(30)])


@pytest.mark.parametrize(
    "rows",
    [
        [ping(60 * turn + n / 10, n, n % 4 > 0, MONITOR) for turn in range(60) for n in range(60)],  # a quarter is dead
        [ping(n, n, answered=True) for n in range(250)],              # what an inventory finds
        [ping(5 * n, 3) for n in range(1_000)],                       # a gateway that is down
        [ping(n, n, client_port=11) for n in range(250)],             # told that time is exceeded
        [ping(n, n, client=f"10.0.3.{n}") for n in range(200)],
    ],
    ids=["monitor", "inventory", "dead gateway", "answers", "many clients"],
)  # fmt: skip
def test_what_is_no_sweep(rows: Rows) -> None:
    assert found(rows) == []


def test_a_flood_costs_little_and_hides_nobody() -> None:
    rows = [ping(n / 2_000, n % 60_000, client="10.0.9.9", answered=True) for n in range(60_000)]
    detector = stage()
    sweep = [ping(40 + n, n) for n in range(60)]
    hits = run_flows(detector, sorted([*rows, *sweep], key=lambda row: int(row[0]["end_now"][0])))
    assert {hit.entity.value for hit in hits} == {SWEEPER}
    assert detector.counters.as_dict()["evicted"] > 50_000


def test_a_restart_costs_nothing() -> None:
    rows = [ping(n, n) for n in range(40)]
    before, after = stage(), stage()
    hits = run_flows(before, rows[:15])
    assert after.memories["detection.ping_sweep"].restore(before.memories["detection.ping_sweep"].state())
    assert [hit.numbers for hit in hits + run_flows(after, rows[15:])] == [hit.numbers for hit in found(rows)]
    assert not after.memories["detection.ping_sweep"].restore({})
