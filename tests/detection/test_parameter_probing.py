"""Guessed parameters: ever new names that nobody else sends are found; searches, filters and new pages are not."""

from __future__ import annotations

import random
import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, I64s, U64s, kernel
from sensor.detection.detectors import parameter_probing
from sensor.detection.detectors.parameter_probing_kernel import Met, is_new_name, name_hash
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"
WORDS = ["".join(random.Random(n).choices(string.ascii_lowercase, k=5)) for n in range(400)]


class Wire(Watched):
    detector = "parameter_probing"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for second in range(0, 400, 5):
            self.ask(second, f"q={second}&page=2", f"10.0.0.{second % 9}")

    def ask(self, seconds: float, query: str, client: str = CLIENT, **columns: Any) -> Wire:
        self.add(seconds, client, **{"uri": f"/things?{query}", "trans_depth": len(self.rows), **columns})
        return self

    def guess(self, count: int = 60, client: str = CLIENT, start: float = 100.0, first: int = 0) -> Wire:
        for number in range(count):
            self.ask(start + number, f"{WORDS[first + number]}=1", client)
        return self


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_one_name_after_the_other(batch: int) -> None:
    hits = Wire().guess().found(batch)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("parameter-probing", CLIENT)}
    assert (hits[0].numbers.observed, hits[-1].numbers.observed) == (30, 58)


@pytest.mark.parametrize(("requests", "told"), [(8, True), (1, False)])
def test_many_names_in_one_request(requests: int, told: bool) -> None:
    """One form may have many fields."""
    wire = Wire()
    for turn in range(requests):
        wire.ask(100 + turn, "&".join(f"{word}=1" for word in WORDS[40 * turn : 40 * turn + 40]), trans_depth=turn)
    assert bool(wire.found()) is told


@pytest.mark.parametrize(
    "query",
    [
        lambda number: f"filter_{number}=1",
        lambda number: f"ids[{WORDS[number]}]=1",
        lambda number: f"ids%5B{number}%5D=1",
        lambda number: WORDS[number],
        lambda number: f"q={WORDS[number]}",
    ],
)
def test_names_that_only_count_and_values_are_none(query: Any) -> None:
    wire = Wire()
    for number in range(100):
        wire.ask(100 + number, query(number))
    assert wire.found() == []


def test_what_is_asked_when_watching_begins_is_learned() -> None:
    wire = Wire(known_seconds=60.0).guess(55, "10.0.0.5", start=1.0)
    assert wire.guess(55, start=200).found() == []


def test_names_that_are_refused_are_the_business_of_others() -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(100 + number, f"{WORDS[number]}=1", status_code=400)
    assert wire.found() == []


def test_a_page_that_is_new_and_used_by_several() -> None:
    wire = Wire()
    for turn in range(6):
        wire.guess(40, f"10.0.2.{turn}", 100 + turn, 40 * turn)
    assert wire.found() == []


def test_a_client_that_asks_for_much_else() -> None:
    wire = Wire().guess()
    for number in range(300):
        wire.add(100.1 + number / 5, CLIENT, uri="/other")
    assert wire.found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire().guess()
    assert wire.restarted(60) == wire.found()
    assert not wire.stage().memories["detection.parameter_probing"].restore({})


@kernel
def _meet(names: U64s, known: U64s, met: I64s) -> int:
    new = 0
    for name in names:
        new += is_new_name(known, met, name)
    return new


def test_a_flood_of_names_does_not_make_every_name_a_known_one() -> None:
    """What is new after many times more names than there is room for is still seen to be."""
    draw = np.random.default_rng(5)
    known, met = np.zeros(2 * 64, np.uint64), np.zeros(len(Met), np.int64)
    for _ in range(50):
        _meet(draw.integers(0, 1 << 63, 10_000).astype(np.uint64), known, met)
    fresh = draw.integers(0, 1 << 63, 300).astype(np.uint64)
    assert _meet(fresh, known, met) > 200
    assert _meet(fresh[-100:], known, met) == 0  # and what was sent lately is known


def test_guesses_behind_a_flood_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_probing, "_KNOWN_BITS", 1 << 12)
    wire = Wire(known_seconds=60.0)
    for number in range(2_000):  # fifteen new names each, while all of them are only learned
        query = "&".join(f"{WORDS[number % 400]}{WORDS[place]}{WORDS[number // 400]}=1" for place in range(15))
        wire.ask(1 + number / 40, query, f"10.0.3.{number % 200}")
    assert {hit.entity.value for hit in wire.guess(start=200).found()} == {CLIENT}


@kernel
def _hash(data: Bytes, stop: int) -> np.uint64:
    return name_hash(data, 0, stop, np.uint64(7))


def hash_of(name: bytes) -> int:
    return int(_hash(np.frombuffer(name + b"\0", np.uint8).copy(), len(name)))


@given(st.binary(max_size=40))
def test_a_name_goes_by_its_letters(name: bytes) -> None:
    letters = bytes(byte for byte in name.split(b"[")[0].split(b"%")[0] if not 48 <= byte <= 57)
    assert (hash_of(name) != 0) is bool(letters)
    assert hash_of(name) == hash_of(letters)
