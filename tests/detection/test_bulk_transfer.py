"""Bulk transfers: against peers, against the server, against limits; and who must stay quiet."""

import numpy as np
import pytest

from sensor.alert import Severity
from sensor.config import BulkTransferSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import Pool, alone, join, read_server_log, run_transactions, transaction

SMALL = {"pairs_max": 512, "endpoints_max": 64}


def judge(pool, rows, batch=1 << 30, **given):
    settings = alone(bulk_transfer=BulkTransferSettings(**(SMALL | given)))
    rows = rows[np.argsort(rows["now"], kind="stable")]
    return run_transactions(DetectionStage(settings, pool), rows, batch)


@pytest.fixture
def pool():
    return Pool()


def peers(pool, count=12, requests=10, size=2_000, seconds=60.0, endpoint="/users", **given):
    """Ordinary clients, each with its own credential, who take about the same."""
    return join(
        [
            transaction(
                pool, seconds * r / requests + c * 0.01, f"10.0.3.{c}", endpoint=endpoint, user=1_000 + c,
                response_body_len=size + 100 * c, **given,
            )
            for c in range(count)
            for r in range(requests)
        ]
    )  # fmt: skip


def taker(pool, requests, size, start=60.0, gap=0.5, client="10.0.9.9", endpoint="/users", again=False, **given):
    """A client that takes `requests` answers of `size` bytes, all to the same request when `again`."""
    return join(
        [
            transaction(
                pool, start + gap * r, client, endpoint=endpoint, response_body_len=size,
                uri=endpoint if again else f"{endpoint}?page={r}", **given,
            )
            for r in range(requests)
        ]
    )  # fmt: skip


def test_far_more_than_the_endpoint_s_other_clients(pool):
    found = judge(pool, join([peers(pool), taker(pool, 24, 170_000, user=7)]))
    assert {one.client_ip for one in found} == {"10.0.9.9"}
    last = found[-1]
    assert last.rule.id == "bulk-transfer"
    assert (last.count, last.numbers.observed) == (24, 24 * 170_000)
    assert last.numbers.baseline == pytest.approx(25_500, rel=0.2)
    assert last.numbers.threshold < last.numbers.observed
    assert last.numbers.unit == "response bytes"
    assert last.details["peers"] == 12
    assert len({one.run for one in found}) == 1


def test_the_same_small_answer_again_and_again_is_no_bulk_of_records(pool):
    others = peers(pool, records=1)
    rows = join([others, taker(pool, 3_000, 33, gap=0.02, again=True, user=7, records=1)])
    assert judge(pool, rows) == []
    assert judge(pool, join([others, taker(pool, 3_000, 33, gap=0.02, user=7, records=1)])) != []


def test_the_same_answer_again_and_again_is_a_load_test(pool):
    assert judge(pool, join([peers(pool), taker(pool, 200, 170_000, again=True, user=7, records=40)])) == []


def test_the_first_of_many_who_take_a_large_page_do_not_stand_out(pool):
    """Nobody knows of the first that others follow, but one page, or two, is no walk."""
    pages = [taker(pool, 2, 250_000, client=f"10.0.3.{c}", start=40 + c, user=1_000 + c) for c in range(12)]
    assert judge(pool, join([peers(pool), *pages])) == []


def test_a_single_answer_is_enough_when_it_is_enormous(pool):
    """?limit=100000 where others ask for pages of 20."""
    (found,) = judge(pool, join([peers(pool), taker(pool, 1, 20_000_000)]))
    assert (found.count, found.numbers.observed) == (1, 20_000_000)


def test_a_few_times_more_is_an_eager_client(pool):
    assert judge(pool, join([peers(pool, requests=50), taker(pool, 10, 100_000)])) == []


def test_widely_differing_peers_accuse_nobody(pool):
    """Where clients differ by orders of magnitude, a hundred times the median is one of them."""
    rows = [
        taker(pool, 4, 50 * 4**c, start=0, client=f"10.0.3.{c}") for c in range(12)
    ]
    assert judge(pool, join([*rows, taker(pool, 10, 300_000)])) == []


def test_many_users_behind_one_address_are_judged_per_credential(pool):
    rows = [taker(pool, 20, 3_000, client="10.0.0.4", start=i, gap=4.0, user=50 + i) for i in range(15)]
    assert judge(pool, join([peers(pool), *rows])) == []
    alone = judge(pool, join([peers(pool), taker(pool, 300, 3_000, client="10.0.0.4", start=0, gap=0.3, user=50)]))
    assert {one.client_ip for one in alone} == {"10.0.0.4"}


def test_rotating_credentials_hides_no_walk(pool):
    rows = join([taker(pool, 1, 400_000, start=60 + i, user=500 + i) for i in range(60)])
    assert judge(pool, join([peers(pool), rows]))


def test_below_the_floor_nothing_is_bulk(pool):
    assert judge(pool, join([peers(pool, size=50), taker(pool, 10, 20_000)])) == []


def test_a_cold_start_accuses_nobody(pool):
    """The first clients to come have no peers."""
    assert judge(pool, taker(pool, 200, 170_000, start=0)) == []
    assert judge(pool, join([peers(pool, count=7), taker(pool, 24, 170_000)])) == []


def test_what_is_taken_while_peers_are_not_known_long_enough_is_judged_later(pool):
    early = taker(pool, 24, 170_000, start=1, gap=0.2)
    assert judge(pool, join([peers(pool, seconds=29.0), early])) == []
    later = taker(pool, 3, 170_000, start=31)
    found = judge(pool, join([peers(pool), early, later]))
    assert [one.count for one in found] == [25, 26, 27]


def test_errors_and_empty_answers_are_no_transfers(pool):
    assert judge(pool, join([peers(pool), taker(pool, 24, 170_000, status_code=404)])) == []


def test_records_count_where_they_are_known(pool):
    """Coded answers are small, but their records tell."""
    many = taker(pool, 24, 5_000, records=1_000)
    (*_, last) = judge(pool, join([peers(pool, records=5), many]))
    assert (last.numbers.unit, last.numbers.observed, last.count) == ("records", 24_000, 24)
    assert (last.rule.id, last.details["records_per_minute"]) == ("bulk-records", 24_000)
    assert judge(pool, join([peers(pool, records=5), taker(pool, 24, 5_000)])) == []


def test_a_run_that_is_first_over_by_records_and_then_by_bytes_is_one_run(pool):
    found = judge(pool, join([peers(pool, records=5), taker(pool, 60, 20_000, records=1_000)]))
    assert [one.numbers.unit for one in found][:1] == ["records"]
    assert found[-1].numbers.unit == "response bytes"
    assert len({one.run for one in found}) == 1
    assert found[-1].count == 60


def ordinary_server(pool):
    """A server with a dozen clients on four endpoints."""
    return join([peers(pool, endpoint=path, seconds=300.0) for path in ("/users", "/orders", "/search", "/stats")])


def test_a_walk_through_an_endpoint_of_one_s_own_is_compared_with_the_server(pool):
    found = judge(pool, join([ordinary_server(pool), taker(pool, 40, 170_000, start=100, endpoint="/dump")]))
    assert {one.client_ip for one in found} == {"10.0.9.9"}
    assert {one.severity for one in found} == {Severity.MEDIUM}
    assert found[0].confidence < 0.9


def test_one_large_download_of_one_s_own_is_quiet(pool):
    """The nightly export."""
    assert judge(pool, join([ordinary_server(pool), taker(pool, 1, 90_000_000, start=100, endpoint="/export")])) == []


def test_a_large_endpoint_used_from_the_start_is_usual(pool):
    """A slow report that only one client asks for, all the time."""
    assert judge(pool, join([ordinary_server(pool), taker(pool, 300, 170_000, start=1, endpoint="/report")])) == []


def test_a_dashboard_and_uploads_are_quiet(pool):
    dashboard = taker(pool, 1_500, 40, start=0, gap=2.0, endpoint="/stats", client="10.0.0.1")
    uploads = taker(pool, 60, 57, start=0, gap=5.0, endpoint="/files", client="10.0.0.16", request_body_len=240_000)
    assert judge(pool, join([ordinary_server(pool), dashboard, uploads])) == []


def test_an_absolute_limit_is_a_setting(pool):
    rows = taker(pool, 12, 100_000, start=0)
    assert judge(pool, rows) == []
    assert judge(pool, rows, bytes_max=1_200_000) == []
    (found,) = judge(pool, rows, bytes_max=1_199_999)
    assert (found.numbers.threshold, found.numbers.baseline) == (1_199_999, None)
    counted = taker(pool, 3, 100, start=0, records=500)
    assert len(judge(pool, counted, records_max=1_499)) == 1
    assert judge(pool, counted, records_max=1_500) == []


def test_the_window_slides(pool):
    """What lies more than a window back is forgotten, so a slow taker below the limit stays quiet."""
    rows = taker(pool, 100, 100_000, start=0, gap=70.0)
    assert judge(pool, rows, bytes_max=1_000_000) == []
    assert judge(pool, rows, bytes_max=800_000)


def test_the_same_path_on_another_server_has_its_own_clients(pool):
    other = peers(pool, size=200_000, server="10.0.1.2")
    found = judge(pool, join([peers(pool), other, taker(pool, 24, 170_000)]))
    assert {(one.client_ip, one.server_ip) for one in found} == {("10.0.9.9", "10.0.1.1")}


def random_rows(pool, count=1_500):
    random = np.random.default_rng(3)
    return join(
        [
            transaction(
                pool, i // 5, f"10.0.3.{random.integers(40)}", endpoint=f"/{random.integers(9)}",
                user=int(random.integers(4)), records=int(random.integers(-1, 50)),
                response_body_len=int(random.choice([100, 2_000, 400_000], p=[0.6, 0.37, 0.03])),
            )
            for i in range(count)
        ]
    )  # fmt: skip


@pytest.mark.parametrize("room", [{}, {"pairs_max": 16, "endpoints_max": 4}])
def test_batches_and_the_random_hash_do_not_matter(pool, room):
    easy = {"peers_min": 2, "ratio_min": 3.0, "deviations_min": 1.0, "window_seconds": 60.0}
    easy |= {"known_seconds": 0.0, "answers_min": 1}
    rows = random_rows(pool)
    whole = judge(pool, rows, **easy, **room)
    assert whole
    for batch in (1, 17, 400):
        assert judge(pool, rows, batch, **easy, **room) == whole


def test_populations_count_exactly_the_cells_that_are_remembered(pool):
    """However often cells and endpoints give way, every histogram holds each of its living cells once."""
    settings = alone(bulk_transfer=BulkTransferSettings(pairs_max=16, endpoints_max=8, window_seconds=60.0))
    stage = DetectionStage(settings, pool)
    run_transactions(stage, random_rows(pool))
    (detector,) = [one for one in stage.detectors.values() if one.rules[0].id == "bulk-transfer"]
    histograms = detector.histograms.reshape(8, 2, -1)
    assert histograms.min() >= 0
    cells, populations = detector.cells, detector.populations
    for metric, name in enumerate(("bytes", "records")):
        assert (histograms[:, metric].sum(axis=1) == populations[f"{name}_members"]).all()
        for row in range(8):
            mine = sum(
                int((cells[f"{name}_bin"][cells[side] == row] >= 0).sum())
                for side in ("endpoint", "server")
                if (cells[f"{side}_generation"][cells[side] == row] == populations["generation"][row]).all()
            )
            assert populations[f"{name}_members"][row] <= 32
            assert mine >= populations[f"{name}_members"][row] or mine == 0
    assert stage.counters.as_dict()["evicted"] > 100


def test_the_bulk_exfiltration_is_found_and_nobody_else(pool):
    found = judge(pool, read_server_log("09-bulk-exfil", pool))
    assert {one.client_ip for one in found} == {"10.60.9.9"}
