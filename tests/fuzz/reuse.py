"""Connections that come one after another from the same port: in: a way to draw one; out: a chain of them, each with
numbers of its own, ended in order, by a RST, or by nothing that anybody saw.

The one law: no host takes up a port again before it can: the old connection is over for the side that connects
(RFC 9293, 3.6.1), and the new numbers are none that the old one could still use.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.protocols.http1.clients import Conversation
from tests.traffic import ACK, FIN, MS, RST, SECOND, Packet

EXCHANGES_MAX = 1_000
"""Exchanges of one connection; those of the next one from the same port are numbered from here on."""


@dataclass
class Connection(Conversation):
    """A conversation, the client's port, the number of its first exchange, and whether the port is used again."""

    port: int = 0
    first: int = 0
    client: tuple[str, int] = field(default=("", 0))
    followed: bool = False


def shifted(talk: Connection, offsets: tuple[int, int]) -> Connection:
    """The same with other initial sequence numbers."""

    def moved(packet: Packet) -> Packet:
        side = 0 if (packet.src, packet.sport) == talk.client else 1
        seq, ack = packet.seq + offsets[side], packet.ack + offsets[1 - side]
        return replace(packet, seq=seq % 2**32, ack=ack % 2**32 if packet.flags & ACK else 0)

    return replace(talk, packets=[moved(packet) for packet in talk.packets])


def ended(talk: Connection, chance: random.Random) -> Connection:
    """The same with another end: both FINs, a RST instead of them, or neither as far as the mirror knows."""
    how = chance.choice(["fin", "fin", "rst", "one fin", "nothing"])
    fins = [i for i, packet in enumerate(talk.packets) if packet.flags & FIN]
    if how == "fin" or not fins:
        return talk
    kept = talk.packets[: fins[0]]
    if how == "rst":
        kept = [*kept, replace(talk.packets[fins[0]], flags=RST | ACK)]
    elif how == "one fin":
        kept = [*kept, talk.packets[chance.choice(fins)]]
    return replace(talk, packets=kept)


def chain(chance: random.Random, draw: Callable[[int, int], Connection], offsets: tuple[int, int]) -> list[Connection]:
    """Up to four connections from one port; `draw(start, first)` makes one that begins at `start`."""
    found = [shifted(draw(0, 0), offsets)]
    while len(found) < 4 and chance.random() < 0.6:
        before = found[-1] = replace(ended(found[-1], chance), followed=True)
        pause = chance.choice([MS, 5 * MS, 100 * MS, 1_500 * MS, 4 * SECOND, 70 * SECOND])
        talk = draw(before.packets[-1].ts + pause, EXCHANGES_MAX * len(found))
        sent = [[p for p in before.packets if (p.src == before.client[0]) == (side == 0)] for side in (0, 1)]
        ends = [max((p.seq + len(p.payload) for p in packets), default=0) for packets in sent]
        begins = [next(p.seq for p in talk.packets if (p.src == talk.client[0]) == (side == 0)) for side in (0, 1)]
        ahead = [chance.choice([2_000, 200_000, 30_000_000, chance.randrange(2**27, 2**31)]) for _ in range(2)]
        found.append(shifted(talk, (ends[0] - begins[0] + ahead[0], ends[1] - begins[1] + ahead[1])))
    return found
