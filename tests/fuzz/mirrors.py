"""Every way a mirror delivers packets, at random: in: connections of which every exchange is known; out: what of it
comes out wrong.

    python -m tests.fuzz.mirrors [VARIANTS [FIRST]]

prints each variant that breaks the law, with its number, and the sums. The law: of exchanges of which both heads came
through nearly all are one transaction each, none is a wrong pair; each connection is one flow, unless it took up the
port of another and nobody saw it begin; and where nothing was lost, all are whole, and bytes are those of the clean
capture.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import dpkt

import sensor
from tests.fuzz.reuse import Connection, chain
from tests.fuzz.wrapping import Wrap, fragments, stack, vlans
from tests.protocols.http1.clients import Client, converse
from tests.protocols.http1.exchanges import target
from tests.protocols.http1.messages import request, response
from tests.traffic import MS, RST, SECOND, START, ethernet

SHARES = (0.0, 0.0, 0.01, 0.05)
MICRO = 1_000


@dataclass
class Sent:
    """A frame on its way: its connection's number and the packet's in it, -1 for what no host sent."""

    ts: int
    frame: bytes
    connection: int
    packet: int
    side: int = 0


@dataclass
class Variant:
    """What is done to the packets, and what should come out."""

    seed: int
    lost: float
    one_way: int
    doubled: str
    wrapped: int
    fragment: int
    talks: list[Connection] = field(default_factory=list)
    sizes: int = 0


@dataclass
class Figures:
    """Exchanges of which both heads came through, those of them that are one transaction, wrong pairs, and what else
    is not as it should be.
    """

    left: int = 0
    paired: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)


def talks(chance: random.Random, variant: Variant) -> list[Connection]:
    """A few connections at once, one of them long at times, some with sequence numbers about to wrap, some from a port
    that is used again and again.
    """
    found: list[Connection] = []
    variant.sizes = chance.choice([0, 300, 5_000])
    long = chance.random() < 0.2
    for number in range(1 if long else chance.randint(1, 4)):
        port = 40_000 + number

        def draw(start: int, first: int, port: int = port, begin: int = START + number * 7 * MS) -> Connection:
            count = 200 if long else chance.randint(1, 20)
            client = Client(
                near=chance.choice([0, 1, 20]) or 1, far=chance.choice([1, 5, 40]), service=chance.choice([1, 3, 30]),
                think=chance.choice([0, 0, 200]), source_port=port, start=start or begin,
            )  # fmt: skip
            asked = [request(target(first + i), f"X-Pad: {'p' * chance.choice([1, 1, 700])}") for i in range(count)]
            talk = converse(client, asked, lambda i: response(b"x" * (variant.sizes + first + i)))
            heads = {first + i: both for i, both in talk.heads.items()}
            return Connection(talk.packets, heads, port, first, (talk.packets[0].src, port))

        offsets = chance.choice([0, 2**32 - 3_000]), chance.choice([0, 2**32 - 9_000])
        found += chain(chance, draw, offsets)
    return found


def on_the_wire(talk: Connection, connection: int, chance: random.Random) -> list[Sent]:
    """The packets as frames, with a retransmission, an early acknowledgement and a lying RST at times."""
    found: list[Sent] = []
    for number, sent in enumerate(talk.packets):
        packet = replace(sent, ip_id=chance.randrange(65_536), ttl=57)
        side = 0 if (packet.src, packet.sport) == talk.client else 1
        found.append(Sent(packet.ts, ethernet(packet), connection, number, side))
        if packet.payload and not talk.followed and chance.random() < 0.02:
            again = replace(packet, ts=packet.ts + chance.choice([250, 900]) * MS, ip_id=chance.randrange(65_536))
            found.append(Sent(again.ts, ethernet(again), connection, number, side))
        if chance.random() < 0.01:
            lie = replace(packet, flags=RST, seq=(packet.seq + 2**30) % 2**32, payload=b"", ack=0, ts=packet.ts + 1)
            found.append(Sent(lie.ts, ethernet(lie), connection, -1, side))
    found.sort(key=lambda sent: sent.ts)
    for i in range(len(found) - 1):
        after = found[i + 1]
        if after.ts - found[i].ts <= MS and chance.random() < 0.01:
            found[i].ts, after.ts = after.ts, found[i].ts
    return found


def copies(sent: Sent, variant: Variant, chance: random.Random) -> list[Sent]:
    """The frame and what the mirror makes of it besides."""
    if variant.doubled == "no":
        return [sent]
    delay = chance.choice([0, 3, 40, 600]) * MICRO
    frame = bytearray(sent.frame)
    if variant.doubled == "routed":
        frame[0:12] = bytes(range(12))
        frame[22] -= 1
    elif variant.doubled == "another VLAN":
        frame[12:12] = b"\x81\0\0\x07"
    elif variant.doubled == "another ip id":
        frame[18:20] = struct.pack(">H", (frame[18] << 8 | frame[19]) ^ 0x1234)
        frame[22] -= 1
    return [sent, replace(sent, ts=sent.ts + delay, frame=bytes(frame))]


def capture(variant: Variant, chance: random.Random) -> tuple[list[tuple[int, bytes]], dict[int, set[int]]]:
    """Frames in the mirror's order of time, and which packets of each connection came through."""
    sides: list[Wrap] = [lambda frame: frame, lambda frame: frame]
    if variant.wrapped:
        sides = [stack(chance, variant.wrapped)] * 2
        if chance.random() < 0.4:
            sides = [sides[0], stack(chance, variant.wrapped)]
    if chance.random() < 0.3:
        inner = [vlans(chance), vlans(chance)]
        sides = [_both(inner[0], sides[0]), _both(inner[1], sides[1])] if variant.wrapped == 0 else sides
    kept: dict[int, set[int]] = {i: set() for i in range(len(variant.talks))}
    frames: list[tuple[int, int, bytes]] = []
    for connection, talk in enumerate(variant.talks):
        for sent in on_the_wire(talk, connection, chance):
            lost = chance.random() < variant.lost and (sent.packet > 2 or talk.first > 0)
            if lost or sent.side == 1 - variant.one_way:
                continue
            if sent.packet >= 0:
                kept[connection].add(sent.packet)
            for copy in copies(sent, variant, chance):
                parts = fragments(sides[sent.side](copy.frame), variant.fragment) if variant.fragment else None
                parts = parts or [sides[sent.side](copy.frame)]
                if len(parts) > 1:
                    chance.shuffle(parts)
                frames += [(copy.ts, len(frames) + i, part) for i, part in enumerate(parts)]
    frames.sort()
    return [(ts, frame) for ts, _, frame in frames], kept


def _both(inner: Wrap, outer: Wrap) -> Wrap:
    return lambda frame: outer(inner(frame))


def write(path: Path, frames: list[tuple[int, bytes]]) -> Path:
    with path.open("wb") as file:
        dpkt.pcap.Writer(file, nano=True)
        for ts, frame in frames:
            file.write(struct.pack("<IIII", ts // SECOND, ts % SECOND, len(frame), len(frame)) + frame)
    return path


def variant_of(seed: int) -> tuple[Variant, random.Random]:
    chance = random.Random(seed)
    doubled = chance.choice(["no", "no", "exact", "routed", "another VLAN", "another ip id"])
    wrapped, fragment = chance.choice([0, 0, 1, 2, 3]), chance.choice([0, 0, 0, 552])
    one_way = chance.choice([-1, -1, -1, -1, 0, 1])
    variant = Variant(seed, chance.choice(SHARES), one_way, doubled, wrapped, fragment if wrapped else 0)
    variant.talks = talks(chance, variant)
    return variant, chance


def judge(variant: Variant, kept: dict[int, set[int]], read: sensor.Capture) -> Figures:
    """What came out, held against what was sent."""
    figures, found = Figures(), Counter[tuple[int, int]]()
    for row in read.transactions.iter_rows(named=True):
        if row["uri"] is None or row["status_code"] is None:
            continue
        connection, number = row["client_port"] - 40_000, int(row["uri"].rsplit("/", 1)[1])
        figures.wrong += row["response_body_len"] not in (None, variant.sizes + number)
        found[connection, number] += 1
    for connection, talk in enumerate(variant.talks):
        left = {n for n, heads in talk.heads.items() if kept[connection].issuperset(heads)}
        figures.left += len(left)
        figures.paired += sum(found[talk.port - 40_000, n] == 1 for n in left)
    if any(count > 1 for count in found.values()):
        figures.faults.append("a transaction twice")
    if variant.lost == 0 and figures.paired != figures.left:
        figures.faults.append(f"{figures.left - figures.paired} of {figures.left} not paired though nothing was lost")
    unseen = sum(kept[i].isdisjoint((0, 1)) for i in range(len(variant.talks)))
    if not len(variant.talks) - unseen <= len(read.flows) <= len(variant.talks):
        figures.faults.append(f"{len(read.flows)} flows of {len(variant.talks)}")
    elif variant.lost == 0:
        figures.faults += _bytes_wrong(variant, read)
    halves = sum(talk_heads(talk, kept[i], variant.one_way) for i, talk in enumerate(variant.talks))
    if variant.one_way >= 0 and unseen == 0 and len(read.transactions) < 0.98 * halves:
        figures.faults.append(f"{len(read.transactions)} halves of {halves}")
    if len(read.transactions) > sum(len(talk.heads) for talk in variant.talks) * 2:
        figures.faults.append("more transactions than messages")
    return figures


def talk_heads(talk: Connection, kept: set[int], side: int) -> int:
    return sum(heads[side] in kept for heads in talk.heads.values())


def _bytes_wrong(variant: Variant, read: sensor.Capture) -> list[str]:
    """Payload that does not add up, of connections of which every packet came through."""
    wrong = []
    rows = read.flows.iter_rows(named=True)
    flows = sorted(rows, key=lambda row: (max(row["id.orig_p"], row["id.resp_p"]), row["ts"]))
    for row, talk in zip(flows, variant.talks, strict=True):
        for name in ("orig", "resp"):
            from_client = row[f"id.{name}_p"] == talk.port
            if variant.one_way == from_client:
                continue
            sent = sum(len(p.payload) for p in talk.packets if (p.sport == talk.port) == from_client)
            if row[f"{name}_bytes"] != sent or row[f"{name}_missing_bytes"]:
                wrong.append(f"{name}_bytes {row[f'{name}_bytes']} of {sent}, {row[f'{name}_missing_bytes']} missing")
    return wrong


def run(seed: int, folder: Path) -> tuple[Variant, Figures]:
    variant, chance = variant_of(seed)
    frames, kept = capture(variant, chance)
    return variant, judge(variant, kept, sensor.read(write(folder / "variant.pcap", frames)))


def main(count: int, first: int) -> None:
    left = paired = wrong = broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            variant, figures = run(seed, Path(folder))
            left, paired, wrong = left + figures.left, paired + figures.paired, wrong + figures.wrong
            few = figures.paired < figures.left - 2 - 0.02 * figures.left
            if figures.wrong or figures.faults or few:
                broken += 1
                manner = replace(variant, talks=[])
                print(seed, manner, figures.paired, figures.left, figures.wrong, figures.faults, flush=True)
    print(f"{count} variants, {broken} broke the law; {paired:,} of {left:,} exchanges paired, {wrong} wrong")


if __name__ == "__main__":
    given = list(map(int, sys.argv[1:]))
    main(given[0] if given else 200, given[1] if len(given) > 1 else 0)
