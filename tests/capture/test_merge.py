"""Several inputs: one order of packet time, few files open, ties as the user named them."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.capture import merge
from sensor.capture.inputs import Inputs
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from tests.capture.build import NS, Reading, frame, pcap, pcapng, write
from tests.oracles.capture_reader import merged

seconds = st.lists(st.sampled_from([0, 1, 2, 3, 2.5, 4000, 4001, 8000, 10**9]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(seconds, min_size=2, max_size=5), st.sampled_from([1, 2, 5, 8192]))
def test_order_is_that_of_the_twin(times, batch_frames):
    inputs = [[frame(each, bytes([name, i])) for i, each in enumerate(one)] for name, one in enumerate(times)]
    with tempfile.TemporaryDirectory() as folder:
        names = [write(Path(folder, str(name)), pcap(frames)) for name, frames in enumerate(inputs)]
        reading = Reading(*names, batch_frames=batch_frames)
    order = merged([[each.ts for each in frames] for frames in inputs], time.time_ns() + 86_400 * NS)
    assert [tuple(each.bytes) for each in reading.frames] == order
    assert reading.counts["frames"] == len(order)
    assert reading.counts["inputs"] == len(inputs)
    assert reading.faults == []


def test_ties_come_in_the_order_of_the_names(tmp_path):
    one = write(tmp_path / "one", pcap([frame(0, b"1"), frame(1, b"1"), frame(1, b"1")]))
    two = write(tmp_path / "two", pcapng([frame(0, b"2"), frame(1, b"2")]))
    assert [each.bytes for each in Reading(one, two).frames] == [b"1", b"2", b"1", b"1", b"2"]
    assert [each.bytes for each in Reading(two, one).frames] == [b"2", b"1", b"2", b"1", b"1"]


def test_more_frames_than_a_slot_holds(tmp_path):
    frames = [frame(i / 1000, i.to_bytes(4, "big") * 50) for i in range(30_000)]
    names = [write(tmp_path / str(i), pcap(frames[i::3])) for i in range(3)]
    reading = Reading(*names)
    assert reading.frames == frames
    assert reading.stage.bytes_read == reading.stage.bytes_total


def test_a_set_of_1000_rotated_files_takes_few_slots(tmp_path, monkeypatch):
    frames = [frame(i, i.to_bytes(4, "big")) for i in range(3000)]
    for i in range(500):  # two interfaces, each with its set of files
        write(tmp_path / f"eth0.{i:03}", pcap(frames[6 * i : 6 * i + 6 : 2]))
        write(tmp_path / f"eth1.{i:03}", pcap(frames[6 * i + 1 : 6 * i + 6 : 2]))
    most = 0
    advance = merge.Merge._advance

    def watched(self, slot):
        nonlocal most
        most = max(most, len(self._active))
        advance(self, slot)

    monkeypatch.setattr(merge.Merge, "_advance", watched)
    reading = Reading(tmp_path)
    assert reading.frames == frames
    assert most == 2


def test_files_are_closed(tmp_path):
    names = [write(tmp_path / str(i), pcap([frame(0)])) for i in range(20)]
    before = len(os.listdir("/proc/self/fd"))
    Reading(*names, tmp_path / "missing")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_run_broken_off_closes_its_files(tmp_path):
    names = [str(write(tmp_path / str(i), pcap([frame(0)] * 10))) for i in range(20)]
    before = len(os.listdir("/proc/self/fd"))

    blocks = CaptureStage(CaptureSettings(batch_frames=1), names).blocks()
    next(blocks)
    assert len(os.listdir("/proc/self/fd")) > before
    blocks.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_too_many_at_once_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "INPUTS_OPEN_MAX", 3)
    names = [write(tmp_path / str(i), pcap([frame(0, bytes([i])), frame(1, bytes([i]))])) for i in range(5)]
    reading = Reading(*names)
    assert [each.bytes[0] for each in reading.frames] == [0, 1, 2, 0, 1, 2]
    assert [fault.source for fault in reading.faults] == [str(names[3]), str(names[4])]
    assert "overlaps in time with 3 other inputs" in reading.faults[0].problem


def anonymous_kib() -> int:
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text()).group(1))


def test_memory_of_unused_slots_is_not_resident(tmp_path):
    names = [str(write(tmp_path / str(i), pcap([frame(10 * i)]))) for i in range(600)]
    before = anonymous_kib()
    blocks = CaptureStage(CaptureSettings(), names).blocks()
    assert max(anonymous_kib() for _ in blocks) - before < 30_000  # of 256 MiB


def test_a_quarantined_frame_holds_nothing_back(tmp_path):
    one = write(tmp_path / "one", pcap([frame(0, b"a"), frame(9000, b"insane"), frame(1, b"b"), frame(5, b"c")]))
    two = write(tmp_path / "two", pcap([frame(0.5, b"d"), frame(4, b"e")]))
    reading = Reading(one, two)
    assert [each.bytes for each in reading.frames] == [b"a", b"insane", b"d", b"b", b"e", b"c"]
    assert reading.flags == [0, 1, 0, 0, 0, 0]


def test_fault_of_one_input_leaves_the_others_whole(tmp_path):
    whole = [frame(i, b"whole") for i in range(10)]
    names = [write(tmp_path / "whole", pcap(whole)), write(tmp_path / "cut", pcap([frame(3.5), frame(4)])[:-1])]
    reading = Reading(*names)
    assert reading.frames == [*whole[:4], frame(3.5), *whole[4:]]
    assert [fault.source for fault in reading.faults] == [str(names[1])]


def test_file_that_vanishes_between_look_and_reading(tmp_path, monkeypatch):
    names = [write(tmp_path / str(i), pcap([frame(i)])) for i in range(2)]
    begins = Inputs.begins

    def look(self, each, table):
        start = begins(self, each, table)
        if each.order == 1:
            os.unlink(each.name)
        return start

    monkeypatch.setattr(Inputs, "begins", look)
    reading = Reading(*names)
    assert reading.frames == [frame(0)]
    assert [fault.source for fault in reading.faults] == [str(names[1])]
