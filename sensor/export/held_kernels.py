"""Rows and texts that wait: in: the rows of a batch as bytes, and codes of the string pool; out: copies of both.

Kept texts are numbered; text k lies at data[offsets[k]:offsets[k + 1]], and number 0 is the absent text. A row waits
in a slot: slots[:count] are taken, the others free. The one law: how much is taken at a time depends on the rows and
the bounds, never on the batch.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I32s, I64s, U32s, at, inline_kernel, kernel
from sensor.structures.bytesearch import copy32, copy_bytes, load64, store64

_QUOTES, _BACKSLASHES = np.uint64(0x2222222222222222), np.uint64(0x5C5C5C5C5C5C5C5C)
_LOW, _HIGH = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)


class Held(IntEnum):
    """What `state` counts."""

    ROWS = 0        # that wait
    TEXT_BYTES = 1  # of their texts, each as often as it is named
    TEXTS = 2       # that are kept, the absent one included


@kernel
def known_texts(
    words: U32s, width: int, n: int, fields: I64s, known_codes: U32s, known: I64s, numbers: I32s, fresh: U32s,
    count: int,
) -> int:  # fmt: skip
    """Number the pool codes of a batch: numbers[i * len(fields) + k] is the text kept for words[i * width + fields[k]].

    `known_codes` and `known` (a power of two long) remember the latest codes; a code found in neither gets the next
    number after `count` and is appended to `fresh`. Returns how many are fresh. A code may get several numbers; that
    only costs room.
    """
    added = 0
    for i in range(n):
        for k in range(len(fields)):
            code = words[i * width + fields[k]]
            if code == 0:
                numbers[i * len(fields) + k] = 0
                continue
            slot = np.int64((np.int64(code) * 0x9E3779B1 >> 16) & (len(known) - 1))
            if known_codes[slot] != code:
                known_codes[slot] = code
                known[slot] = count + added
                fresh[added] = code
                added += 1
            numbers[i * len(fields) + k] = known[slot]
    return added


@inline_kernel
def _is_plain(word):
    """Whether eight bytes are ASCII without a quote or a backslash."""
    found = ((word ^ _QUOTES) + _LOW) & ((word ^ _BACKSLASHES) + _LOW) & ~word
    return (found & _HIGH) == _HIGH


@kernel
def append_texts(
    source_offsets: I64s, source: Bytes, n: int, offsets: I64s, data: Bytes, first: int, start: int, escape: bool
) -> int:
    """Append n texts to a store, with a backslash before each quote and backslash when they go into JSON; return the
    end.
    """
    position = start
    for i in range(n):
        offsets[first + i] = position
        k, end = source_offsets[i], source_offsets[i + 1]
        while k < end:
            if k + 8 <= end:
                word = load64(source, k)
                if not escape or _is_plain(word):
                    store64(data, position, word)
                    k += 8
                    position += 8
                    continue
            byte = at(source, k)
            if escape and byte in (34, 92):
                data[position] = 92
                position += 1
            data[position] = byte
            position += 1
            k += 1
    offsets[first + n] = position
    return position


@inline_kernel
def _text_bytes_of(numbers, first, fields, offsets):
    total = 0
    for k in range(first, first + fields):
        total += offsets[numbers[k] + 1] - offsets[numbers[k]]
    return total


@inline_kernel
def _copy_row(source, row, width, target, slot):
    """Copy the `width` bytes of a row to a slot."""
    start, position = row * width, slot * width
    whole = width & ~31
    for i in range(0, whole, 32):
        copy32(source, start + i, target, position + i)
    copy_bytes(source, start + whole, width - whole, target, position + whole)


@kernel
def hold_rows(
    rows: Bytes, streams: Bytes, numbers: I32s, first: int, n: int, offsets: I64s, slots: I64s, held_rows: Bytes,
    held_streams: Bytes, held_numbers: I32s, rows_max: int, text_bytes_max: int, state: I64s,
) -> int:  # fmt: skip
    """Copy rows `first` to `n` of a batch into free slots until a bound is reached; return the row after the last one.

    All rows of `rows` are equally long, so are those of `streams` and `numbers`; there are `n` of each, and
    len(slots) of each that is held.
    """
    width, stream_width, fields = len(rows) // n, len(streams) // n, len(numbers) // n
    while first < n:
        slot = slots[state[Held.ROWS]]
        _copy_row(rows, first, width, held_rows, slot)
        _copy_row(streams, first, stream_width, held_streams, slot)
        for k in range(fields):
            held_numbers[slot * fields + k] = numbers[first * fields + k]
        state[Held.ROWS] += 1
        state[Held.TEXT_BYTES] += _text_bytes_of(numbers, first * fields, fields, offsets)
        first += 1
        if state[Held.ROWS] == rows_max or state[Held.TEXT_BYTES] >= text_bytes_max:
            break
    return first


@kernel
def keep_texts(
    numbers: I32s, fields: int, rows: I64s, offsets: I64s, data: Bytes, moved: I64s, new_offsets: I64s,
    new_data: Bytes, count: int,
) -> int:  # fmt: skip
    """Move the texts that these rows of `numbers` name to a new store of `count` texts, and renumber them in place.

    Returns how many texts the new store has then. moved[k] is the new number of text k, 0 while it has none; text 0,
    the absent one, stays.
    """
    for i in range(len(rows)):
        for at_number in range(rows[i] * fields, (rows[i] + 1) * fields):
            number = numbers[at_number]
            if number != 0 and moved[number] == 0:
                length = offsets[number + 1] - offsets[number]
                copy_bytes(data, offsets[number], length, new_data, new_offsets[count])
                new_offsets[count + 1] = new_offsets[count] + length
                moved[number] = count
                count += 1
            numbers[at_number] = moved[number]
    return count


@kernel
def text_bytes(numbers: I32s, fields: int, rows: I64s, offsets: I64s) -> int:
    """Bytes of the texts of these rows, each as often as it is named."""
    total = 0
    for i in range(len(rows)):
        total += _text_bytes_of(numbers, rows[i] * fields, fields, offsets)
    return total
