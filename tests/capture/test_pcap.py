"""pcap: every layout of the file header, and every way a file can be wrong."""

from __future__ import annotations

import struct

import pytest

from tests.capture.build import NS, START, Reading, frame, pcap, write

FRAMES = [frame(0, b"one"), frame(0.25, b""), frame(1.000001, b"three" * 100, wirelen=1500)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [{}, {"nano": True}, {"modified": True}], ids=["micro", "nano", "modified"])
def test_every_layout_gives_the_same_frames(tmp_path, order, kind):
    reading = Reading(write(tmp_path / "x", pcap(FRAMES, order, **kind)))
    assert reading.frames == FRAMES
    assert reading.faults == []


def test_nanoseconds_are_kept(tmp_path):
    odd = frame()._replace(ts=START + 123_456_789)
    assert Reading(write(tmp_path / "x", pcap([odd], nano=True))).frames == [odd]


def test_seconds_are_unsigned(tmp_path):
    late = frame()._replace(ts=0xF0000000 * NS)
    assert Reading(write(tmp_path / "x", pcap([late]))).frames == [late]


def test_link_type_without_the_frame_check_sequence_bits(tmp_path):
    reading = Reading(write(tmp_path / "x", pcap([frame(link=276)], link=0x54000000 | 276)))
    assert reading.frames == [frame(link=276)]


def test_snap_length_cuts_are_counted(tmp_path):
    reading = Reading(write(tmp_path / "x", pcap(FRAMES)))
    assert reading.counts["cut_frames"] == 1
    assert reading.counts["captured_bytes"] == 503
    assert reading.counts["wire_bytes"] == 1503


def test_wire_length_is_never_below_what_was_captured(tmp_path):
    assert Reading(write(tmp_path / "x", pcap([frame(wirelen=2)]))).frames == [frame()]


def test_header_without_packets_is_a_capture(tmp_path):
    reading = Reading(write(tmp_path / "x", pcap([])))
    assert (reading.frames, reading.faults, reading.counts["inputs"]) == ([], [], 1)


def test_cut_last_record_names_its_offset(tmp_path):
    whole = pcap(FRAMES)
    for cut in range(1, 500):
        reading = Reading(write(tmp_path / "x", whole[:-cut]))
        assert reading.frames == FRAMES[:2]
        [fault] = reading.faults
        assert fault.source == str(tmp_path / "x")
        assert fault.offset == len(pcap(FRAMES[:2]))
        assert "cut off" in str(fault)


def test_impossible_length_ends_the_file_there(tmp_path):
    bad = struct.pack("<4I", START // NS, 0, 262_145, 262_145)
    reading = Reading(write(tmp_path / "x", pcap(FRAMES) + bad + bytes(300_000)))
    assert reading.frames == FRAMES
    [fault] = reading.faults
    assert fault.offset == len(pcap(FRAMES))
    assert "262145" in fault.problem


def test_longest_frame_is_read(tmp_path):
    longest = [frame(i, bytes([i]) * 262_144) for i in range(40)]
    assert Reading(write(tmp_path / "x", pcap(longest))).frames == longest


@pytest.mark.parametrize("size", range(4, 24))
def test_cut_file_header(tmp_path, size):
    [fault] = Reading(write(tmp_path / "x", pcap(FRAMES)[:size])).faults
    assert "file header is cut" in fault.problem
