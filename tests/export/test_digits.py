"""Numbers as decimal text, against Python's own."""

from decimal import Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.export.digits import put_decimal, put_int


@kernel
def integer(out: Bytes, position: int, number: int) -> int:
    return put_int(out, position, number)


@kernel
def decimal(out: Bytes, position: int, number: int, digits: int) -> int:
    return put_decimal(out, position, number, digits)


numbers = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.integers(0, 19).flatmap(lambda k: st.integers(-2, 2).map(lambda d: min(10**k, 2**63 - 3) + d)),
)


def text(kernel, *arguments):
    out = np.full(40, 33, np.uint8)
    return out[1 : kernel(out, 1, *arguments)].tobytes().decode()


@given(numbers)
@example(0)
@example(2**63 - 1)
def test_integers(number):
    assert text(integer, number) == str(number)


@given(numbers, st.integers(1, 9))
@example(0, 9)
@example(-1, 9)
@example(1_700_000_000_123_456_789, 9)
def test_decimals_have_no_zeros_at_the_end_but_one_decimal(number, digits):
    exact = f"{Decimal(number).scaleb(-digits, None):.{digits}f}" if number else "0.0"
    found = text(decimal, number, digits)
    assert Decimal(found) == Decimal(exact)
    whole, _, fraction = found.partition(".")
    assert 1 <= len(fraction) <= digits
    assert fraction == "0" or not fraction.endswith("0")
    assert whole.lstrip("-") == str(abs(number) // 10**digits)
