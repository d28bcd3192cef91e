"""A ring block's packets become rows; heads that make no sense are counted and never read beyond the block."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.capture.index_ring import Ring, index_ring
from sensor.schema import FRAME

PACKET = b"\x02" * 12 + b"\x08\x00" + bytes(46)


def head(step: int, payload: bytes, *, status: int = 1, vlan: int = 0, hardware: int = 1, kind: int = 0) -> bytes:
    """tpacket3_hdr and sockaddr_ll, and the packet behind them at byte 80."""
    packed = struct.pack("=7I", step, 1_700_000_000, 5, len(payload), len(payload) + 4, status, 80 | 94 << 16)
    packed += struct.pack("=IIHH8x", 0, vlan, 0x8100, 0)
    packed += struct.pack("=HHiHBB8s", 17, 0x0008, 3, hardware, kind, 6, bytes(8))
    return packed.ljust(80, b"\0") + payload


def block(*heads: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    data = np.frombuffer(bytes(48) + b"".join(heads), np.uint8).copy()
    ring = np.zeros(len(Ring), np.int64)
    ring[Ring.POSITION], ring[Ring.LEFT], ring[Ring.STOP] = 48, len(heads), len(data)
    return data, ring


def test_packets_become_rows() -> None:
    step = 80 + len(PACKET)
    data, ring = block(head(step, PACKET), head(0, PACKET, status=1 | 0x10, vlan=0x2064))
    frames = np.zeros(8, FRAME)
    assert index_ring(data, ring, frames) == 2
    assert frames["offset"][:2].tolist() == [128, 128 + step]
    assert frames["ts"][0] == 1_700_000_000_000_000_005
    assert (frames["caplen"][0], frames["wirelen"][0]) == (60, 64)
    assert frames["vlan"][:2].tolist() == [0, 100]
    assert ring[Ring.LEFT] == 0


def test_a_full_table_is_resumed() -> None:
    step = 80 + len(PACKET)
    data, ring = block(*[head(step, PACKET)] * 5)
    frames = np.zeros(2, FRAME)
    assert [index_ring(data, ring, frames) for _ in range(3)] == [2, 2, 1]
    assert ring[Ring.LEFT] == 0


def test_the_loopback_device_shows_a_packet_twice() -> None:
    step = 80 + len(PACKET)
    data, ring = block(head(step, PACKET, hardware=772, kind=4), head(0, PACKET, hardware=772))
    frames = np.zeros(8, FRAME)
    assert index_ring(data, ring, frames) == 1
    assert ring[Ring.OUTGOING] == 1


@pytest.mark.parametrize(
    ("hardware", "link"),
    [(1, 1), (65534, 101), (778, 101), (823, 101), (519, 101), (801, 105), (803, 127)],
    ids=["Ethernet", "tun", "GRE", "GRE over IPv6", "cellular", "WLAN", "WLAN with radiotap"],
)
def test_devices_have_link_headers_of_their_own(hardware: int, link: int) -> None:
    data, ring = block(head(0, PACKET, hardware=hardware))
    frames = np.zeros(8, FRAME)
    index_ring(data, ring, frames)
    assert frames["link"][0] == link


@given(st.binary(min_size=0, max_size=400), st.integers(0, 50))
def test_random_blocks_never_lead_outside(content: bytes, packets: int) -> None:
    data, ring = block(content)
    ring[Ring.LEFT] = packets
    frames = np.zeros(64, FRAME)
    rows = index_ring(data, ring, frames)
    assert ring[Ring.LEFT] == 0
    ends = frames["offset"][:rows] + frames["caplen"][:rows]
    assert (ends <= len(data)).all()
