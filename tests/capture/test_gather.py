"""How long packets gather: never too long, and no more of them than the ring has room for."""

from __future__ import annotations

import time
from itertools import count

from sensor.capture.gather import Gather


def test_nothing_was_taken_yet_so_the_first_packet_is_taken_at_once() -> None:
    looks = count()
    Gather(3_600).rest(lambda: next(looks) > 0)
    assert next(looks) == 0  # it did not even look


def test_packets_gather_until_their_time_is_over() -> None:
    gather = Gather(0.05)
    gather.took()
    began = time.monotonic()
    gather.rest(lambda: False)
    assert time.monotonic() - began >= 0.04


def test_work_on_the_packets_before_is_part_of_the_time() -> None:
    gather, looks = Gather(0.02), count()
    gather.took()
    over = time.monotonic() + 0.02
    while time.monotonic() < over:
        pass  # the work
    gather.rest(lambda: next(looks) > 0)
    assert next(looks) == 0


def test_once_enough_wait_they_are_taken_whatever_the_time() -> None:
    gather, looks = Gather(3_600), count()
    gather.took()
    gather.rest(lambda: next(looks) == 3)
    assert next(looks) == 4
