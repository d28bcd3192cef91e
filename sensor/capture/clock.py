"""The clock quarantine: in: rows of FRAME in the order of one input; out: their flags, and the key by which inputs are merged.

A frame is quarantined when its time lies beyond the limit (a day ahead of the wall clock when the run began), or when it leaps more
than CLOCK_JUMP_NS ahead of packet time and the frame after it goes back by more than that. The first frame of an input leaps by
definition. A leap that nothing contradicts, as at the end of a file, is believed. The one law: the verdict on a frame depends on the
frames before it and on the one after it, never on where a block ends.
"""

import numpy as np

from sensor._jit import I64s, kernel
from sensor.capture.layout import Clock, Count
from sensor.limits import CLOCK_JUMP_NS
from sensor.schema import FRAME, FrameFlag

_QUARANTINED = int(FrameFlag.QUARANTINED)

KEY_FIRST = -(2**63)
"""Key of frames quarantined before packet time began: they come at once."""


@kernel
def judge_clock(frames: FRAME, rows: int, last: bool, clock: I64s, keys: I64s, counts: I64s) -> int:
    """Flag and count frames[:rows], fill keys (running packet time, ns); `last`: no frame follows them.

    The number of rows judged: all, or all but one, whose verdict waits for the next frame.
    """
    for i in range(rows):
        frame = frames[i]
        ts = np.int64(frame["ts"])
        insane = ts > clock[Clock.LIMIT]
        if not insane and (clock[Clock.STARTED] == 0 or ts > clock[Clock.NOW] + CLOCK_JUMP_NS):
            if i + 1 < rows:
                insane = np.int64(frames[i + 1]["ts"]) < ts - CLOCK_JUMP_NS
            elif not last:
                return i
        if insane:
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
        counts[Count.CUT_FRAMES] += 1 if frame["caplen"] < frame["wirelen"] else 0
    return rows
