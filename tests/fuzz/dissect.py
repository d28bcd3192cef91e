"""Any bytes in any stream: reassembly and HTTP/1 raise nothing, lose no request, and end every flow.

    python -m tests.fuzz.dissect SECONDS [SEED]

makes conversations of mutated messages, cut, doubled, reordered and thinned out. It prints the seed of the first one
that breaks the law, and raises.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import replace

from tests.protocols.http1.messages import chunked, request, response
from tests.traffic import FIN, MS, RST, SYN, Outcome, Packet, Talk, doubled, in_new_order, lossy, observe, snapped

CORPUS = [
    request("/a?token=1"),
    request("/login", "Content-Type: application/json", method="POST", body=b'{"user":"bob","password":"x"}'),
    request("/up", "Transfer-Encoding: chunked", method="POST") + chunked(b"abc", b"d" * 40, trailers=("X: y",)),
    request("/basic", "Authorization: Basic Ym9iOnB3", "Cookie: sid=1; a=b"),
    b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    response(b'{"items":[{"a":1},{"b":"}"}]}', "Content-Type: application/json"),
    response(b"", "Transfer-Encoding: chunked", length=False) + chunked(b"[{}", b",{}]"),
    response(b"rest", length=False),
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"\r\n", b"\n\n", b"\x00\xff" * 20, b"HTTP/1.1 ", b"GET ", b"Content-Length: 18446744073709551616\r\n",
    b"Content-Length: -1\r\nContent-Length: 5\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n",
    b"ffffffffffff\r\n", b"eyJhbGciOiJIUzI1NiJ9.e30.x", b"4111111111111111", b"//u:p@h/?k=v;#",
]  # fmt: skip


def mutate(chance: random.Random) -> bytes:
    """A few messages, or pieces of them, with some bytes changed."""
    content = bytearray(b"".join(chance.choice(CORPUS) for _ in range(chance.randint(1, 5))))
    for _ in range(chance.choice([0, 0, 1, 3, 10])):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(4):
            case 0:
                content[place : place + 1] = chance.randbytes(1)
            case 1:
                del content[place : place + chance.randrange(20)]
            case 2:
                content[place:place] = chance.choice(CORPUS)
            case 3:
                content[place:place] = bytes([chance.choice(b"\r\n\0 :;/?%=&\xff0")]) * chance.choice([1, 2, 40, 9_000])
    return bytes(content)


def conversation(chance: random.Random) -> list[Packet]:
    """Both sides say something, in small or large pieces; then the mirror has its way with it."""
    isn = chance.choice([(0, 0), (1_000, 5_000), (2**32 - 50, 2**32 - 1)])
    talk = Talk(isn=isn, mss=chance.choice([1, 5, 60, 1_460, 70_000]), start=chance.randrange(1, 2**61))
    if chance.random() < 0.8:
        talk.open()
    for _ in range(chance.randint(1, 8)):
        talk.say(chance.randrange(2), mutate(chance)[: chance.choice([300, 20_000])]).pause(chance.choice([0, 30 * MS]))
        if chance.random() < 0.1:
            talk.send(
                chance.randrange(2), chance.choice([SYN, FIN, RST, SYN | FIN, 0, 255]), seq=chance.randrange(2**32)
            )
    if chance.random() < 0.6:
        talk.close(chance.randrange(2))
    packets = lossy(talk.packets, chance.choice([0, 0, 0.02, 0.3]), chance)
    packets = doubled(packets, [i for i in range(len(packets)) if chance.random() < chance.choice([0, 0.1])])
    order = list(range(len(packets)))
    for _ in range(chance.choice([0, 0, len(order) // 8])):
        place = chance.randrange(max(1, len(order) - 3))
        order[place : place + 3] = chance.sample(order[place : place + 3], len(order[place : place + 3]))
    packets = in_new_order(packets, order)
    if chance.random() < 0.2:
        packets = snapped(packets, chance.choice([40, 54, 60, 96, 200]))
    if chance.random() < 0.05:
        packets = [replace(packet, ack=chance.randrange(2**32)) for packet in packets]
    return packets


def check(packets: list[Packet], batch: int = 0) -> Outcome:
    """The law of this file, for the packets of one conversation."""
    outcome = observe(packets, batch=batch)
    assert outcome.reassembly["kernel_fault"] == outcome.protocols["kernel_fault"] == 0
    counted = len(packets) - outcome.reassembly["duplicate_packets"]
    assert outcome.reassembly["packets"] == counted
    assert len(outcome.flows) == outcome.reassembly["flows"]
    assert sum(flow[side]["packets"] for flow in outcome.flows for side in ("orig", "resp")) == counted
    assert sum(row["request"] for row in outcome.transactions) == outcome.protocols["requests"]
    assert len(outcome.transactions) == outcome.protocols["transactions"]
    for row in outcome.transactions:
        for side in ("request", "response"):
            assert row[f"{side}_body_max"] == -1 or 0 <= row[f"{side}_body_len"] <= row[f"{side}_body_max"]
    return outcome


def main() -> None:
    seconds = float(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    end, seed = time.monotonic() + seconds, first
    while time.monotonic() < end:
        chance = random.Random(seed)
        packets = conversation(chance)
        try:
            whole = check(packets)
            assert check(packets, chance.choice([1, 7])).transactions == whole.transactions
        except Exception:
            print(f"seed {seed}")
            raise
        seed += 1
    print(f"{seed - first} conversations, none broke the law")


if __name__ == "__main__":
    main()
