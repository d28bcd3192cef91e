"""Files, folders, and whatever else a user may name."""

from __future__ import annotations

import errno
import gzip
import io
import os

import pytest

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from tests.capture.build import Reading, frame, pcap, pcapng, write


@pytest.fixture
def unprivileged():
    """Permissions do not hold root back: be nobody for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_folder_stands_for_the_captures_below_it(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    write(tmp_path / "deep" / "deeper" / "a.txt", pcap([frame(2)]))
    write(tmp_path / "deep" / "b", pcapng([frame(1)]))
    write(tmp_path / "c.gz", gzip.compress(pcap([frame(0)])))
    write(tmp_path / "access.log.gz", gzip.compress(b'{"status": 200}'))
    write(tmp_path / "README.md", b"no capture")
    write(tmp_path / "empty", b"")
    reading = Reading(tmp_path)
    assert reading.frames == [frame(0), frame(1), frame(2)]
    assert reading.faults == []
    assert (reading.counts["inputs"], reading.counts["files_skipped"]) == (3, 3)
    assert reading.stage.bytes_read == reading.stage.bytes_total


def test_no_capture_named_directly_is_a_fault(tmp_path):
    names = [write(tmp_path / "notes", b"no capture"), write(tmp_path / "empty", b""), tmp_path / "missing"]
    capture = write(tmp_path / "x", pcap([frame()]))
    reading = Reading(*names, capture)
    assert reading.frames == [frame()]
    assert [str(fault).removeprefix(f"{tmp_path}/") for fault in reading.faults] == [
        "notes at offset 0: is not a capture: pcap or pcapng expected, it begins with 6e 6f 20 63",
        "empty at offset 0: is empty",
        "missing: cannot be opened: No such file or directory",
    ]


@pytest.mark.parametrize("content", [b"no capture", b"", b"\xd4\xc3\xb2"])
def test_a_single_file_that_is_no_capture(tmp_path, content):
    reading = Reading(write(tmp_path / "x", content))
    assert (reading.frames, len(reading.faults)) == ([], 1)


def test_file_in_a_folder_that_was_named_too_is_read_once(tmp_path):
    path = write(tmp_path / "a", pcap([frame()]))
    (tmp_path / "link").symlink_to(path)
    assert Reading(path, tmp_path).frames == [frame()]


def test_file_named_twice_is_read_twice(tmp_path):
    path = write(tmp_path / "a", pcap([frame()]))
    assert Reading(path, path).frames == [frame(), frame()]


def test_empty_folder_and_nothing_at_all(tmp_path):
    for names in ([tmp_path], []):
        reading = Reading(*names)
        assert (reading.frames, reading.faults) == ([], [])


def test_unreadable_file(tmp_path, unprivileged):
    [fault] = Reading("/proc/1/mem").faults
    assert str(fault) == "/proc/1/mem: cannot be opened: Permission denied"


def test_unreadable_folder(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    write(closed / "x", pcap([frame()]))
    write(tmp_path / "y", pcap([frame(1)]))
    for folder in [tmp_path, *tmp_path.parents[:-2]]:
        folder.chmod(0o755)
    closed.chmod(0)
    os.seteuid(65534 if os.geteuid() == 0 else os.geteuid())
    try:
        reading = Reading(tmp_path)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        closed.chmod(0o700)
    assert reading.frames == [frame(1)]
    assert [str(fault) for fault in reading.faults] == [f"{closed}: the folder cannot be listed: Permission denied"]


def test_device_is_read_as_a_stream():
    assert "is empty" in Reading("/dev/null").faults[0].problem
    assert "is not a capture" in Reading("/dev/zero").faults[0].problem


def test_fifo_in_a_folder_is_left_alone(tmp_path):
    """Opening it would wait for ever."""
    os.mkfifo(tmp_path / "fifo")
    write(tmp_path / "x", pcap([frame()]))
    assert Reading(tmp_path).frames == [frame()]


def test_read_error_keeps_what_was_read(tmp_path, monkeypatch):
    path = write(tmp_path / "x", pcap([frame(i) for i in range(10)]))

    class BadDisk(io.FileIO):
        def readinto(self, view):
            if self.tell() >= 100:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().readinto(view[: 100 - self.tell()])

    monkeypatch.setattr("sensor.capture.sources.file.io.FileIO", BadDisk)
    reading = Reading(path)
    assert reading.frames == [frame(i) for i in range(3)]
    assert [str(fault) for fault in reading.faults] == [f"{path} at offset 100: cannot be read on: Input/output error"]


def test_file_that_grows_while_it_is_read(tmp_path):
    """It ends where it ended when its end was reached; the total is never below what was read."""
    path = write(tmp_path / "x", pcap([frame(0)]))
    stage = CaptureStage(CaptureSettings(), [str(path)])
    with path.open("ab") as file:
        file.write(pcap([frame(1)])[24:])
    assert sum(len(block.frames) for block in stage.blocks()) == 2
    assert stage.bytes_total == stage.bytes_read == len(pcap([frame(0), frame(1)]))
