"""Insane timestamps: one broken clock must not age everything else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor.capture.clock import KEY_FIRST, judge_clock
from sensor.capture.layout import Clock, Count
from sensor.schema import FRAME, FrameFlag
from tests.capture.build import NS, START, Reading, frame, pcap, write
from tests.oracles.capture_reader import quarantined

HOUR = 3600
YEAR_2106 = 4_294_967_295 * NS - START


def quarantine(tmp_path, *seconds, **how):
    reading = Reading(write(tmp_path / "x", pcap([frame(each) for each in seconds])), **how)
    assert [each.ts for each in reading.frames] == [frame(each).ts for each in seconds]
    assert reading.counts["quarantined"] == sum(reading.flags)
    return [bool(flags & FrameFlag.QUARANTINED) for flags in reading.flags]


def test_leap_that_the_next_frame_takes_back(tmp_path):
    assert quarantine(tmp_path, 0, 1, 2 * HOUR, 2) == [False, False, True, False]


def test_leap_that_the_next_frame_confirms(tmp_path):
    assert quarantine(tmp_path, 0, 1, 2 * HOUR, 2 * HOUR + 1) == [False] * 4


def test_leap_at_the_end_is_believed(tmp_path):
    assert quarantine(tmp_path, 0, 1, 2 * HOUR) == [False] * 3


def test_year_2106_anywhere(tmp_path):
    far = YEAR_2106 / NS
    assert quarantine(tmp_path, far, 0, 1) == [True, False, False]
    assert quarantine(tmp_path, 0, far, far, 1) == [False, True, True, False]
    assert quarantine(tmp_path, 0, 1, far) == [False, False, True]
    assert quarantine(tmp_path, far) == [True]


def test_first_frame_insane(tmp_path):
    assert quarantine(tmp_path, 5 * HOUR, 0, 1) == [True, False, False]
    assert quarantine(tmp_path, 5 * HOUR, 0) == [True, False]


def test_first_frame_sane_and_the_second_broken(tmp_path):
    assert quarantine(tmp_path, 0, -18 * HOUR, 0.1, 0.2) == [False] * 4


def test_a_step_back_is_counted_once(tmp_path):
    reading = Reading(write(tmp_path / "x", pcap([frame(each) for each in (0, 1, 0.5, 0.6, 2 * HOUR, 0.7, 0.8, 0.2)])))
    assert reading.counts["clock_backwards"] == 2
    assert reading.counts["quarantined"] == 1


def judge(times: list[int], cuts: list[int]) -> tuple[list[bool], list[int], int]:
    """Flags, keys and counted steps back, judged piecewise as a reader does it."""
    clock = np.zeros(len(Clock), np.int64)
    clock[Clock.LIMIT] = START + 10**17
    counts = np.zeros(len(Count), np.int64)
    frames, keys = np.zeros(len(times) + 1, FRAME), np.zeros(len(times) + 1, np.int64)
    flags, all_keys, done = [], [], 0
    for stop in sorted({*cuts, len(times)}):
        rows = stop - done
        frames["ts"][:rows] = times[done:stop]
        frames["flags"] = 0
        judged = judge_clock(frames, rows, stop == len(times), clock, keys, counts)
        assert rows - 2 <= judged <= rows
        flags += (frames["flags"][:judged] != 0).tolist()
        all_keys += keys[:judged].tolist()
        done += judged
    return flags, all_keys, int(counts[Count.CLOCK_BACKWARDS])


hours = st.lists(st.sampled_from([0, 0.5, 1, 1.5, 2, 3, 10, 10**6]).map(lambda hour: START + int(hour * HOUR * NS)))


@given(hours, st.lists(st.integers(0, 20)))
def test_verdicts_are_those_of_the_twin_wherever_blocks_end(times, cuts):
    flags, keys, _ = judge(times, [cut for cut in cuts if cut < len(times)])
    assert flags == quarantined(times, START + 10**17)
    assert keys == sorted(keys)
    sane = [ts for ts, flag in zip(times, flags, strict=True) if not flag]
    assert (KEY_FIRST in keys) == (bool(flags) and flags[0])
    assert not sane or keys[-1] == max(sane)


@given(hours, st.lists(st.integers(0, 20)))
def test_steps_back_do_not_depend_on_blocks(times, cuts):
    assert judge(times, [cut for cut in cuts if cut < len(times)])[2] == judge(times, [])[2]
