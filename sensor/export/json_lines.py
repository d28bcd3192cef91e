"""Rows to JSON lines: in: a matrix of int64 cells, the kinds of its columns, and texts; out: bytes.

The texts are printable ASCII, quotes and backslashes already escaped. The one law: only whole lines are written; when
the buffer is full the kernel says at which row to go on, so the bytes are the same whatever the buffer's size. Keys
and texts are copied 32 bytes at a time: what is written beyond their end is overwritten by what follows.
"""

from sensor._jit import Bytes, I64s, inline_kernel, kernel
from sensor.export.columns import Kind
from sensor.export.digits import put_decimal, put_int
from sensor.structures.bytesearch import copy32, store64

NULL = -(2**63)
"""The cell that stands for null."""
SPARE_BYTES = 32
"""Bytes that every text buffer must have behind its last text, and the output behind its last line."""
KEY_BYTES = 64
"""Bytes that every key has at most, with its comma, quotes and colon: keys lie this far apart."""
CELL_BYTES = 48
"""Bytes that a number, a word or a text of at most SHORT_BYTES takes, with its quotes."""
SHORT_BYTES = 32

_QUOTE, _COMMA = 34, 44
_NULL_WORD, _TRUE_WORD, _FALSE_WORD, _END_WORD = 0x6C6C756E, 0x65757274, 0x65736C6166, 0x0A7D


@inline_kernel
def _put_text(out, position, start, length, data):
    out[position] = _QUOTE
    position += 1
    copy32(data, start, out, position)
    for i in range(32, length, 32):
        copy32(data, start + i, out, position + i)
    out[position + length] = _QUOTE
    return position + length + 1


@inline_kernel
def _put_names(out, position, mask, first, offsets, data):
    """The names of the bits that are set, as a list."""
    out[position] = 91
    opened = position
    for bit in range(64):
        if mask >> bit == 0:
            break
        if (mask >> bit) & 1:
            if position > opened:
                position += 1
                out[position] = _COMMA
            start = offsets[first + bit]
            position = _put_text(out, position + 1, start, offsets[first + bit + 1] - start, data) - 1
    out[position + 1] = 93
    return position + 2


@kernel
def json_lines(
    cells: I64s, n: int, kinds: I64s, digits: I64s, key_lengths: I64s, keys: Bytes, line_bytes: int,
    text_offsets: I64s, texts: Bytes, pooled_offsets: I64s, pooled: Bytes, out: Bytes, progress: I64s,
) -> None:  # fmt: skip
    """Write rows progress[0] to n at out[progress[1]:] and move both on; stop before the row that does not fit.

    Column c of row r is cells[r * columns + c]; its key, comma and colon included, stands at keys[c * KEY_BYTES].
    `line_bytes` is what a line takes at most, when all its texts are short.
    """
    columns = len(kinds)
    for row in range(progress[0], n):
        position = progress[1]
        room = len(out) - position - line_bytes
        if room < 0:
            return
        for column in range(columns):
            number = cells[row * columns + column]
            kind = kinds[column]
            copy32(keys, column * KEY_BYTES, out, position)
            if key_lengths[column] > 32:
                copy32(keys, column * KEY_BYTES + 32, out, position + 32)
            position += key_lengths[column]
            if kind == Kind.INT:
                if number == NULL:
                    store64(out, position, _NULL_WORD)
                    position += 4
                else:
                    position = put_int(out, position, number)
            elif kind == Kind.TEXT or kind == Kind.POOLED:
                if number == 0:
                    store64(out, position, _NULL_WORD)
                    position += 4
                    continue
                offsets, data = (text_offsets, texts) if kind == Kind.TEXT else (pooled_offsets, pooled)
                start = offsets[number]
                length = offsets[number + 1] - start
                if length > SHORT_BYTES:
                    room -= length
                    if room < 0:
                        return
                position = _put_text(out, position, start, length, data)
            elif kind == Kind.NAMES:
                position = _put_names(out, position, number, digits[column], text_offsets, texts)
            elif kind == Kind.BOOL and number != NULL:
                store64(out, position, _TRUE_WORD if number != 0 else _FALSE_WORD)
                position += 4 if number != 0 else 5
            elif number == NULL:
                store64(out, position, _NULL_WORD)
                position += 4
            else:
                position = put_decimal(out, position, number, digits[column])
        store64(out, position, _END_WORD)
        progress[0] = row + 1
        progress[1] = position + 2
