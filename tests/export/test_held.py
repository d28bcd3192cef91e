"""Rows are released in order, cut at exact counts, whatever the batches."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.export.held import HeldRows
from sensor.export.tables import Flows, Transactions
from sensor.export.writers import NO_STREAMS, JsonSink, Writer
from tests.export.rows import POOL, T0, ListPool, random_flows, random_transactions


class Lines:
    """Stands for an output and keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data) -> None:
        self.data += bytes(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def json_of(rows, batches, pool=POOL, **bounds):
    """The JSON lines of transactions handed over in batches of these sizes."""
    table, lines = Transactions(), Lines()
    writer = Writer(JsonSink(lines, table), HeldRows(table, escape=True, **bounds))
    start = 0
    for size in [*batches, len(rows)]:
        writer.write(rows[start : start + size], NO_STREAMS, pool)
        start += size
    writer.close()
    return lines.data, writer


@given(st.integers(0, 100), st.lists(st.integers(0, 40), max_size=20), st.integers(1, 90), st.integers(1, 20_000))
@settings(max_examples=25, deadline=None)
def test_batches_leave_no_trace(seed, batches, rows_max, text_bytes_max):
    rows = random_transactions(seed, 150)
    bounds = {"rows_max": rows_max, "text_bytes_max": text_bytes_max}
    assert json_of(rows, batches, **bounds)[0] == json_of(rows, [], **bounds)[0]


def test_every_row_leaves_once_and_in_order():
    rows = random_transactions(7, 1_000)
    lines, writer = json_of(rows, [100] * 9, rows_max=5_000)
    keys = [(row["ts"], row["flow"], row["trans_depth"]) for row in rows]
    assert [json.loads(line)["trans_depth"] for line in lines.splitlines()] == [key[2] for key in sorted(keys)]
    assert (writer.rows, writer.rows_late) == (1_000, 0)


def test_the_older_half_is_released_when_full():
    rows = random_transactions(1, 6)
    rows["ts"] = T0 + np.array([50, 10, 40, 20, 30, 60])
    held = HeldRows(Transactions(), escape=False, rows_max=4)
    released = [(run.rows(0, 9)["ts"] - T0).tolist() for run in held.add(rows, NO_STREAMS, POOL)]
    assert released == [[10, 20], [30, 40]]
    assert (held.drain().rows(0, 9)["ts"] - T0).tolist() == [50, 60]


def test_a_row_that_comes_too_late_is_counted_and_kept():
    rows = random_transactions(1, 8)
    rows["ts"] = T0 + np.array([10, 20, 30, 40, 5, 60, 70, 80])
    lines, writer = json_of(rows, [], rows_max=4)
    order = [round((json.loads(line)["ts"] - T0 / 1e9) * 1e9) for line in lines.splitlines()]
    assert len(order) == 8
    assert writer.rows_late == 1


def test_long_texts_are_released_before_they_fill_memory():
    rows = random_transactions(1, 64)
    rows["uri"] = 1
    pool = ListPool(["u" * 1_000] * 8)
    held = HeldRows(Transactions(), escape=False, text_bytes_max=10_000)
    assert any(len(run.order) for run in held.add(rows, NO_STREAMS, pool))


def test_unordered_rows_leave_with_their_batch():
    rows = random_transactions(3, 50)
    held = HeldRows(Transactions(), escape=False, ordered=False)
    (released,) = held.add(rows, NO_STREAMS, POOL)
    assert released.rows(0, 50)["trans_depth"].tolist() == rows["trans_depth"].tolist()
    assert len(held.drain().order) == 0


def test_flows_keep_their_streams():
    flows, streams = random_flows(2, 100)
    streams["ip_bytes"][0::2] = flows["serial"]
    held = HeldRows(Flows(), escape=False, rows_max=30)
    runs = [(run.rows(0, 99).copy(), run.streams_of(0, 99).copy()) for run in held.add(flows, streams, POOL)]
    last = held.drain()
    for rows, pairs in [*runs, (last.rows(0, 99), last.streams_of(0, 99))]:
        assert pairs["ip_bytes"][0::2].tolist() == rows["serial"].tolist()
    assert sum(len(rows) for rows, _ in runs) + len(last.order) == 100


@pytest.mark.parametrize("escape", [True, False])
def test_texts_survive_the_pool_changing_under_them(escape):
    """A code may mean another string in the next batch."""
    rows = random_transactions(1, 2)
    rows["method"] = 1
    held = HeldRows(Transactions(), escape=escape)
    list(held.add(rows[:1], NO_STREAMS, ListPool(["GET"] * 8)))
    list(held.add(rows[1:], NO_STREAMS, ListPool(["PUT"] * 8)))
    released = held.drain()
    numbers = released.numbers_of(0, 2)[0]
    found = {released.texts[released.offsets[k] : released.offsets[k + 1]].tobytes() for k in numbers}
    assert found == {b"GET", b"PUT"}
