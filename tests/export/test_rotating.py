"""Outputs whose files change with time and size: no row is lost, and nothing that was there is written over."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sensor.config import OutputSettings
from sensor.errors import OutputError
from sensor.export.alerts import AlertWriter, open_alert_writer
from sensor.export.rotating import Rotating
from tests.export.test_alerts import an_alert

DAY = 86_400 * 10**9
NOON = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * 10**9


def rotating(path: Path, keeps: bool = True, **settings: float) -> Rotating[AlertWriter]:
    return Rotating(str(path), open_alert_writer, OutputSettings(**settings), keeps)  # type: ignore[arg-type]


def put(output: Rotating[AlertWriter], name: str, now: int = NOON) -> None:
    output.at(now).write([an_alert(name, 1)])


def names(path: Path) -> list[str]:
    """alert_id of each line."""
    return [line.split('"alert_id":"')[1].split('"')[0] for line in path.read_text().splitlines()]


def test_a_file_a_day(tmp_path: Path) -> None:
    output = rotating(tmp_path / "a-%Y%m%d.jsonl")
    for number in range(4):
        put(output, str(number), NOON + number * DAY // 2)
    output.close()
    assert {path.name: names(path) for path in tmp_path.iterdir()} == {
        "a-20261121.jsonl": ["0"], "a-20261122.jsonl": ["1", "2"], "a-20261123.jsonl": ["3"],
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_by_packet_time(tmp_path: Path, ending: str) -> None:
    output = rotating(tmp_path / f"a.{ending}", rotate_seconds=60)
    for second in (0, 59, 60, 100, 130):
        put(output, str(second), NOON + second * 10**9)
    output.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"a.1.{ending}", f"a.2.{ending}", f"a.{ending}"]
    if ending == "parquet":
        assert pl.read_parquet(tmp_path / "a.1.parquet")["alert_id"].to_list() == ["0", "59"]
    else:
        assert [names(tmp_path / name) for name in files] == [["0", "59"], ["60", "100"], ["130"]]


def test_other_limits_are_kept_from_the_next_rows_on(tmp_path: Path) -> None:
    output = rotating(tmp_path / "a.jsonl")
    put(output, "0")
    put(output, "1", NOON + DAY)
    output.settings = OutputSettings(rotate_seconds=60)
    put(output, "2", NOON + DAY)
    output.close()
    assert (names(tmp_path / "a.1.jsonl"), names(tmp_path / "a.jsonl")) == (["0", "1"], ["2"])


def test_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    (tmp_path / "other.1.jsonl").write_text("not ours\n")
    output = rotating(tmp_path / "a.jsonl", rotate_bytes=1, files_kept=2)
    for number in range(6):
        put(output, str(number))
    output.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.4.jsonl", "a.5.jsonl", "a.jsonl", "other.1.jsonl"]
    assert names(tmp_path / "a.jsonl") == ["5"]


def test_a_file_that_others_have_renamed_is_left_to_them_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    output = rotating(path)
    put(output, "0")
    output.reopen()
    put(output, "1")  # nothing was renamed: it goes on
    path.rename(tmp_path / "a.jsonl.old")
    put(output, "2")
    output.reopen()
    put(output, "3")
    output.close()
    assert names(tmp_path / "a.jsonl.old") == ["0", "1", "2"]
    assert names(path) == ["3"]


def test_a_run_does_not_write_over_the_one_before(tmp_path: Path) -> None:
    for ending in ("jsonl", "parquet"):
        path = tmp_path / f"a.{ending}"
        for number in range(2):
            output = rotating(path)
            put(output, str(number))
            output.close()
    assert names(tmp_path / "a.jsonl") == ["0", "1"]
    assert pl.read_parquet(tmp_path / "a.1.parquet")["alert_id"].to_list() == ["0"]
    assert pl.read_parquet(tmp_path / "a.parquet")["alert_id"].to_list() == ["1"]


def test_a_line_that_was_cut_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"half":')
    output = rotating(path)
    put(output, "1")
    output.close()
    assert path.read_text().splitlines()[0] == '{"half":'
    assert path.read_text().count("\n") == 2


def test_captures_that_are_read_give_new_files(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old\n")
    output = rotating(path, keeps=False)
    put(output, "1")
    output.close()
    assert names(path) == ["1"]


def test_wrong_names_are_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="%q is none of"):
        rotating(tmp_path / "a-%q.jsonl")
    with pytest.raises(OutputError, match="no such folder"):
        rotating(tmp_path / "none" / "a-%Y.jsonl")
    with pytest.raises(OutputError, match="ending"):
        rotating(tmp_path / "a-%Y.txt")
