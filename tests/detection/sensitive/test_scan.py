"""Counting personal data: numbers made by slow generators of their own are found, and what resembles them is not.

The law: what a body holds does not depend on where it lies, or on what is before and behind it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, U32s, U64s, kernel
from sensor.detection.sensitive.kinds import KINDS, Kind
from sensor.detection.sensitive.names import name_table
from sensor.detection.sensitive.scan import count_kinds
from sensor.detection.sensitive.strings import IDLE_NAMES

NAMES = name_table()
IDLE = np.zeros(IDLE_NAMES, np.uint64)


@kernel
def count_all(
    data: Bytes, start: int, stop: int, hashes: U64s, kinds: Bytes, idle: U64s, digits: Bytes, counts: U32s
) -> None:
    count_kinds(data, start, stop, hashes, kinds, idle, digits, counts, 0)


def counted(body: bytes, offset: int = 0) -> dict[str, int]:
    """What the kernel counts in a body."""
    arena = np.frombuffer(b"1" * offset + body + b"7" * 70, np.uint8).copy()
    counts = np.zeros(KINDS, np.uint32)
    count_all(arena, offset, offset + len(body), *NAMES, IDLE, np.zeros(32, np.uint8), counts)
    found = {kind.name.lower(): int(counts[kind]) for kind in Kind if counts[kind]}
    found.pop("card_like", None)
    return found


# --- numbers that are right, each made another way than it is checked ------------------------------------------------


def with_luhn(digits: str) -> str:
    return next(digits + check for check in "0123456789" if luhn(digits + check))


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(2 * int(digit), 10)) if place % 2 else int(digit)
    return total % 10 == 0


def card(chance: random.Random) -> str:
    prefix, length = chance.choice(
        [("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16), ("3528", 16), ("36", 14)]
    )
    return with_luhn(prefix + "".join(chance.choice("0123456789") for _ in range(length - len(prefix) - 1)))


def iban(chance: random.Random) -> str:
    country, length = chance.choice([("DE", 22), ("GB", 22), ("NO", 15), ("FR", 27), ("MT", 31)])
    rest = "".join(chance.choice("0123456789") for _ in range(length - 4))
    as_number = int("".join(str(int(c, 36)) for c in rest + country + "00"))
    return f"{country}{98 - as_number % 97:02d}{rest}"


def cpf(chance: random.Random) -> str:
    digits = [chance.randrange(10) for _ in range(9)]
    for _ in range(2):
        rest = sum(weight * digit for weight, digit in zip(range(len(digits) + 1, 1, -1), digits, strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def bsn(chance: random.Random) -> str:
    while True:
        text = f"{chance.randrange(10**8, 10**9)}"
        if (sum(int(text[i]) * (9 - i) for i in range(8)) - int(text[8])) % 11 == 0:
            return text


def pesel(chance: random.Random) -> str:
    born = f"{chance.randrange(100):02d}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    text = f"{born}{chance.randrange(10**4):04d}"
    return text + str(-sum(int(d) * (1, 3, 7, 9)[i % 4] for i, d in enumerate(text)) % 10)


def dni(chance: random.Random) -> str:
    number = chance.randrange(10**7, 10**8)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def nir(chance: random.Random) -> str:
    first = (
        f"{chance.choice('12')}{chance.randrange(100):02d}{chance.randrange(1, 13):02d}{chance.randrange(10**8):08d}"
    )
    return f"{first}{97 - int(first) % 97:02d}"


def ssn(chance: random.Random) -> str:
    return f"{chance.randrange(1, 665):03d}-{chance.randrange(1, 100):02d}-{chance.randrange(1, 10_000):04d}"


AADHAARS = ("2345 6789 0124", "4991 1866 5246")
"""Made up ones that the scheme's published tables take for right."""
MADE: list[tuple[str, str, Callable[[random.Random], str]]] = [
    ("card", "number", card), ("iban", "account", iban), ("national_id", "document", cpf),
    ("national_id", "bsn", bsn), ("national_id", "pesel", pesel), ("national_id", "dni", dni),
    ("national_id", "numero_secu", nir), ("national_id", "document", ssn),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "make"), MADE, ids=[row[2].__name__ for row in MADE])
@given(seed=st.integers(0, 10**6), offset=st.integers(0, 130))
def test_right_numbers_are_found_wherever_they_are(
    kind: str, name: str, make: Callable, seed: int, offset: int
) -> None:
    body = json.dumps([{"id": 7, name: make(random.Random(seed)), "x": "y"}] * 3).encode()
    assert counted(body, offset) == {kind: 3}


@pytest.mark.parametrize(("kind", "name", "make"), MADE, ids=[row[2].__name__ for row in MADE])
@given(seed=st.integers(0, 10**6))
def test_a_wrong_digit_is_seen(kind: str, name: str, make: Callable, seed: int) -> None:
    text = make(random.Random(seed))
    if make is ssn:
        text = "000" + text[3:]
    else:
        place = max(i for i in range(len(text) - 1) if text[i].isdigit())
        text = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
    found = counted(json.dumps({name: text}).encode())
    assert found.get(kind, 0) == 0 or make in (bsn, pesel)  # nine or eleven digits may be right in another country


@pytest.mark.parametrize("text", AADHAARS)
def test_aadhaar(text: str) -> None:
    def right(digits: str) -> bool:
        """Verhoeff's scheme as the dihedral group of ten elements has it."""

        def times(a: int, b: int) -> int:
            turned = (a % 5 + b % 5) % 5 if a < 5 else (a % 5 - b % 5) % 5
            return turned + 5 * ((a // 5 + b // 5) % 2)

        permutation, check = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), 0
        for place, digit in enumerate(reversed(digits)):
            value = int(digit)
            for _ in range(place % 8):
                value = permutation[value]
            check = times(check, value)
        return check == 0

    digits = text.replace(" ", "")
    fixed = next(digits[:-1] + d for d in "0123456789" if right(digits[:-1] + d))
    assert counted(json.dumps({"aadhaar": fixed}).encode()) == {"national_id": 1}
    wrong = fixed[:-1] + str((int(fixed[-1]) + 1) % 10)
    assert counted(json.dumps({"aadhaar": wrong}).encode()) == {}


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (b"4111 1111 1111 1111", {"card": 1}),
        (b"4111-1111-1111-1111.", {"card": 1}),
        (b"<card>378282246310005</card>", {"card": 1}),
        (b"GB82 WEST 1234 5698 7654 32", {"iban": 1}),
        (b'{"mail": "ann.b+c@shop.example.org"}', {"email": 1}),
        (b'{"phone": "0471 123 456", "tel": "+44 20 7946 0958"}', {"phone": 2}),
        (b'{"password": "x1", "pwd": "y2"}', {"password": 2}),
        (b'{"k": "AKIAIOSFODNN7EXAMPLE"}', {"key": 1}),
        (b'{"k": "-----BEGIN RSA PRIVATE KEY-----\\nMIIE"}', {"key": 1}),
        (b'{"t":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLWl0"}', {"token": 1}),
        (b'{"diagnosis": "J45", "bloodType": "A+", "lat": 52.1, "longitude": 4.2}', {"health": 2, "location": 2}),
        (b"password=abc&card=5500005555555559&x=1", {"card": 1}),
    ],
)
def test_kinds(body: bytes, kinds: dict[str, int]) -> None:
    assert counted(body) == kinds


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": 4111111111111112, "order": 1763719200000, "price": 12.50, "date": "2026-11-21T10:00:00Z"}',
        b'{"ean": "4006381333931", "gtin": "4222222222222", "us": 1763719200000123, "ns": 1763719200000123456}',
        b'{"uuid": "550e8400-e29b-41d4-a716-446655440000", "sha": "4111111111111111a"}',
        b'{"float": 0.4111111111111111, "id": 123456782, "seq": "52998224725"}',
        b'{"user": "@ann", "css": "@media screen", "x": "a @ b", "y": "me@localhost"}',
        b'{"password": null, "passwd": "", "pwd": "****", "passwordResetUrl": "/x"}',
        b'{"diagnosis": null, "lat": null, "allergies": [], "platform": 3}',
        b'{"version": "1.2.3-4567", "ip": "192.168.100.200", "range": "100-200-3000"}',
        b'{"code": "DE44 5001", "ref": "GB12ABCD", "text": "AKIA is a prefix"}',
        b"",
        b"1",
    ],
)
def test_what_resembles_them(body: bytes) -> None:
    assert counted(body) == {}


@given(st.binary(max_size=400), st.integers(0, 70))
def test_any_bytes(body: bytes, offset: int) -> None:
    assert counted(body, offset) == counted(body)


def test_random_long_numbers_are_seldom_cards() -> None:
    chance = random.Random(9)
    body = json.dumps([{"id": chance.randrange(10**15, 10**16)} for _ in range(2_000)]).encode()
    assert counted(body).get("card", 0) < 100


PUBLISHED = [
    ("tfn", "123 456 782"), ("afm", "094259216"), ("nif", "123456789"), ("nhs_no", "943 476 5919"),
    ("rodneCislo", "780123/3540"), ("svnr", "1237 010180"), ("cuit", "20-12345678-6"), ("niss", "85.07.30-033.28"),
    ("tckn", "10000000146"), ("isikukood", "37605030299"), ("fodselsnummer", "01010750160"),
    ("mynumber", "123456789018"), ("jmbg", "0101006500006"), ("rrn", "900101-1234568"), ("ahv", "756.9217.0769.85"),
    ("personnummer", "811218-9876"), ("idNumber", "8001015009087"),
]  # fmt: skip
"""Numbers that offices publish as examples of theirs, or that articles about them show."""


@pytest.mark.parametrize(("name", "number"), PUBLISHED)
def test_numbers_of_people_by_name_and_check_digits(name: str, number: str) -> None:
    assert counted(json.dumps({name: number}).encode()) == {"national_id": 1}
    assert counted(json.dumps({"orderId": number}).encode()).get("national_id", 0) == 0


@pytest.mark.parametrize(("count", "share_max"), [(10, 0.4), (11, 0.5), (12, 0.25), (13, 0.5), (18, 0.15)])
def test_most_random_numbers_of_that_name_are_nobodys(count: int, share_max: float) -> None:
    chance = random.Random(count)
    numbers = [{"nationalId": "".join(chance.choices("0123456789", k=count))} for _ in range(1_000)]
    found = sum(counted(json.dumps(number).encode()).get("national_id", 0) for number in numbers)
    assert 0 < found < 1_000 * share_max
