"""Numbers as decimal text: in: int64; out: ASCII in a buffer.

Eight digits are made at a time, side by side in one word, and stored as one word: what is written beyond the number's
end is overwritten by what follows, so the buffer must have 8 bytes to spare. The one law: no number depends on a
float, and -2**63 does not come (it is null).
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.structures.bytesearch import leading_zeros, store64, trailing_zeros

_EIGHT = 100_000_000
_ASCII = 0x3030303030303030


@inline_kernel
def _digits(number):
    """The eight digits of a number below 10**8, a byte each, the first one lowest."""
    high = number // 10_000
    word = high | (number - high * 10_000) << 32
    hundreds = ((word * 10_486) >> 20) & 0x0000007F0000007F
    word = hundreds | (word - hundreds * 100) << 16
    tens = ((word * 103) >> 10) & 0x000F000F000F000F
    return tens | (word - tens * 10) << 8


@inline_kernel
def _put_eight(out, position, number):
    """All eight digits."""
    store64(out, position, np.uint64(_digits(number) | _ASCII))
    return position + 8


@inline_kernel
def _put_below(out, position, number):
    """A number below 10**8 without zeros in front."""
    digits = _digits(number)
    zeros = trailing_zeros(np.uint64(digits | 1 << 56)) >> 3
    store64(out, position, np.uint64((digits | _ASCII) >> (8 * zeros)))
    return position + 8 - zeros


@inline_kernel
def put_digits(out, position, number):
    """A number that is not negative; return the end."""
    if number < _EIGHT:
        return _put_below(out, position, number)
    high = number // _EIGHT
    if high < _EIGHT:
        position = _put_below(out, position, high)
    else:
        position = _put_below(out, position, high // _EIGHT)
        position = _put_eight(out, position, high % _EIGHT)
    return _put_eight(out, position, number % _EIGHT)


@inline_kernel
def put_int(out, position, number):
    """Any number; return the end."""
    if number < 0:
        out[position] = 45
        position += 1
        number = -number
    return put_digits(out, position, number)


@inline_kernel
def put_decimal(out, position, number, digits):
    """number / 10**digits (1 to 9), without the zeros at its end but with at least one decimal; return the end."""
    if number < 0:
        out[position] = 45
        position += 1
        number = -number
    if digits == 6:
        whole = number // 1_000_000
        fraction = (number - whole * 1_000_000) * 1_000
    elif digits == 9:
        whole = number // 1_000_000_000
        fraction = number - whole * 1_000_000_000
    else:
        scale = 10**digits
        whole = number // scale
        fraction = (number - whole * scale) * 10 ** (9 - digits)
    position = put_digits(out, position, whole)
    out[position] = 46
    eight = fraction // 10
    last = fraction - eight * 10
    digits_of = _digits(eight)
    store64(out, position + 1, np.uint64(digits_of | _ASCII))
    if last != 0:
        out[position + 9] = 48 + last
        return position + 10
    return position + 2 + ((63 - leading_zeros(np.uint64(digits_of | 1))) >> 3)
