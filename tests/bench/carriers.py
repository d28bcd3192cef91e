#!/usr/bin/env python3
"""Attacks in every carrier and encoding: in: the labelled captures; out: a table of the share that is found.

    python -m tests.bench.carriers ../shared/attack/dev [--of 8] [--into docs/detection.md]

Each attack is the longest value of its labelled request, so many of each class, put where the table says and sent by a
client of its own through all of Tapir. It counts as found when an alert of kind attack names its client. The one law:
nothing is left out of a table but what a carrier cannot carry.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import lzma
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import dpkt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sensor
from sensor.config import DetectionSettings, InjectionSettings, Settings
from sensor.detection.injection.decode import readings
from sensor.detection.injection.values import request_values
from tests.bench.held_out import ANSWER, client
from tests.traffic import SECOND, START, Packet, exchange, write_pcap

CORPORA = ("httpparams", "patt")
HEAD = "Host: shop.example.com\r\nUser-Agent: okhttp/4.12.0\r\nAccept: application/json\r\n"
START_MARK, END_MARK = "<!-- carriers -->", "<!-- /carriers -->"
LONGEST = 400
"""Characters of an attack: longer ones fit no header."""


def attacks(folder: Path, of: int) -> dict[str, list[str]]:
    """By class the plain values of so many attacks, chosen by a hash."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in CORPORA:
        labels = lzma.decompress((folder / f"{name}.labels.jsonl.xz").read_bytes()).decode().splitlines()
        classes = {row["client"]: row["class"] for row in map(json.loads, labels) if row["label"] == "attack"}
        for source, octets in requests_of(folder, name):
            if source in classes and (value := _value(octets)):
                found[classes[source]][hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()] = value
    return {kind: [values[key] for key in sorted(values)[:of]] for kind, values in sorted(found.items())}


def requests_of(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """(client, request) of a corpus, which has one connection a client and its segments in order."""
    found: dict[str, bytes] = defaultdict(bytes)
    with lzma.open(folder / f"{name}.pcap.xz") as file:
        for _, frame in dpkt.pcap.Reader(file):
            ip = dpkt.ethernet.Ethernet(frame).data
            segment = getattr(ip, "data", None)
            if isinstance(segment, dpkt.tcp.TCP) and segment.dport in (80, 8080) and segment.data:
                found[".".join(map(str, ip.src))] += bytes(segment.data)
    yield from found.items()


def _value(octets: bytes) -> str:
    """The longest value of a query or a JSON body, decoded once; nothing of one that is odd already."""
    head, _, body = octets.partition(b"\r\n\r\n")
    values = [value for value in request_values(head, body) if value.place in ("query", "json") and value.name]
    longest = max(values, key=lambda value: len(value.text), default=None)
    if longest is None or len(longest.text) > LONGEST:
        return ""
    plain = readings(longest.text, longest.form)
    text = plain[1] if longest.form and "%" in longest.text and len(plain) > 1 else longest.text
    return text if text.isprintable() and text.isascii() and "%" not in text else ""


# --- encodings --------------------------------------------------------------------------------------------------------


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "percent": lambda text: quote(text, safe=""),
    "double percent": lambda text: quote(quote(text, safe=""), safe=""),
    "\\u escapes": _escaped,
    "%u escapes": lambda text: "".join(c if c.isalnum() else f"%u{ord(c):04x}" for c in text),
    "HTML entities": lambda text: "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "gzip, base64": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
}
"""What is done to a value before the carrier's own coding."""


# --- carriers ---------------------------------------------------------------------------------------------------------


def _get(target: str, headers: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\n{HEAD}{headers}\r\n".encode()


def _post(body: bytes, kind: str, packed: bool = False) -> bytes:
    body = gzip.compress(body, mtime=0) if packed else body
    coding = "Content-Encoding: gzip\r\n" if packed else ""
    head = f"POST /api/items HTTP/1.1\r\n{HEAD}{coding}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _json(text: str) -> bytes:
    return json.dumps({"id": 4711, "lines": [{"sku": "A-1", "note": text}], "gift": False}).encode()


def _form(text: str) -> bytes:
    return f"id=4711&note={quote(text, safe='')}&page=2".encode()


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0"?><order><id>4711</id><note text={quoteattr(text)}/></order>'.encode()


def _multipart(text: str) -> bytes:
    parts = "".join(
        f'--b7c1\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("id", "4711"), ("note", text))
    )
    return f"{parts}--b7c1--\r\n".encode()


def _graphql(text: str) -> bytes:
    query = "query Items($q: String!) { items(q: $q) { id name } }"
    return json.dumps({"operationName": "Items", "query": query, "variables": {"q": text}}).encode()


_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b7c1"
BODIES: dict[str, tuple[Callable[[str], bytes], str]] = {
    "form": (_form, _FORM), "JSON": (_json, "application/json"), "XML": (_xml, "application/xml"),
    "multipart": (_multipart, _MULTIPART), "GraphQL variable": (_graphql, "application/json"),
}  # fmt: skip


def _in_body(name: str, packed: bool, text: str) -> bytes:
    body, kind = BODIES[name]
    return _post(body(text), kind, packed)


CARRIERS: dict[str, Callable[[str], bytes]] = {
    "path": lambda text: _get(f"/api/items/{quote(text, safe='')}/notes"),
    "query": lambda text: _get(f"/api/items?page=2&q={quote(text, safe='')}"),
    "header": lambda text: _get("/api/items?page=2", f"X-Client-Note: {text}\r\n"),
    "cookie": lambda text: _get("/api/items?page=2", f"Cookie: lang=en; note={quote(text, safe='')}\r\n"),
    **{name: partial(_in_body, name, False) for name in BODIES},
    **{f"{name}, body gzip": partial(_in_body, name, True) for name in BODIES},
}  # fmt: skip


def found(requests: list[bytes]) -> set[int]:
    """Numbers of the requests of whose clients an attack is told."""
    packets: list[Packet] = []
    for number, request in enumerate(requests):
        start = START + number * SECOND
        packets += exchange(request, ANSWER, source=client(number), target="192.0.2.1", start=start).packets
    settings = Settings(detection=DetectionSettings(injection=InjectionSettings(judged_per_second=10**6)))
    with tempfile.TemporaryDirectory() as folder:
        alerts = sensor.read(write_pcap(Path(folder) / "cases.pcap", packets), settings=settings).alerts
    numbers = {client(number): number for number in range(len(requests))}
    return {
        numbers[row["client_ip"]]
        for row in alerts.iter_rows(named=True)
        if row["kind"] == "attack" and row["client_ip"] in numbers
    }


def table(chosen: dict[str, list[str]]) -> list[str]:
    """Lines of Markdown: shares by carrier and encoding, then by class and encoding."""
    values = [(kind, value) for kind, some in chosen.items() for value in some]
    told: dict[tuple[str, str], set[int]] = {}
    for carrier, carry in CARRIERS.items():
        requests = [carry(encode(value)) for encode in ENCODINGS.values() for _, value in values]
        numbers = found(requests)
        for at, encoding in enumerate(ENCODINGS):
            told[carrier, encoding] = {n - at * len(values) for n in numbers if n // len(values) == at}
    head = f"| {len(values)} attacks in | {' | '.join(ENCODINGS)} |"
    lines = [head, "|---" * (len(ENCODINGS) + 1) + "|"]
    for carrier in CARRIERS:
        shares = (f"{len(told[carrier, encoding]) / len(values):.2f}" for encoding in ENCODINGS)
        lines.append(f"| {carrier} | {' | '.join(shares)} |")
    lines += ["", f"| class, all carriers | {' | '.join(ENCODINGS)} |", "|---" * (len(ENCODINGS) + 1) + "|"]
    for kind, some in chosen.items():
        numbers = {n for n, (own, _) in enumerate(values) if own == kind}
        sums = (sum(len(told[carrier, encoding] & numbers) for carrier in CARRIERS) for encoding in ENCODINGS)
        lines.append(f"| {kind} ({len(some)}) | {' | '.join(f'{s / len(some) / len(CARRIERS):.2f}' for s in sums)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", type=int, default=8, help="attacks of each class")
    parser.add_argument("--into", type=Path, help="put the tables into this file, between its marks")
    given = parser.parse_args()
    lines = "\n".join(table(attacks(given.folder, given.of)))
    print(lines)
    if given.into:
        before, _, rest = given.into.read_text().partition(START_MARK)
        given.into.write_text(f"{before}{START_MARK}\n{lines}\n{END_MARK}{rest.partition(END_MARK)[2]}")


if __name__ == "__main__":
    main()
