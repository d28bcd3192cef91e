"""Rows to JSON lines: in: a matrix of int64 cells, the kinds of its columns, and texts; out: bytes.

The texts are printable ASCII, quotes and backslashes already escaped. The one law: only whole lines are written; when
the buffer is full the kernel says at which row to go on, so the bytes are the same whatever the buffer's size.
"""

from sensor._jit import Bytes, I64s, inline_kernel, kernel
from sensor.export.columns import Kind
from sensor.structures.bytesearch import load64, store64

NULL = -(2**63)
"""The cell that stands for null."""
CELL_ROOM = 64
"""Bytes that a number, a separator and the line's end may take, and what whole-word copies write beyond their end."""
SPARE_BYTES = 8
"""Bytes that every text buffer must have behind its last text, because texts are copied in whole words."""

_QUOTE, _COMMA = 34, 44


@inline_kernel
def _digits_of(number):
    count = 1
    while number >= 10:
        number //= 10
        count += 1
    return count


@inline_kernel
def _put_digits(out, position, number, count):
    """`count` digits of a number, zeros in front; return the end."""
    for k in range(count):
        out[position + count - 1 - k] = 48 + number % 10
        number //= 10
    return position + count


@inline_kernel
def _put_int(out, position, number):
    if number < 0:
        out[position] = 45
        position += 1
        number = -number
    return _put_digits(out, position, number, _digits_of(number))


@inline_kernel
def _put_decimal(out, position, number, digits):
    """number / 10**digits, without the zeros at its end but with at least one decimal."""
    if number < 0:
        out[position] = 45
        position += 1
        number = -number
    scale = 10**digits
    whole = number // scale
    position = _put_digits(out, position, whole, _digits_of(whole))
    out[position] = 46
    fraction = number - whole * scale
    while digits > 1 and fraction % 10 == 0:
        fraction //= 10
        digits -= 1
    return _put_digits(out, position + 1, fraction, digits)


@inline_kernel
def _put_word(out, position, word, length):
    """The lowest `length` bytes of a word."""
    for k in range(length):
        out[position + k] = (word >> (8 * k)) & 255
    return position + length


@inline_kernel
def _copy(source, start, length, out, position):
    """Copy whole words; what is written beyond `length` is overwritten by what follows. Returns the end."""
    for i in range(0, length, 8):
        store64(out, position + i, load64(source, start + i))
    return position + length


@inline_kernel
def _put_text(out, position, number, offsets, data):
    out[position] = _QUOTE
    position = _copy(data, offsets[number], offsets[number + 1] - offsets[number], out, position + 1)
    out[position] = _QUOTE
    return position + 1


@kernel
def json_lines(
    cells: I64s, stride: int, n: int, kinds: I64s, digits: I64s, key_offsets: I64s, keys: Bytes,
    text_offsets: I64s, texts: Bytes, pooled_offsets: I64s, pooled: Bytes, out: Bytes, progress: I64s,
) -> None:  # fmt: skip
    """Write rows progress[0] to n at out[progress[1]:] and move both on; stop before the row that does not fit.

    Column c of row r is cells[c * stride + r]; its key, comma and colon included, is text c of `keys`.
    """
    for row in range(progress[0], n):
        position = progress[1]
        for column in range(len(kinds)):
            kind = kinds[column]
            number = cells[column * stride + row]
            need = key_offsets[column + 1] - key_offsets[column] + CELL_ROOM
            if kind == Kind.TEXT:
                need += text_offsets[number + 1] - text_offsets[number]
            elif kind == Kind.POOLED:
                need += pooled_offsets[number + 1] - pooled_offsets[number]
            elif kind == Kind.NAMES:
                need += text_offsets[digits[column] + 64] - text_offsets[digits[column]] + 3 * 64
            if position + need > len(out):
                return
            start = key_offsets[column]
            position = _copy(keys, start, key_offsets[column + 1] - start, out, position)
            if kind == Kind.TEXT and number != 0:
                position = _put_text(out, position, number, text_offsets, texts)
            elif kind == Kind.POOLED and number != 0:
                position = _put_text(out, position, number, pooled_offsets, pooled)
            elif kind == Kind.NAMES:
                out[position] = 91
                opened = position
                for bit in range(64):
                    if number >> bit == 0:
                        break
                    if (number >> bit) & 1:
                        if position > opened:
                            position += 1
                            out[position] = _COMMA
                        position = _put_text(out, position + 1, digits[column] + bit, text_offsets, texts) - 1
                out[position + 1] = 93
                position += 2
            elif number == NULL or kind in (Kind.TEXT, Kind.POOLED):
                position = _put_word(out, position, 0x6C6C756E, 4)
            elif kind == Kind.INT:
                position = _put_int(out, position, number)
            elif kind == Kind.BOOL:
                if number != 0:
                    position = _put_word(out, position, 0x65757274, 4)
                else:
                    position = _put_word(out, position, 0x65736C6166, 5)
            else:
                position = _put_decimal(out, position, number, digits[column])
        position = _put_word(out, position, 0x0A7D, 2)
        progress[0] = row + 1
        progress[1] = position
