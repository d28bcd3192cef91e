"""The ring of recent packets: what is kept is what came, the oldest gives way, and the budget holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.evidence.ring import PacketRing
from sensor.schema import FRAME


def block(sizes: list[int], first_ts: int, gap: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Frames of these sizes, one behind the other, one nanosecond apart; each is filled with its time."""
    frames = np.zeros(len(sizes), FRAME)
    data = np.zeros(sum(sizes) + gap * len(sizes) + 1, np.uint8)
    at = 0
    for row, size in enumerate(sizes):
        at += gap
        frames[row]["offset"], frames[row]["caplen"], frames[row]["ts"] = at, size, first_ts + row
        data[at : at + size] = (first_ts + row) % 251
        at += size
    return data, frames


def held(ring: PacketRing, first: int = 0, last: int = 1 << 60) -> list[int]:
    """Times of the frames that are there, whose bytes are found to be theirs."""
    times = []
    for frames in ring.between(first, last):
        for frame in frames:
            content = ring.data[frame["offset"] : frame["offset"] + frame["caplen"]]
            assert (content == frame["ts"] % 251).all()
            times.append(int(frame["ts"]))
    return times


@given(st.lists(st.lists(st.integers(0, 300), max_size=20), max_size=40))
def test_the_newest_packets_are_there_and_whole(blocks: list[list[int]]) -> None:
    ring = PacketRing(20_000)
    came, now = [], 1
    for sizes in blocks:
        ring.keep(*block(sizes, now))
        came += range(now, now + len(sizes))
        now += len(sizes)
    there = held(ring)
    assert there == came[len(came) - len(there) :]
    assert ring.gone_until == (came[len(came) - len(there) - 1] if len(there) < len(came) else 0)
    if sum(map(len, blocks)) * 316 < 15_000 and sum(map(len, blocks)) < 90:
        assert there == came


def test_packets_of_several_inputs_lie_apart() -> None:
    data, frames = block([100, 100, 100, 100], 1)
    far = np.zeros(1 << 20, np.uint8)
    far[: len(data)] = data
    moved = frames.copy()
    for row, place in ((1, 900_000), (3, 950_000)):
        far[place : place + 100] = data[frames[row]["offset"] :][:100]
        moved[row]["offset"] = place
    ring = PacketRing(1 << 18)
    ring.keep(far, moved)
    assert sorted(held(ring)) == [1, 2, 3, 4]


def test_a_span_of_time_is_what_it_says() -> None:
    ring = PacketRing(1 << 20)
    ring.keep(*block([10] * 10, 100))
    ring.keep(*block([10] * 10, 110))
    assert held(ring, 105, 112) == list(range(105, 113))


def test_a_ring_on_disk_leaves_no_file(tmp_path: Path) -> None:
    ring = PacketRing(1 << 16, tmp_path)
    ring.keep(*block([50, 60], 5))
    assert held(ring) == [5, 6]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [30_000, 100_000])
def test_what_is_larger_than_the_ring_is_not_kept(size: int) -> None:
    ring = PacketRing(20_000)
    ring.keep(*block([10], 1))
    ring.keep(*block([size], 2))
    assert held(ring) == [1]
