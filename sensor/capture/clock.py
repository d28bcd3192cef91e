"""The clock quarantine: in: rows of FRAME in the order of one input; out: their flags, and the key for merging inputs.

A frame is quarantined when its time lies beyond the limit (a day ahead of the wall clock when the run began), or when
it leaps more than CLOCK_JUMP_NS ahead of packet time and the frame after it goes back by more than that. A leap that
nothing contradicts, as at the end of a file, is believed. The first frame of an input has no packet time to leap from:
it is quarantined when the second goes back and the third does not stand by the first. The one law: the verdict depends
on the frames before and on the two that follow, never on where a block ends.
"""

import numpy as np

from sensor._jit import I64s, inline_kernel, kernel
from sensor.capture.layout import Clock, Count
from sensor.limits import CLOCK_JUMP_NS, LARGE_FRAME_BYTES
from sensor.schema import FRAME, FrameFlag

_QUARANTINED = int(FrameFlag.QUARANTINED)

KEY_FIRST = -(2**63)
"""Key of frames quarantined before packet time began: they come as soon as their input is opened."""


@inline_kernel
def _leap(frames, i, rows, last, clock):
    """Whether the frame leaps (1), does not (0), or the frames that tell are not there yet (-1)."""
    ts = np.int64(frames[i]["ts"])
    started = clock[Clock.STARTED] != 0
    if started and ts <= clock[Clock.NOW] + CLOCK_JUMP_NS:
        return 0
    if i + 1 >= rows:
        return 0 if last else -1
    if np.int64(frames[i + 1]["ts"]) >= ts - CLOCK_JUMP_NS:
        return 0
    if started:
        return 1
    if i + 2 >= rows:
        return 1 if last else -1
    return 0 if np.int64(frames[i + 2]["ts"]) >= ts - CLOCK_JUMP_NS else 1


@kernel
def judge_clock(frames: FRAME, rows: int, last: bool, clock: I64s, keys: I64s, counts: I64s) -> int:
    """Flag and count frames[:rows], fill keys (running packet time, ns); `last`: no frame follows them.

    The number of rows judged: all, or up to two fewer, whose verdict waits for the next frames.
    """
    for i in range(rows):
        frame = frames[i]
        ts = np.int64(frame["ts"])
        leap = 1 if ts > clock[Clock.LIMIT] else _leap(frames, i, rows, last, clock)
        if leap < 0:
            return i
        if leap > 0:
            frame["flags"] = _QUARANTINED
            counts[Count.QUARANTINED] += 1
        else:
            if clock[Clock.STARTED] == 0:
                clock[Clock.STARTED] = 1
                clock[Clock.NOW] = ts
            elif ts < clock[Clock.PREVIOUS]:
                counts[Count.CLOCK_BACKWARDS] += 1
            clock[Clock.PREVIOUS] = ts
            clock[Clock.NOW] = max(clock[Clock.NOW], ts)
        keys[i] = clock[Clock.NOW] if clock[Clock.STARTED] != 0 else KEY_FIRST
        counts[Count.FRAMES] += 1
        counts[Count.CAPTURED_BYTES] += np.int64(frame["caplen"])
        counts[Count.WIRE_BYTES] += np.int64(frame["wirelen"])
        counts[Count.LARGE_FRAMES] += 1 if frame["wirelen"] > LARGE_FRAME_BYTES else 0
        counts[Count.CUT_FRAMES] += 1 if frame["caplen"] < frame["wirelen"] else 0
    return rows
