"""What can be wrong with an output is said at once; files are private."""

import os
import stat

import polars as pl
import pytest

from sensor.errors import OutputError
from sensor.export import parquet
from sensor.export.columns import TRANSACTION_COLUMNS
from sensor.export.files import Output
from sensor.export.writers import NO_STREAMS, open_writer
from tests.export.rows import POOL, random_transactions


def write_in_parts(writer, rows, size):
    for start in range(0, len(rows), size):
        writer.write(rows[start : start + size], NO_STREAMS, POOL)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_files_are_private_and_valid_without_rows(tmp_path, ending):
    path = tmp_path / f"empty.{ending}"
    open_writer(str(path), "transactions", ordered=True).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if ending == "parquet":
        assert pl.read_parquet(path).shape == (0, len(TRANSACTION_COLUMNS))
    else:
        assert path.read_bytes() == b""


@pytest.mark.parametrize("name", ["out.csv", "out", ".jsonl"])
def test_an_unknown_ending_is_refused(name):
    with pytest.raises(OutputError, match=r"ending must be \.jsonl or \.parquet"):
        open_writer(name, "flows", ordered=True)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_folder_that_is_not_there_is_named(tmp_path, ending):
    with pytest.raises(OutputError, match=r"missing/out.*No such file"):
        open_writer(str(tmp_path / "missing" / f"out.{ending}"), "flows", ordered=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
def test_a_full_disk_is_told():
    output = Output("/dev/full")
    with pytest.raises(OutputError, match="/dev/full: No space left on device"):
        output.write(b"x")


def test_a_parquet_file_that_fails_midway_is_told_and_stops_nobody(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", fail)
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 100)
    writer = open_writer(str(tmp_path / "x.parquet"), "transactions", ordered=False)
    rows = random_transactions(1, 700)
    with pytest.raises(OutputError, match=r"x\.parquet: No space left"):
        write_in_parts(writer, rows, 100)
    with pytest.raises(OutputError):
        writer.close()


def test_row_groups_do_not_depend_on_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 100)
    rows = random_transactions(2, 730)
    for name, size in (("a", 730), ("b", 71)):
        writer = open_writer(str(tmp_path / f"{name}.parquet"), "transactions", ordered=True)
        write_in_parts(writer, rows, size)
        writer.close()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_line_longer_than_the_buffer_is_written(tmp_path, monkeypatch):
    from sensor.export import writers

    monkeypatch.setattr(writers, "_OUT_BYTES", 64)
    path = tmp_path / "t.jsonl"
    writer = open_writer(str(path), "transactions", ordered=True)
    writer.write(random_transactions(1, 100), NO_STREAMS, POOL)
    writer.close()
    small = path.read_bytes()
    monkeypatch.undo()
    writer = open_writer(str(path), "transactions", ordered=True)
    writer.write(random_transactions(1, 100), NO_STREAMS, POOL)
    writer.close()
    assert small == path.read_bytes()
