"""Connections of numbered exchanges for the tests of losses: in: how many; out: packets, and where each head lies.

Every exchange has its number in the target and in the length of its answer, so a wrong pair shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.protocols.http1.messages import chunked, request, response
from tests.traffic import Outcome, Packet, Row, Talk

SHORTEST = 1_000


def target(number: int) -> str:
    return f"/item/{number}"


def number_of(row: Row) -> int:
    return int(row["uri"].rsplit("/", 1)[1])


@dataclass
class Exchanges:
    """One connection; `heads[n]` are the packets in which the request and the answer of exchange n begin."""

    talk: Talk
    heads: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def packets(self) -> list[Packet]:
        return self.talk.packets

    def whole(self, kept: set[int]) -> set[int]:
        """Exchanges of which both heads are among the packets that were kept."""
        return {number for number, heads in self.heads.items() if kept.issuperset(heads)}


def answer(number: int) -> bytes:
    return response(b"x" * (SHORTEST + number), "Content-Type: text/plain")


def chunked_answer(number: int) -> bytes:
    body = b"y" * (SHORTEST + number)
    head = response(b"", "Transfer-Encoding: chunked", length=False)
    return head + chunked(*(body[i : i + 700] for i in range(0, len(body), 700)))


def keep_alive(count: int, answered: Callable[[int], bytes] = answer, **given: object) -> Exchanges:
    """One request after the other, the client acknowledging every second segment, as hosts do."""
    found = Exchanges(Talk(mss=1_000, **given).open())
    talk = found.talk
    for number in range(count):
        asked = len(talk.packets)
        talk.client(request(target(number))).pause(3_000_000)
        found.heads[number] = asked, len(talk.packets)
        for i, begin in enumerate(range(0, len(content := answered(number)), talk.mss)):
            talk.server(content[begin : begin + talk.mss])
            if i % 2:
                talk.acknowledge(0)
        talk.acknowledge(0).pause(20_000_000)
    talk.close()
    return found


def pipelined(count: int, depth: int = 4, **given: object) -> Exchanges:
    """Requests sent ahead, each in a segment of its own."""
    found = Exchanges(Talk(mss=1_000, **given).open())
    talk = found.talk
    for first in range(0, count, depth):
        asked = {}
        for number in range(first, first + depth):
            asked[number] = len(talk.packets)
            talk.client(request(target(number)))
        for number in range(first, first + depth):
            found.heads[number] = asked[number], len(talk.packets)
            talk.server(answer(number)).acknowledge(0)
        talk.pause(20_000_000)
    talk.close()
    return found


def pairs(outcome: Outcome) -> dict[int, Row]:
    """Rows with both heads by number of their request, after a check that none is of two exchanges."""
    found = {}
    for row in outcome.transactions:
        if row["request"] and row["response"]:
            number = number_of(row)
            assert row["response_body_len"] <= SHORTEST + number
            assert row["response_body_max"] in (-1, SHORTEST + number) or row["response_body_max"] >= SHORTEST + number
            found[number] = row
    return found


def rolling(count: int, **given: object) -> Exchanges:
    """A client that always has three requests out, and sends the next one with each answer."""
    found = Exchanges(Talk(mss=1_000, **given).open())
    talk = found.talk
    asked = {}
    for step in range(count + 2):
        if step < count:
            asked[step] = len(talk.packets)
            talk.client(request(target(step)))
        if step >= 2:
            found.heads[step - 2] = asked[step - 2], len(talk.packets)
            talk.server(answer(step - 2)).acknowledge(0)
    talk.close()
    return found
