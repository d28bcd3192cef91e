"""The cells of bulk transfers: sums over the window are those of a slow twin, histograms hold each cell once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import BulkTransferSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.bulk_transfer import BulkTransfer
from sensor.detection.detectors.bulk_transfer_cells_kernel import STRETCHES
from sensor.structures.entity_table_kernels import Use
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.log_histogram import BINS
from tests.detection.tables import NO_FLOWS, NO_STREAMS, NO_TABLES, SECOND, Pool, join, transaction
from tests.oracles.windows import sum_within


def process(detector, rows):
    entities = np.zeros(len(rows), ENTITIES)
    detector.process(Batch(rows, NO_FLOWS, NO_STREAMS, int(rows["now"][-1]), entities, NO_TABLES))


answers = st.lists(
    st.tuples(st.integers(0, 25), st.integers(1, 9_999), st.integers(-1, 40), st.integers(0, 15)), min_size=1
)
"""Seconds since the one before, bytes, records, credential: fewer than a cell remembers, 0 is none."""


@settings(deadline=None)
@given(answers)
def test_sums_over_the_window_are_those_of_the_slow_twin(answers):
    pool = Pool()
    detector = BulkTransfer(BulkTransferSettings(pairs_max=2, endpoints_max=2, window_seconds=100.0), pool)
    width = 100 * SECOND // STRETCHES
    seconds, taken, records, noted, latest, credentials = 0, [], [], {}, None, 0
    for gap, size, count, user in answers:
        seconds += gap
        row = transaction(pool, seconds, response_body_len=size, records=count, user=user)
        process(detector, row)
        now = int(row["now"][0])
        taken.append((now, size))
        records.append((now, max(count, 0)))
        (cell,) = detector.cells[:1]
        assert cell["bytes"] == sum_within(taken, STRETCHES, width)
        assert cell["records"] == sum_within(records, STRETCHES, width)
        assert cell["responses"] == sum_within([(when, 1) for when, _ in taken], STRETCHES, width)
        if latest != (user, now // width):  # a credential is noted once in a stretch unless another came between
            latest = (user, now // width)
            noted[user] = now
            credentials = sum(now - when <= STRETCHES * width for one, when in noted.items() if one)
        assert cell["credentials"] == credentials


def members(detector, row, metric):
    """How many members a population says it has, and how many its histogram holds."""
    population = detector.populations[row]
    counts = detector.histograms.reshape(-1, 2, BINS)[row, metric]
    assert counts.min() >= 0
    return int(population["bytes_members" if metric == 0 else "records_members"]), int(counts.sum())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 90)), max_size=60))
def test_histograms_hold_each_remembered_cell_once_though_all_tables_are_full(answers):
    """Clients and endpoints that give way to others all the time."""
    pool = Pool()
    detector = BulkTransfer(BulkTransferSettings(pairs_max=4, endpoints_max=3), pool)
    for i, (client, endpoint, size) in enumerate(answers):
        row = transaction(
            pool, i, f"10.0.0.{client}", endpoint=f"/{endpoint}", response_body_len=4**(size % 9) + 1, records=size
        )
        process(detector, row)
        cells = detector.cells[: int(detector.pairs.state[Use.ROWS])]
        for population in range(3):
            generation = detector.populations[population]["generation"]
            for metric, bins in enumerate(("bytes_bin", "records_bin")):
                expected = sum(
                    np.count_nonzero(
                        (cells[side] == population) & (cells[f"{side}_generation"] == generation) & (cells[bins] >= 0)
                    )
                    for side in ("endpoint", "server")
                )
                assert members(detector, population, metric) == (expected, expected)
    assert detector.faults == 0


def test_a_row_that_names_no_string_is_the_only_one_left_out():
    """However many rows are looked ahead at."""
    pool = Pool()
    detector = BulkTransfer(BulkTransferSettings(pairs_max=8, endpoints_max=4), pool)
    rows = join([transaction(pool, i, response_body_len=10) for i in range(200)])
    rows["endpoint"][77] = len(pool.tables.entries)
    process(detector, rows)
    assert detector.faults == 1
    assert detector.cells[0]["responses"] == 199
