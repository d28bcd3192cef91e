"""Slots in which a message head (or a login's body) that came in pieces is put together.

In: a stream and bytes; out: the slot's bytes. The one law: slots are fixed in number and size, and one that is not to
be had is counted.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.limits import HEAD_BYTES_MAX
from sensor.protocols.http1.tables import HOLD_BYTES, HOLDS_MAX, SCRATCH_BYTES, Count, Scalar
from sensor.structures.bytesearch import copy_bytes, find_byte

_CR, _LF = 13, 10


@inline_kernel
def slot_start(slot):
    """Where a slot's bytes lie in `work`."""
    if slot < HOLDS_MAX:
        return SCRATCH_BYTES + slot * HOLD_BYTES
    return SCRATCH_BYTES + HOLDS_MAX * HOLD_BYTES + (slot - HOLDS_MAX) * HEAD_BYTES_MAX


@inline_kernel
def slot_size(slot):
    return HOLD_BYTES if slot < HOLDS_MAX else HEAD_BYTES_MAX


@inline_kernel
def held_start(stream):
    """Where the stream's held bytes begin in `work`."""
    return slot_start(np.int64(stream["hold"]) - 1)


@inline_kernel
def release_hold(t, stream):
    """Give the stream's slot back, if it has one."""
    slot = np.int64(stream["hold"]) - 1
    if slot >= 0:
        if slot < HOLDS_MAX:
            t.free[t.numbers[Scalar.HOLD_FREE]] = slot
            t.numbers[Scalar.HOLD_FREE] += 1
        else:
            t.free[HOLDS_MAX + t.numbers[Scalar.LARGE_FREE]] = slot
            t.numbers[Scalar.LARGE_FREE] += 1
    stream["hold"] = 0
    stream["hold_len"] = 0


@part_kernel
def _move_to_large(t, stream):
    if t.numbers[Scalar.LARGE_FREE] == 0:
        return False
    t.numbers[Scalar.LARGE_FREE] -= 1
    slot = np.int64(t.free[HOLDS_MAX + t.numbers[Scalar.LARGE_FREE]])
    length = np.int64(stream["hold_len"])
    copy_bytes(t.work, held_start(stream), length, t.work, slot_start(slot))
    release_hold(t, stream)
    stream["hold"] = slot + 1
    stream["hold_len"] = length
    return True


@part_kernel
def hold_bytes(t, stream, data, start, length):
    """Append data[start:start+length] to the stream's slot; returns how many bytes found room."""
    if stream["hold"] == 0:
        if t.numbers[Scalar.HOLD_FREE] == 0:
            t.numbers[Count.HOLDS_EXHAUSTED] += 1
            return 0
        t.numbers[Scalar.HOLD_FREE] -= 1
        stream["hold"] = t.free[t.numbers[Scalar.HOLD_FREE]] + 1
        stream["hold_len"] = 0
        t.numbers[Count.HEADS_ON_HOLD] += 1
    if stream["hold_len"] + length > HOLD_BYTES and stream["hold"] <= HOLDS_MAX and not _move_to_large(t, stream):
        t.numbers[Count.HOLDS_EXHAUSTED] += 1
    room = slot_size(np.int64(stream["hold"]) - 1) - np.int64(stream["hold_len"])
    taken = min(length, room)
    copy_bytes(data, start, taken, t.work, held_start(stream) + np.int64(stream["hold_len"]))
    stream["hold_len"] += taken
    return taken


@inline_kernel
def has_end(data, start, stop):
    """Whether an empty line, the end of a head, is among these bytes."""
    position = find_byte(data, start, stop, _LF)
    while position + 1 < stop:
        if at(data, position + 1) == _LF:
            return True
        if at(data, position + 1) == _CR and position + 2 < stop and at(data, position + 2) == _LF:
            return True
        position = find_byte(data, position + 1, stop, _LF)
    return False
