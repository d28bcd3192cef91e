"""Web scans: found by what they miss, at any pace and however rows are cut; clients with a dead link are left alone."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import DetectionSettings
from sensor.detection.stage import DetectionStage
from sensor.detection.ticking import Distinct, Rolling, Ticks
from tests.detection.tables import Pool, join, real_alerts, run_transactions, transaction

SCANNER, USER = "10.0.0.9", "10.0.0.1"


def found(rows: list[np.ndarray], pool: Pool, batch: int = 1 << 30) -> list[Detection]:
    others = {name: {"enabled": name == "web_scan"} for name in DetectionSettings.__struct_fields__}
    stage = DetectionStage(msgspec.convert(others, DetectionSettings), pool)
    rows = sorted(rows, key=lambda row: row["now"][0])
    last = transaction(pool, rows[-1]["now"][0] / 1e9 - 1_795_250_000 + 90_000, "10.0.0.250")  # time goes on
    return run_transactions(stage, join([*rows, last]), batch)


def misses(pool: Pool, count: int, apart: float, client: str = SCANNER, same: bool = False) -> list[np.ndarray]:
    uris = ["/gone" if same else f"/try/{n}" for n in range(count)]
    return [transaction(pool, apart * n, client, uri=uri, endpoint=uri, status_code=404) for n, uri in enumerate(uris)]


def ordinary(pool: Pool, seconds: int) -> list[np.ndarray]:
    turns = range(seconds // 3)
    return [transaction(pool, 3 * n + client / 10, f"10.0.0.{client}") for n in turns for client in range(1, 7)]


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_a_fast_scan(batch: int) -> None:
    pool = Pool()
    detections = found(misses(pool, 60, 0.5) + ordinary(pool, 60), pool, batch)
    assert {(each.rule.id, each.entity.value) for each in detections} == {("web-scan", SCANNER)}
    assert detections[0].now <= (1_795_250_000 + 20) * 10**9  # twenty targets, and the end of their step
    whole = found(misses(pool, 60, 0.5) + ordinary(pool, 60), pool)
    assert [(each.now, each.numbers) for each in detections] == [(each.now, each.numbers) for each in whole]


def test_what_is_told_of_a_scan_adds_up_to_what_it_missed() -> None:
    pool = Pool()
    detections = found(misses(pool, 60, 0.5) + ordinary(pool, 180), pool)
    assert sum(each.count for each in detections) == 60
    assert len({each.run for each in detections}) == len(detections)  # so that an alert adds them up
    assert len(detections) <= 3  # a step with more of it each, none when it is over


def test_a_real_scan_is_told_with_as_many_misses_as_the_server_logged() -> None:
    (alert,) = [alert for alert in real_alerts("04-dirbrute") if alert["rule_id"] == "web-scan"]
    assert (alert["client_ip"], alert["count"]) == ("10.60.9.4", 4610)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_a_scan_of_a_server_that_refuses_strangers_before_it_looks(status: int) -> None:
    pool = Pool()
    rows = [transaction(pool, n, SCANNER, uri=f"/a/{n}", endpoint=f"/a/{n}", status_code=status) for n in range(50)]
    assert {each.entity.value for each in found(rows + ordinary(pool, 60), pool)} == {SCANNER}


def test_others_who_miss_the_same_again_and_again_do_not_hide_a_scan() -> None:
    pool = Pool()
    rows = misses(pool, 50, 60.0)
    for client in range(1, 9):
        rows += misses(pool, 300, 10.0, f"10.0.0.1{client}", same=True)
        rows += [transaction(pool, 10 * n + 3, f"10.0.0.1{client}") for n in range(300)]
    assert {each.entity.value for each in found(rows, pool)} == {SCANNER}


@pytest.mark.parametrize(("count", "apart"), [(60, 60.0), (200, 400.0)])
def test_slow_scans_add_up(count: int, apart: float) -> None:
    pool = Pool()
    assert {each.entity.value for each in found(misses(pool, count, apart), pool)} == {SCANNER}


def test_who_misses_nearly_all_within_minutes_is_told_in_the_minute_in_which_that_is_clear() -> None:
    pool = Pool()
    detections = found(misses(pool, 40, 4.0) + ordinary(pool, 150), pool)
    assert {(each.rule.id, each.entity.value) for each in detections} == {("web-scan", SCANNER)}
    assert detections[0].now <= (1_795_250_000 + 160) * 10**9
    rows = [transaction(pool, 4.0 * n + 1, SCANNER, uri=f"/ok/{n}") for n in range(40)]
    assert found(misses(pool, 40, 4.0) + rows + ordinary(pool, 150), pool) == []


def test_one_dead_link_is_one_target() -> None:
    pool = Pool()
    assert found(misses(pool, 500, 0.2, USER, same=True), pool) == []


def test_a_client_that_mostly_finds_what_it_wants() -> None:
    pool = Pool()
    rows = [transaction(pool, 0.1 * n, USER, uri=f"/ok/{n}") for n in range(300)]
    assert found(rows + misses(pool, 25, 1.0, USER), pool) == []


def test_a_site_that_is_broken_for_everyone() -> None:
    pool = Pool()
    rows = [row for client in range(1, 30) for row in misses(pool, 30, 1.0, f"10.0.0.{client}")]
    assert found(rows, pool) == []


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.00 (Nikto/2.1.6)",
        "sqlmap/1.8#stable (https://sqlmap.org)",
        "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
        "Fuzz Faster U Fool v2.1.0",
        "Mozilla/5.0 zgrab/0.x",
        "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
        "ZAP/2.15.0",
        "arjun",
    ],
)
def test_scanners_by_name(agent: str) -> None:
    pool = Pool()
    rows = [
        transaction(pool, 0, SCANNER, user_agent=agent),
        transaction(pool, 1, USER, user_agent="Mozilla/5.0 (nikon camera)"),
    ]
    rules = [(each.rule.id, each.entity.value) for each in found(rows, pool)]
    assert rules == [("scanner-software", SCANNER)]


def test_ticks_do_not_depend_on_batches() -> None:
    nows = np.array([5, 12, 13, 31, 95])
    whole = Ticks(10, 3)
    parts = list(whole.parts(nows, 100))
    cut = Ticks(10, 3)
    single = [part.tick for now in nows for part in cut.parts(np.array([now]), int(now))]
    single += [part.tick for part in cut.parts(nows[:0], 100)]
    assert [part.tick for part in parts if part.tick] == [tick for tick in single if tick]
    assert [part.tick for part in parts if part.tick][:3] == [10, 20, 30]


def test_rolling_sums_and_distinct_counts() -> None:
    sums, kinds = Rolling(2, 3), Distinct(2, 3)
    rng = np.random.default_rng(1)
    for _ in range(3):
        sums.add(np.array([0, 1]), np.array([2, 1]))
        kinds.add(np.zeros(100, np.intp), rng.integers(0, 1 << 63, 100).astype(np.uint64))
        assert sums.total[0] == 2 * sums.total[1]
        sums.step()
        kinds.step()
    assert sums.total.tolist() == [4, 2]
    assert kinds.count(np.array([0, 1])) == pytest.approx([200, 0], rel=0.15)
    sums.clear(np.array([0]))
    assert sums.total.tolist() == [0, 2]
    for _ in range(3):
        sums.step()
    assert sums.total.tolist() == [0, 0]


def test_a_row_that_is_given_to_another_is_forgotten_in_every_step_and_nobody_else_is() -> None:
    kinds = Distinct(3, 3)
    rng = np.random.default_rng(2)
    for _ in range(5):  # the steps went round
        kinds.step()
        for row in (0, 2):
            kinds.add(np.full(40, row), rng.integers(0, 1 << 63, 40).astype(np.uint64))
    kinds.clear(np.array([0, 1]))
    assert not kinds.cells[:, :2].any()
    assert kinds.count(np.array([0, 1, 2])) == pytest.approx([0, 0, 120], rel=0.2)
    for _ in range(3):
        kinds.step()
    assert not kinds.cells.any()
