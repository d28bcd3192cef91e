"""Passwords told apart: in: what was kept of logins' bodies; out: 16 bits of a keyed hash of the password in each.

So few bits say whether two passwords differ, and not what they are. JSON, forms and GraphQL are read alike: the value
behind the first name that speaks of a password. The one law: nothing of a password leaves the kernel but these bits.
"""

import numpy as np

from sensor._jit import Bytes, U64s, at, kernel, part_kernel
from sensor.schema import CONTENT
from sensor.structures.hashing import finish, mix

_BODY_MAX, _NAME_MAX = 1_024, 32
_ZERO = np.uint64(0)
PASSWORD = np.uint64(1 << 63)
"""Set in what stands for a password, so that it is not taken for the length of a body."""
_P, _A, _S, _W, _D, _I, _N = 0x70, 0x61, 0x73, 0x77, 0x64, 0x69, 0x6E
_COLON, _IS, _AND, _QUOTE, _BACKSLASH, _COMMA, _CLOSE = 0x3A, 0x3D, 0x26, 0x22, 0x5C, 0x2C, 0x7D


@part_kernel
def value_after_password(data, start, stop):
    """Where the value begins that follows a name with "pass", "pwd" or "pin" in it; `stop` when there is none."""
    for i in range(start, stop - 3):
        if at(data, i) | 0x20 != _P:
            continue
        second, third = at(data, i + 1) | 0x20, at(data, i + 2) | 0x20
        is_password = second == _A and third == _S and at(data, i + 3) | 0x20 == _S
        if not is_password and not (second == _W and third == _D) and not (second == _I and third == _N):
            continue
        for j in range(i + 3, min(i + 3 + _NAME_MAX, stop)):
            byte = at(data, j)
            if byte == _COMMA or byte == _AND:
                break
            if byte == _COLON or byte == _IS:
                value = j + 1
                while value < stop and (
                    at(data, value) <= 0x20 or at(data, value) == _QUOTE or at(data, value) == _BACKSLASH
                ):
                    value += 1
                return value
    return stop


@kernel
def tell_passwords(contents: CONTENT, arena: Bytes, seed: np.uint64, out: U64s) -> None:
    """`out` gets PASSWORD and 16 bits for each row of `contents` in whose request's body a password was found, else 0.
    """
    for row in range(len(contents)):
        out[row] = _ZERO
        start = np.int64(contents[row]["request_body_offset"])
        stop = start + min(np.int64(contents[row]["request_body_len"]), _BODY_MAX)
        i = value_after_password(arena, start, stop)
        if i >= stop:
            continue
        hashed = seed
        while i < stop:
            byte = at(arena, i)
            if byte == _QUOTE or byte == _AND or byte == _BACKSLASH or byte == _CLOSE or byte < 0x20:
                break
            hashed = mix(hashed, np.uint64(byte))
            i += 1
        out[row] = PASSWORD | finish(hashed) & np.uint64(0xFFFF)
