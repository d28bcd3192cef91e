#!/usr/bin/env python3
"""Writes a capture of API traffic: generate.py OUT [--packets N] [--connections C] [--variant V] [--seed S].

Goes in: how many packets, how many connections stay open at once, and which variant:

    normal      keep-alive JSON over HTTP/1.1, about ten frames a transaction, about 700 bytes a frame
    distinct    every host, path, agent, referrer and type occurs once
    reordered   the segments of every message arrive last first
    colliding   the addresses and ports of all connections have the same sum and the same exclusive or
    bytes       one byte of payload a segment

Comes out: a pcap (Ethernet, IPv4, microseconds), streamed to the disk. The law: the same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numba
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.templates import SYN, build

VARIANTS = ("normal", "distinct", "reordered", "colliding", "bytes")
SLOTS = 64
"""Transactions under way at once; the other connections are open and quiet."""
SLOT_BYTES = 1 << 18
MICROSECONDS_PER_FRAME = 10
HEADERS = 66  # Ethernet 14, IPv4 20, TCP 32 with time stamps
OUT_BYTES = 8 << 20

CONNECTION = np.dtype([("client", "u4"), ("server", "u4"), ("seq0", "u4"), ("seq1", "u4"), ("port", "u2"),
                       ("server_port", "u2"), ("open", "u1"), ("busy", "u1")], align=True)  # fmt: skip
SLOT = np.dtype([("connection", "i8"), ("template", "i8"), ("segment", "i8")])
STATE = np.dtype([("chance", "u8"), ("frames", "i8"), ("transactions", "i8")])


@numba.njit(cache=True)
def _random(state, below):
    x = state[0]["chance"]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0]["chance"] = x
    return np.int64((x >> np.uint64(11)) % np.uint64(below))


@numba.njit(cache=True)
def _big(out, at, value, size):
    for place in range(size):
        out[at + size - 1 - place] = (value >> (8 * place)) & 0xFF


@numba.njit(cache=True)
def _little(out, at, value):
    for place in range(4):
        out[at + place] = (value >> (8 * place)) & 0xFF


@numba.njit(cache=True)
def _headers(out, at, frame_number, connection, segment):
    """The record header, Ethernet, IPv4 (with its checksum) and TCP (without: the card would add it)."""
    length = segment["length"]
    client, server = np.int64(connection["client"]), np.int64(connection["server"])
    ports = np.int64(connection["port"]), np.int64(connection["server_port"])
    seq = np.int64(connection["seq0"]) + segment["seq"]
    ack = np.int64(connection["seq1"]) + segment["ack"]
    if segment["direction"] == 1:
        client, server, ports = server, client, (ports[1], ports[0])
        seq = np.int64(connection["seq1"]) + segment["seq"]
        ack = np.int64(connection["seq0"]) + segment["ack"]
    if segment["flags"] == SYN:
        ack = 0
    now = 1_795_000_000_000_000 + frame_number * MICROSECONDS_PER_FRAME
    _little(out, at, now // 1_000_000)
    _little(out, at + 4, now % 1_000_000)
    _little(out, at + 8, HEADERS + length)
    _little(out, at + 12, HEADERS + length)
    eth = at + 16
    _big(out, eth, 0x020000000000 + server, 6)
    _big(out, eth + 6, 0x020000000000 + client, 6)
    _big(out, eth + 12, 0x0800, 2)
    ip = eth + 14
    _big(out, ip, 0x45000000 | (52 + length), 4)
    _big(out, ip + 4, ((frame_number & 0xFFFF) << 16) | 0x4000, 4)
    _big(out, ip + 8, 0x40060000, 4)
    _big(out, ip + 12, client, 4)
    _big(out, ip + 16, server, 4)
    total = 0
    for place in range(0, 20, 2):
        total += np.int64(out[ip + place]) << 8 | np.int64(out[ip + place + 1])
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    _big(out, ip + 10, 0xFFFF - total, 2)
    tcp = ip + 20
    _big(out, tcp, ports[0], 2)
    _big(out, tcp + 2, ports[1], 2)
    _big(out, tcp + 4, seq & 0xFFFFFFFF, 4)
    _big(out, tcp + 8, ack & 0xFFFFFFFF, 4)
    _big(out, tcp + 12, 0x8000 | segment["flags"], 2)
    _big(out, tcp + 14, 0xFA00, 2)
    _big(out, tcp + 16, 0, 4)
    _big(out, tcp + 20, 0x0101080A, 4)
    _big(out, tcp + 24, now // 1000 & 0xFFFFFFFF, 4)
    _big(out, tcp + 28, now // 1000 & 0xFFFFFFFF, 4)
    return tcp + 32


@numba.njit(cache=True)
def _take(state, slots, number, connections, page, t):
    """Give a slot a quiet connection and something to do on it: open it, close it, or a transaction of its own."""
    which = _random(state, len(connections))
    while connections[which]["busy"]:
        which = (which + 1) % len(connections)
    template = 0
    if connections[which]["open"]:
        template = 1 if _random(state, 100) == 0 else 2 + _random(state, len(t[2]) - 2)
    connections[which]["busy"] = 1
    slots[number]["connection"], slots[number]["template"], slots[number]["segment"] = which, template, 0
    start, base = t[4][template], number * SLOT_BYTES
    page[base : base + t[5][template]] = t[0][start : start + t[5][template]]
    for mark in range(t[7][template], t[7][template] + t[8][template]):
        unique = state[0]["transactions"] * 32 + (mark - t[7][template]) % 32
        for place in range(12):
            page[base + t[6][mark] + 11 - place] = 48 + unique % 10
            unique //= 10
    state[0]["transactions"] += 1


@numba.njit(cache=True)
def _finish(slot, connections, segments, template, t):
    """What the template moved: sequence numbers, and whether the connection is open."""
    connection = connections[slot["connection"]]
    if template == 0:
        connection["open"] = 1
    elif template == 1:
        connection["open"] = 0
        connection["port"] = 1024 + (np.int64(connection["port"]) - 1024 + 7919) % 64000
        connection["seq0"] = (np.int64(connection["seq0"]) + 77_777) & 0xFFFFFFFF
    else:
        for row in range(t[2][template], t[2][template] + t[3][template]):
            if segments[row]["direction"] == 0:
                connection["seq0"] = (np.int64(connection["seq0"]) + segments[row]["length"]) & 0xFFFFFFFF
            else:
                connection["seq1"] = (np.int64(connection["seq1"]) + segments[row]["length"]) & 0xFFFFFFFF
    connection["busy"] = 0


@numba.njit(cache=True)
def emit(out, state, slots, connections, page, t, frames_max):
    """Fill `out` with frames until it is nearly full or there are enough; the number of bytes written."""
    at = 0
    segments = t[1]
    while at + 70_000 < len(out) and state[0]["frames"] < frames_max:
        number = _random(state, len(slots))
        if slots[number]["connection"] < 0:
            _take(state, slots, number, connections, page, t)
        template = slots[number]["template"]
        burst = 1 + _random(state, 4)
        while burst and state[0]["frames"] < frames_max and at + 70_000 < len(out):
            segment = segments[t[2][template] + slots[number]["segment"]]
            payload = _headers(out, at, state[0]["frames"], connections[slots[number]["connection"]], segment)
            source = number * SLOT_BYTES + segment["offset"]
            out[payload : payload + segment["length"]] = page[source : source + segment["length"]]
            at = payload + segment["length"]
            state[0]["frames"] += 1
            slots[number]["segment"] += 1
            burst -= 1
            if slots[number]["segment"] == t[3][template]:
                _finish(slots[number], connections, segments, template, t)
                slots[number]["connection"] = -1
                break
    return at


def clients_and_servers(count: int, variant: str, seed: int) -> np.ndarray:
    """The 5-tuples. Colliding ones differ in pairs of bits that cancel out in sums and exclusive ors."""
    connections = np.zeros(count, CONNECTION)
    row, chance = np.arange(count), np.random.default_rng(seed)
    connections["client"] = 0x0A000001 + row % 20_000
    connections["server"] = 0x0AC80001 + row % 16
    connections["server_port"] = np.where(row % 3, 80, 8080)
    connections["port"] = 1024 + (row // 20_000 * 13 + row * 7) % 64_000
    if variant == "colliding":
        connections["client"] = 0x0A000000 + row
        connections["server"] = 0x0AC00000 - row
        connections["server_port"] = 80
        connections["port"] = 20_000
    connections["seq0"], connections["seq1"] = chance.integers(0, 2**32, (2, count), np.uint32)
    return connections


def generate(path: Path, packets: int, connections: int, variant: str, seed: int, templates: int = 2000) -> None:
    """Write the capture; a file that is there already is replaced at the end only."""
    made = build(seed, templates, variant)
    t = (made.octets, made.segments, made.first, made.count, made.start, made.length, made.marks, made.marks_first,
         made.marks_count)  # fmt: skip
    state = np.zeros(1, STATE)
    state[0]["chance"] = seed * 0x9E3779B97F4A7C15 % 2**64 | 1
    slots = np.zeros(min(SLOTS, max(1, connections // 2)), SLOT)
    slots["connection"] = -1
    table = clients_and_servers(connections, variant, seed)
    page, out = np.zeros(len(slots) * SLOT_BYTES, np.uint8), np.zeros(OUT_BYTES, np.uint8)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        file.write(np.array([0xA1B2C3D4, 2 | 4 << 16, 0, 0, 262144, 1], "<u4").tobytes())
        while state[0]["frames"] < packets:
            file.write(memoryview(out)[: emit(out, state, slots, table, page, t, packets)])
    os.replace(unfinished, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packets", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--connections", type=lambda text: int(float(text)), default=1000)
    parser.add_argument("--variant", choices=VARIANTS, default="normal")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    generate(given.out, given.packets, given.connections, given.variant, given.seed)


if __name__ == "__main__":
    main()
