"""Connections of clients that wait for each answer, ask several things at once, or always have some requests out.

Goes in: how the client asks, how far away both sides are from the mirror, how long an answer takes. Comes out: packets
in the mirror's order of time, with the sequence and acknowledgement numbers that two hosts would have sent.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from tests.traffic import ACK, FIN, MS, PSH, START, SYN, Packet

Side = int


@dataclass
class Client:
    """`ahead` requests may be out at once; with `batch` the next ones wait until all answers are there. Times are in
    ms.
    """

    ahead: int = 1
    batch: bool = False
    near: int = 1
    far: int = 1
    service: int = 3
    think: int = 0
    mss: int = 1_000
    source_port: int = 40_000
    start: int = START


@dataclass
class Conversation:
    """`heads[n]` are the packets in which the request and the answer of exchange n begin."""

    packets: list[Packet] = field(default_factory=list)
    heads: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass
class _Host:
    next: int
    received: int = 0
    early: dict[int, int] = field(default_factory=dict)


def converse(client: Client, requests: list[bytes], answer: Callable[[int], bytes]) -> Conversation:
    """The whole connection, from SYN to FIN."""
    order = count()
    waiting: list[tuple[int, int, str, tuple[int, ...]]] = []
    sent: list[tuple[int, int, Packet, tuple[int, int] | None]] = []
    hosts = [_Host(1_000, 5_001), _Host(5_000, 1_001)]
    ends = (("10.0.0.1", client.source_port), ("10.0.0.2", 80))

    def later(at: int, what: str, *given: int) -> None:
        heapq.heappush(waiting, (at, next(order), what, given))

    def send(now: int, side: Side, flags: int, payload: bytes = b"", head: tuple[int, int] | None = None) -> None:
        host = hosts[side]
        (src, sport), (dst, dport) = ends[side], ends[1 - side]
        there = client.near if side == 0 else client.far
        ack = host.received if flags & ACK else 0
        packet = Packet(
            client.start + (now + there) * MS, src, sport, dst, dport, flags, host.next, ack, payload
        )
        sent.append((packet.ts, next(order), packet, head))
        host.next += len(payload) + bool(flags & SYN) + bool(flags & FIN)
        later(now + client.near + client.far, "arrive", 1 - side, host.next, len(payload))

    def say(now: int, side: Side, content: bytes, number: int) -> None:
        for begin in range(0, len(content), client.mss):
            piece = content[begin : begin + client.mss]
            send(now, side, PSH | ACK, piece, (number, side) if begin == 0 else None)

    asked = out = free = 0
    closing = closed = False
    request_ends: dict[int, int] = {}
    answer_ends: dict[int, int] = {}

    def ask(now: int) -> None:
        nonlocal asked, out
        while asked < len(requests) and out < client.ahead:
            say(now, 0, requests[asked], asked)
            request_ends[hosts[0].next] = asked
            asked += 1
            out += 1

    send(0, 0, SYN)
    trip = client.near + client.far
    send(trip, 1, SYN | ACK)
    send(2 * trip, 0, ACK)
    later(2 * trip, "ask")
    while waiting:
        now, _, what, given = heapq.heappop(waiting)
        if what == "arrive":
            side, upto, length = given
            hosts[side].received = max(hosts[side].received, upto)
            if length == 0:
                if side == 1 and closing and not closed:
                    closed = True
                    send(now, 1, FIN | ACK)
            elif side == 1 and upto in request_ends:
                free = max(free, now) + client.service
                later(free, "answer", request_ends[upto])
            elif side == 0 and upto in answer_ends:
                send(now, 0, ACK)
                out -= 1
                if len(answer_ends) == len(requests) and out == 0:
                    closing = True
                    send(now, 0, FIN | ACK)
                elif out == 0 or not client.batch:
                    later(now + client.think, "ask")
        elif what == "ask":
            ask(now)
        else:
            say(now, 1, answer(given[0]), given[0])
            answer_ends[hosts[1].next] = given[0]
    found = Conversation()
    begun: dict[tuple[int, int], int] = {}
    for place, (_, _, packet, head) in enumerate(sorted(sent, key=lambda each: each[:2])):
        found.packets.append(packet)
        if head is not None:
            begun[head] = place
    found.heads = {number: (begun[number, 0], begun[number, 1]) for number in range(len(requests))}
    return found
