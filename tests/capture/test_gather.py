"""How long packets gather: never too long, and no more of them than the ring has room for."""

from __future__ import annotations

import time
from collections.abc import Callable

from sensor.capture.gather import Gather, until_full

BLOCKS = 128
SHARE = BLOCKS // 4


def filling(*blocks: int) -> tuple[Callable[[], int], list[float]]:
    """A ring in which so many blocks wait whenever it is looked at, the last number for ever; when that was."""
    left, looks = list(blocks), []

    def waiting() -> int:
        looks.append(time.monotonic())
        return left.pop(0) if len(left) > 1 else left[0]

    return waiting, looks


def test_nothing_was_taken_yet_so_the_first_packet_is_taken_at_once() -> None:
    waiting, looks = filling(0)
    Gather(3_600, BLOCKS).rest(waiting)
    assert looks == []


def test_packets_gather_until_their_time_is_over() -> None:
    gather = Gather(0.05, BLOCKS)
    waiting, looks = filling(1)
    gather.took()
    began = time.monotonic()
    assert gather.rest(waiting) == 1
    assert time.monotonic() - began >= 0.04
    assert len(looks) > 1


def test_work_on_the_packets_before_is_part_of_the_time() -> None:
    gather = Gather(0.02, BLOCKS)
    waiting, looks = filling(0)
    gather.took()
    over = time.monotonic() + 0.02
    while time.monotonic() < over:
        pass  # the work
    assert gather.rest(waiting) == 0
    assert looks == []


def test_once_its_share_of_the_ring_is_full_the_time_does_not_matter() -> None:
    gather = Gather(3_600, BLOCKS)
    waiting, looks = filling(0, 1, SHARE - 1, 2 * SHARE)
    gather.took()
    assert gather.rest(waiting) == SHARE
    assert len(looks) == 5


def test_the_faster_the_ring_fills_the_sooner_it_is_looked_at_again() -> None:
    assert until_full(SHARE, 0.1) == 0.02
    assert until_full(SHARE, 0.0005) == SHARE * 0.0005
    assert until_full(1, 0.0) == 0.001


def test_a_ring_of_few_blocks_has_a_share_too() -> None:
    gather = Gather(3_600, 2)
    waiting, looks = filling(0, 1)
    gather.took()
    gather.rest(waiting)
    assert len(looks) == 3
