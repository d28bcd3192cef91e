"""Transactions of a made-up shop API, as bytes and as segments.

Goes in: a seed. Comes out: Templates, which generate.py replays. The law: bodies are real JSON (some gzip-coded, some
chunked, some holding text that looks like HTTP), and the lengths in heads are true.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass

import numpy as np

SEGMENT_BYTES = 1448
"""TCP payload of a full Ethernet frame when both sides send time stamps."""
MARK = b"%%%%%%%%%%%%"
"""Twelve bytes that generate.py replaces by a number of their own in every transaction."""
FIN, SYN, PSH, ACK = 1, 2, 8, 16

SEGMENT = np.dtype([(name, "i8") for name in ("direction", "seq", "ack", "offset", "length", "flags")])
"""seq and ack count from the template's start; offset is into `octets`. Direction 0 goes from client to server."""

AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "ShopApp/5.12.1 (Android 14; Pixel 8) okhttp/4.12.0",
    "python-requests/2.32.3",
    "Go-http-client/1.1",
]
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty", "knoll", "larch"]
STATUSES = {"200 OK": 90, "201 Created": 5, "204 No Content": 2, "404 Not Found": 2.5, "500 Internal Server Error": 0.5}
HTTP_TEXT = "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nGET / HTTP/1.1\r\nHost: text.example\r\n\r\n"


@dataclass
class Templates:
    """All templates one after the other; row i of `first` and `count` says which segments are template i's."""

    octets: np.ndarray    # uint8
    segments: np.ndarray  # SEGMENT
    first: np.ndarray     # int64: first segment
    count: np.ndarray     # int64: number of segments
    start: np.ndarray     # int64: first octet
    length: np.ndarray    # int64: octets
    marks: np.ndarray     # int64: offsets of marks, all templates
    marks_first: np.ndarray
    marks_count: np.ndarray


def record(chance: random.Random) -> dict[str, object]:
    return {
        "id": chance.randrange(10**7),
        "name": f"{chance.choice(WORDS).title()} {chance.choice(WORDS).title()}",
        "email": f"{chance.choice(WORDS)}.{chance.choice(WORDS)}@example.test",
        "balance": round(chance.uniform(0, 9999), 2),
        "tags": chance.sample(WORDS, 3),
        "active": chance.random() < 0.8,
        "created": f"2026-{chance.randrange(10, 13)}-{chance.randrange(1, 29):02d}T10:00:{chance.randrange(60):02d}Z",
    }


def document(chance: random.Random) -> bytes:
    """A JSON answer; or, once in twenty, a log of HTTP messages, of which some begin a segment."""
    if chance.random() < 0.05:
        return (HTTP_TEXT * chance.randrange(10, 200)).encode()
    rows = [record(chance) for _ in range(max(1, int(chance.lognormvariate(3.3, 0.7))))]
    return json.dumps({"page": 1, "total": len(rows), "data": rows}).encode()


def request(chance: random.Random, distinct: bool) -> bytes:
    own = MARK.decode() if distinct else ""
    resource = chance.choice(["customers", "orders", "invoices", "baskets", "products", "payments", "shipments"])
    kind = chance.random()
    method, path, body = "GET", f"/api/v1/{resource}?page={chance.randrange(1, 40)}&per_page=25&sort=name", b""
    if kind < 0.55:
        path = f"/api/v1/{resource}/{MARK.decode()}"
    elif kind < 0.75:
        method, path = chance.choice(["POST", "PUT", "PATCH"]), f"/api/v1/{resource}"
        body = json.dumps(record(chance) | {"lines": [chance.randrange(1000) for _ in range(30)]}).encode()
    lines = [
        f"{method} {path}{'?q=' + own if own else ''} HTTP/1.1",
        f"Host: {own + '.' if own else ''}api-{chance.randrange(4)}.shop.test",
        f"User-Agent: {chance.choice(AGENTS)}{own}",
        "Accept: application/json, text/plain, */*",
        "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
        "Accept-Encoding: gzip, deflate, br",
        f"Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.{chance.randbytes(60).hex()}.{chance.randbytes(32).hex()}",
        f"X-Request-Id: {MARK.decode()}",
        "Cookie: theme=dark; consent=1; _ga=GA1.2.1234567890.1700000000",
        "Connection: keep-alive",
    ]
    if own:
        lines.append(f"Referer: https://shop.test/{own}")
    if body:
        lines += [f"Content-Type: application/json{'; x=' + own if own else ''}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def response(chance: random.Random, distinct: bool, small: bool) -> bytes:
    own = MARK.decode() if distinct else ""
    status = chance.choices(tuple(STATUSES), tuple(STATUSES.values()))[0]
    body = document(chance) if status[0] == "2" and not small else b'{"error":"no such thing"}'
    if status.startswith("204"):
        body = b""
    lines = [
        f"HTTP/1.1 {status}{own}",
        "Server: nginx",
        f"Date: Sat, 21 Nov 2026 10:{chance.randrange(60):02d}:{chance.randrange(60):02d} GMT",
        f"Content-Type: application/json{'; x=' + own if own else '; charset=utf-8'}",
        "Cache-Control: no-store",
        "Strict-Transport-Security: max-age=31536000",
        f"X-Request-Id: {MARK.decode()}",
    ]
    if len(body) > 1000 and chance.random() < 0.2:
        body = gzip.compress(body, 6, mtime=0)
        lines.append("Content-Encoding: gzip")
    if len(body) > 1000 and chance.random() < 0.15:
        parts = [body[at : at + 4096] for at in range(0, len(body), 4096)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        lines.append("Transfer-Encoding: chunked")
    elif not status.startswith("204"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def exchange(asked: int, answered: int, segment_bytes: int, reordered: bool) -> list[tuple[int, ...]]:
    """The segments of a request of `asked` and a response of `answered` octets, acknowledged every second segment."""
    asking = [(0, at, 0, at, min(segment_bytes, asked - at), PSH | ACK) for at in range(0, asked, segment_bytes)]
    answering = [
        (1, at, asked, asked + at, min(segment_bytes, answered - at), ACK) for at in range(0, answered, segment_bytes)
    ]
    if reordered:
        asking, answering = asking[::-1], answering[::-1]
    answering[-1] = (*answering[-1][:5], PSH | ACK)
    rows = [*asking, (1, 0, asked, 0, 0, ACK)]
    for number, row in enumerate(answering):
        rows.append(row)
        if number % 2 or number == len(answering) - 1:
            acknowledged = answered if number == len(answering) - 1 else 0 if reordered else row[1] + row[4]
            rows.append((0, asked, acknowledged, 0, 0, ACK))
    return rows


OPENING = [(0, -1, 0, 0, 0, SYN), (1, -1, 0, 0, 0, SYN | ACK), (0, 0, 0, 0, 0, ACK)]
CLOSING = [(0, 0, 0, 0, 0, FIN | ACK), (1, 0, 1, 0, 0, FIN | ACK), (0, 1, 1, 0, 0, ACK)]


def build(seed: int, count: int, variant: str) -> Templates:
    """Template 0 opens a connection, template 1 closes it, the rest are transactions."""
    chance = random.Random(seed)
    texts: list[bytes] = [b"", b""]
    plans = [OPENING, CLOSING]
    for _ in range(count):
        distinct, tiny = variant == "distinct", variant == "bytes"
        asked = request(chance, distinct)
        if variant == "reordered":
            asked = asked.replace(b"Cookie: ", b"Cookie: " + b"c" * 1600 + b"; ")
        answered = response(chance, distinct, small=tiny)
        texts.append(asked + answered)
        plans.append(exchange(len(asked), len(answered), 1 if tiny else SEGMENT_BYTES, variant == "reordered"))
    marks = [[at for at in range(len(text)) if text.startswith(MARK, at)] if MARK in text else [] for text in texts]
    counts, lengths = [len(plan) for plan in plans], [len(text) for text in texts]
    marked = [len(found) for found in marks]
    return Templates(
        octets=np.frombuffer(b"".join(texts), np.uint8),
        segments=np.array([row for plan in plans for row in plan], SEGMENT),
        first=np.cumsum([0, *counts[:-1]]), count=np.array(counts),
        start=np.cumsum([0, *lengths[:-1]]), length=np.array(lengths),
        marks=np.array([at for found in marks for at in found] or [0]),
        marks_first=np.cumsum([0, *marked[:-1]]), marks_count=np.array(marked),
    )  # fmt: skip
