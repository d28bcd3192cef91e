"""`import sensor`: what it offers, and the tables that `sensor.read` gives."""

import sys
from types import ModuleType

import polars as pl
import pytest

import sensor
from sensor.errors import InputError
from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS
from tests.cli.conftest import ALERTS
from tests.cli.pipeline import NO_BATCH, ReadyPipeline, two_batches


@pytest.fixture
def pipeline(monkeypatch):
    """Makes sensor.pipeline give these batches."""

    def install(batches, faults=()):
        module = ModuleType("sensor.pipeline")
        module.Pipeline = lambda settings, names: ReadyPipeline(batches, list(faults), lambda number: None)
        monkeypatch.setitem(sys.modules, "sensor.pipeline", module)

    return install


def test_all_that_is_offered_is_there():
    for name in sensor.__all__:
        assert getattr(sensor, name) is not None
    assert set(dir(sensor)) == set(sensor.__all__)


def test_all_that_is_there_is_offered():
    assert set(sensor._HOME) | {"__version__"} == set(sensor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sensor.nothing  # noqa: B018


def test_read_gives_the_tables_of_the_files(pipeline, tmp_path):
    from sensor.export.writers import NO_STREAMS, open_writer
    from tests.export.rows import POOL

    batches = two_batches(ALERTS)
    pipeline(batches)
    capture = sensor.read("x.pcap")
    for name in ("transactions", "flows"):
        writer = open_writer(str(tmp_path / f"{name}.parquet"), name, ordered=True)
        for batch in batches:
            writer.write(getattr(batch, name), batch.streams if name == "flows" else NO_STREAMS, POOL)
        writer.close()
        assert getattr(capture, name).equals(pl.read_parquet(tmp_path / f"{name}.parquet"))
    assert capture.alerts["alert_id"].to_list() == ["a", "b"]
    assert capture.counters["decode"]["arp"] == 30
    assert repr(capture) == "Capture(30 transactions, 20 flows, 2 alerts)"


def test_tables_are_arrow_streams(pipeline):
    pipeline(two_batches(ALERTS))
    capture = sensor.read(["x.pcap"])
    for table in (capture.transactions, capture.flows, capture.alerts):
        assert hasattr(table, "__arrow_c_stream__")


def test_an_empty_capture_has_all_columns(pipeline):
    pipeline([NO_BATCH])
    capture = sensor.read("x.pcap")
    assert capture.transactions.columns == [column.name for column in TRANSACTION_COLUMNS]
    assert capture.flows.columns == [column.name for column in FLOW_COLUMNS]
    assert len(capture.transactions) == len(capture.flows) == len(capture.alerts) == 0


def test_faults_are_kept_beside_what_was_read(pipeline):
    fault = InputError("x.pcap", "cut", 5)
    pipeline(two_batches(ALERTS), [fault])
    assert sensor.read("x.pcap").faults == [fault]


def test_an_input_of_which_nothing_could_be_read_raises(pipeline):
    pipeline([NO_BATCH], [InputError("x.pcap", "no such file")])
    with pytest.raises(InputError, match=r"x\.pcap: no such file"):
        sensor.read("x.pcap")
