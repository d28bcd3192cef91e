"""The figures of the summary, and how they are worded."""

import io

import numpy as np
import pytest

from sensor.cli.report import _bytes, _number, _percent, show
from sensor.cli.summary import TOP_KEPT, TOP_PER_BATCH, Summary
from tests.cli.pipeline import NO_BATCH, ReadyPipeline, two_batches
from tests.export.rows import POOL, random_transactions

COUNTERS = ReadyPipeline([], [], lambda number: None).counters()


def text_of(summary, counters=COUNTERS, unknown_links=()):
    stream = io.StringIO()
    show(summary, counters, list(unknown_links), stream)
    return stream.getvalue()


def test_endpoints_and_clients_are_ranked_over_all_batches():
    rows = random_transactions(1, 30)
    rows["method"], rows["host"], rows["endpoint"] = 1, 2, 5
    rows["client_hi"], rows["client_lo"] = 0, (0xFFFF << 32) + np.arange(30) % 3
    rows["client_lo"][:10] = 0xFFFF << 32
    summary = Summary()
    for part in (rows[:15], rows[15:]):
        summary.add(NO_BATCH._replace(transactions=part), POOL)
    assert summary.endpoints == {("GET", "api.test", "/orders/{id}"): 30}
    assert summary.clients.most_common(1) == [("0.0.0.0", 16)]
    assert "      30  GET api.test/orders/{id}" in text_of(summary)


def test_memory_is_bounded_when_every_client_is_new():
    summary = Summary()
    rows = random_transactions(1, 1_000)
    summary.add(NO_BATCH._replace(transactions=rows), POOL)
    assert len(summary.clients) == TOP_PER_BATCH
    summary.clients.update({str(i): 1 for i in range(TOP_KEPT)})
    kept = len(summary.clients)
    summary.add(NO_BATCH._replace(transactions=random_transactions(2, 1_000)), POOL)
    assert len(summary.clients) == kept


def test_hostile_text_is_shown_as_it_is():
    rows = random_transactions(1, 3)
    rows["host"], rows["endpoint"] = 3, 4
    summary = Summary()
    summary.add(NO_BATCH._replace(transactions=rows), POOL)
    assert '/a?q="x"\\back\\slash\\' in text_of(summary)


def test_nothing_is_wrapped_in_colours_when_it_is_no_terminal():
    summary = Summary()
    for batch in two_batches([]):
        summary.add(batch, POOL)
    text = text_of(summary, unknown_links=["link type 999 (unknown to tapir) is not decoded: 3 frames"])
    assert "\x1b" not in text
    assert "link type 999" in text
    assert not any(line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("count", "whole", "text"),
    [(0, 0, "0 %"), (5, 5, "100 %"), (0, 9, "0 %"), (99_999_999, 100_000_000, "99.99 %"), (1, 10**9, "0.01 %")],
)
def test_100_percent_means_all(count, whole, text):
    assert _percent(count, whole) == text


@pytest.mark.parametrize(("value", "text"), [(5.0, "5"), (0.125, "0.12"), (12345678.5, "12,345,678")])
def test_numbers(value, text):
    assert _number(value) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e15, "2,500.0 TB")])
def test_sizes(count, text):
    assert _bytes(count) == text
