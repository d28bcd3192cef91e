"""How long packets gather: never too many of them, never too long."""

from __future__ import annotations

import pytest

from sensor.capture.gather import Gather

SECONDS, BLOCKS, ROWS = 0.075, 128, 8_192
EIGHT_BLOCKS = BLOCKS // 16


def rest_after(blocks: int, rows: int, span: float) -> float:
    gather = Gather(SECONDS, BLOCKS, ROWS)
    gather.took(100.0, blocks, rows, span)
    return gather.left(100.0)


def test_nothing_was_seen_yet_so_the_first_packet_is_taken_at_once() -> None:
    assert Gather(SECONDS, BLOCKS, ROWS).left(100.0) == 0


def test_quiet_traffic_gathers_for_the_whole_time() -> None:
    assert rest_after(1, 1, 0.0) == pytest.approx(SECONDS)
    assert rest_after(3, 100, 0.075) == pytest.approx(SECONDS)


def test_no_more_than_a_batch_gathers() -> None:
    assert rest_after(4, 4_096, 0.02) == pytest.approx(0.04)  # 8,192 come in 40 ms


def test_no_more_than_a_sixteenth_of_the_ring_gathers() -> None:
    assert rest_after(2 * EIGHT_BLOCKS, 1_000, 0.1) == pytest.approx(0.05)


def test_work_on_the_packets_before_is_part_of_the_time() -> None:
    gather = Gather(SECONDS, BLOCKS, ROWS)
    gather.took(100.0, 1, 100, 0.05)
    assert gather.left(100.05) == pytest.approx(0.025)
    assert gather.left(100.08) == 0  # behind already: the next look is at once
