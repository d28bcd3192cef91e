"""pcapng: sections, interfaces, packet blocks, and everything that is skipped."""

from __future__ import annotations

import struct

import pytest

from tests.capture.build import (
    NS,
    START,
    Reading,
    block,
    enhanced,
    frame,
    interface,
    obsolete,
    option,
    pcapng,
    section,
    simple,
    write,
)
from tests.oracles.capture_reader import read_pcapng

FRAMES = [frame(0, b"one"), frame(0.25, b""), frame(1.000001, b"three" * 100)]
MICRO = START // 1000


def read(tmp_path, *blocks):
    return Reading(write(tmp_path / "x", b"".join(blocks)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order(tmp_path, order):
    reading = read(tmp_path, pcapng(FRAMES, order))
    assert (reading.frames, reading.faults) == (FRAMES, [])


def test_sections_of_different_byte_order_follow_one_another(tmp_path):
    reading = read(tmp_path, pcapng(FRAMES, "<"), pcapng(FRAMES, ">"), pcapng(FRAMES, "<"))
    assert (reading.frames, reading.faults) == (FRAMES * 3, [])


def test_interfaces_end_with_their_section(tmp_path):
    reading = read(tmp_path, pcapng(FRAMES), section(), enhanced(MICRO, b"x"))
    assert reading.frames == FRAMES
    assert reading.faults[0].offset == len(pcapng(FRAMES)) + len(section())
    assert "interface 0" in reading.faults[0].problem


def test_each_interface_has_its_link_type(tmp_path):
    reading = read(tmp_path, section(), interface(link=1), interface(link=113), enhanced(MICRO, b"a", number=1),
                   interface(link=101), enhanced(MICRO, b"b", number=2), enhanced(MICRO, b"c"))
    assert [each.link for each in reading.frames] == [113, 101, 1]


@pytest.mark.parametrize(
    ("resolution", "ticks", "ns"),
    [
        (None, MICRO, START),
        (0, 1_700_000_000, START),
        (3, 1_700_000_000_123, START + 123_000_000),
        (6, MICRO + 1, START + 1000),
        (9, START + 1, START + 1),
        (12, 1_700_000_000_123_456, 1_700_000_000_123),
        (0x80, 1_700_000_000, START),
        (0x80 | 20, (1_700_000_000 << 20) | (1 << 19), START + NS // 2),
        (0x80 | 32, (1_700_000_000 << 32) | 1, START),
        (9, 2**64 - 1, 5_000_000_000 * NS),
    ],
)
def test_time_resolution(tmp_path, resolution, ticks, ns):
    for order in "<>":
        reading = read(tmp_path, section(order), interface(order, resolution=resolution), enhanced(ticks, b"x", order))
        assert [each.ts for each in reading.frames] == [ns]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_time_offset_of_an_interface(tmp_path, seconds):
    for order in "<>":
        reading = read(tmp_path, section(order), interface(order, offset=seconds), enhanced(MICRO, b"x", order))
        assert [each.ts for each in reading.frames] == [START + seconds * NS]


@pytest.mark.parametrize("resolution", [19, 127, 0x80 | 63, 0xFF])
def test_impossible_time_resolution(tmp_path, resolution):
    [fault] = read(tmp_path, section(), interface(resolution=resolution), enhanced(0, b"x")).faults
    assert "interface 0 has an impossible time resolution" in fault.problem


def test_simple_packets_take_the_time_before_them(tmp_path):
    reading = read(tmp_path, section(), interface(snaplen=4), enhanced(MICRO, b"x"), simple(b"four", wirelen=60))
    assert reading.frames == [frame(0, b"x"), frame(0, b"four", 60)]


def test_obsolete_packet_block(tmp_path):
    for order in "<>":
        interfaces = interface(order) + interface(order, 113)
        reading = read(tmp_path, section(order), interfaces, obsolete(MICRO, b"x", order, 1))
        assert reading.frames == [frame(0, b"x", link=113)]


@pytest.mark.parametrize("size", [0, 100, 70_000, 9_000_000])
def test_other_blocks_are_skipped_at_any_length(tmp_path, size):
    reading = read(tmp_path, section(), block(4, bytes(size)), interface(), block(0xBAD, bytes(size)),
                   enhanced(MICRO, b"x"), block(10, bytes(size)), enhanced(MICRO, b"y"))
    assert (reading.frames, reading.faults) == ([frame(0, b"x"), frame(0, b"y")], [])


def test_long_block_skipped_while_a_frame_waits_for_its_verdict(tmp_path):
    first = frame(0, b"waits" * 1000)
    reading = read(tmp_path, section(), interface(), enhanced(MICRO, first.bytes), block(0xBAD, bytes(9_000_000)),
                   enhanced(MICRO, b"y"))
    assert (reading.frames, reading.faults) == ([first, frame(0, b"y")], [])


def test_unpadded_option_of_an_odd_length_does_not_derail(tmp_path):
    odd = block(1, struct.pack("<HHI", 1, 0, 0) + option(9, b"\x09") + struct.pack("<HH", 2, 60_000))
    assert read(tmp_path, section(), odd, enhanced(START, b"x")).frames == [frame(0, b"x")]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (struct.pack("<3I", 6, 8, 8), "impossible block length 8"),
        (struct.pack("<3I", 0xBAD, 13, 13) + bytes(20), "impossible block length 13"),
        (struct.pack("<2I", 6, 400_000) + bytes(399_992), "impossible block length 400000"),
        (struct.pack("<2I", 6, 16) + bytes(8), "impossible block length 16"),
        (enhanced(MICRO, b"x")[:-4] + bytes(4), "length at the block's end, 0,"),
        (block(6, struct.pack("<5I", 0, 0, 0, 100, 100)), "a packet of 100 bytes does not fit"),
        (block(6, struct.pack("<5I", 0, 0, 0, 300_000, 300_000)), "impossible packet length 300000"),
        (enhanced(MICRO, b"x", number=7), "captured on interface 7"),
        (section(version=2), "version 2"),
        (block(0x0A0D0D0A, b"nonsense" * 4), "not a section header"),
        (b"\0" * 8, "the last record is cut off: 8 bytes"),
        (enhanced(MICRO, b"x" * 50)[:-1], "the last record is cut off"),
        (block(0xBAD, bytes(5_000_000))[:-1], "the last block is cut off"),
    ],
)
def test_fault_is_named_with_its_offset(tmp_path, bad, problem):
    good = pcapng(FRAMES)
    reading = read(tmp_path, good, bad)
    assert reading.frames == FRAMES
    [fault] = reading.faults
    assert problem in fault.problem
    assert fault.offset == len(good) == read_pcapng(good + bad).fault


def test_too_many_interfaces(tmp_path):
    reading = read(tmp_path, section(), interface() * 4096, enhanced(MICRO, b"x", number=4095), interface())
    assert len(reading.frames) == 1
    assert "4097 interfaces" in reading.faults[0].problem
