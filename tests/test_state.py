"""The state folder: one private file, replaced as a whole; whatever it is that lies there, it is never written over."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.errors import StateError
from sensor.state import FORMAT, FORMAT_VERSION, Manifest, StateFolder

NUMBERS = {"numbers": np.arange(5), "records": np.zeros(3, [("bytes", "i8"), ("name", "u8")])}


def saved(path: Path, **changed: object) -> Path:
    """A state folder with two sections; returns its file."""
    folder = StateFolder(str(path))
    manifest = Manifest(**{"format": FORMAT, "format_version": FORMAT_VERSION, "now": 77} | changed)  # type: ignore[arg-type]
    folder.save(manifest, {"detection.one": NUMBERS, "alerting": {"open": np.zeros(2, np.uint8)}})
    folder.close()
    return folder.file


def test_what_is_saved_is_found_again(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = StateFolder(str(tmp_path))
    assert folder.manifest is not None
    assert folder.manifest.now == 77
    section = folder.section("detection.one")
    assert sorted(section) == ["numbers", "records"]
    assert section["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert section["records"].dtype == NUMBERS["records"].dtype
    assert len(folder.section("detection.other")) == 0


def test_records_are_aligned_as_kernels_know_them(tmp_path: Path) -> None:
    records = np.ones(3, np.dtype([("count", "u1"), ("bytes", "i8"), ("name", "u4")], align=True))
    folder = StateFolder(str(tmp_path))
    folder.save(Manifest(format=FORMAT, format_version=FORMAT_VERSION), {"one": {"records": records}})
    folder.close()
    found = StateFolder(str(tmp_path)).section("one")["records"]
    assert found.dtype.isalignedstruct
    assert found.tolist() == records.tolist()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = saved(tmp_path / "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_section_that_nobody_claims_is_carried_over(tmp_path: Path) -> None:
    """A detector that is switched off for a while has not forgotten all."""
    saved(tmp_path)
    folder = StateFolder(str(tmp_path))
    folder.save(Manifest(format=FORMAT, format_version=FORMAT_VERSION), {"alerting": {}})
    folder.close()
    assert StateFolder(str(tmp_path)).section("detection.one")["numbers"].tolist() == [0, 1, 2, 3, 4]


def test_names_of_arrays_may_have_parts(tmp_path: Path) -> None:
    """What a section claims is not carried over beside it."""
    arrays = {"stack-trace/cases": np.arange(3)}
    for _ in range(2):
        folder = StateFolder(str(tmp_path))
        folder.save(Manifest(format=FORMAT, format_version=FORMAT_VERSION), {"detection.one": arrays})
        folder.close()
    with zipfile.ZipFile(tmp_path / "tapir.state") as archive:
        assert archive.namelist() == ["manifest.json", "detection.one/stack-trace/cases.npy"]


def damaged(file: Path, damage: str) -> bytes:
    """What is left of a whole state; it is what lies in the file."""
    whole = file.read_bytes()
    if damage == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("manifest.json", json.dumps({"format": "photographs", "format_version": 1}))
    else:
        middle = whole.index(b"NUMPY") + 130
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        made = {"cut": whole[:-100], "flipped": flipped, "other": b"#!/bin/sh\n", "empty": b""}
        file.write_bytes(made[damage])
    return file.read_bytes()


DAMAGES = pytest.mark.parametrize("damage", ["cut", "flipped", "other", "empty", "zip"])


@DAMAGES
def test_a_damaged_or_foreign_file_is_one_error_and_stays(damage: str, tmp_path: Path) -> None:
    file = saved(tmp_path)
    left = damaged(file, damage)
    with pytest.raises(StateError, match=r"tapir\.state: not a whole state of a sensor .*left as it is"):
        StateFolder(str(tmp_path))
    assert file.read_bytes() == left


@DAMAGES
def test_where_nobody_watches_a_damaged_file_is_moved_aside(damage: str, tmp_path: Path) -> None:
    file = saved(tmp_path)
    left = damaged(file, damage)
    folder = StateFolder(str(tmp_path), unattended=True)
    assert folder.manifest is None
    assert folder.sections() == set()
    assert "not a whole state" in folder.aside
    assert file.with_name("tapir.state.damaged").read_bytes() == left
    folder.save(Manifest(format=FORMAT, format_version=FORMAT_VERSION), {})
    folder.close()
    assert StateFolder(str(tmp_path)).manifest is not None


@given(st.data())
def test_whatever_became_of_the_bytes_there_is_one_error_or_none(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as made:
        file = saved(Path(made))
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(content)
        folder = StateFolder(made, unattended=True)
        assert bool(folder.aside) == (folder.manifest is None)
        folder.close()


def test_a_file_of_a_newer_format_says_so(tmp_path: Path) -> None:
    saved(tmp_path, format_version=FORMAT_VERSION + 1, sensor_version="9.9")
    with pytest.raises(StateError, match=r"of a newer sensor \(9\.9\)"):
        StateFolder(str(tmp_path))


def test_one_sensor_at_a_time(tmp_path: Path) -> None:
    first = StateFolder(str(tmp_path))
    with pytest.raises(StateError, match="another sensor uses this state folder"):
        StateFolder(str(tmp_path))
    first.close()
    StateFolder(str(tmp_path)).close()


def test_the_old_file_stays_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    file = saved(tmp_path)
    whole = file.read_bytes()
    folder = StateFolder(str(tmp_path))
    (tmp_path / f".tapir.state.{os.getpid()}").mkdir()  # in the way of the file that is made first
    with pytest.raises(StateError, match="the old one is kept"):
        folder.save(Manifest(format=FORMAT, format_version=FORMAT_VERSION), {})
    assert file.read_bytes() == whole
