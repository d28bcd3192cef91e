#!/usr/bin/env python3
"""Injection against corpora that nobody wrote its patterns for: in: a folder of packages; out: what is found, by half.

    python -m tests.bench.held_out /tmp/packages --fetch [--of engines] [--show dev] [--corpus NAME]

Every case is a request of a client of its own, as query, JSON or form, and goes through all of Tapir with the
default settings; it counts as found when an alert of kind attack names its client. The one law: `--show` prints what
was missed (or said of what is no attack) of the half "dev" alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sensor
from tests.bench import held_out_engines, held_out_sources
from tests.bench.held_out_sources import Case
from tests.bench.packages import fetch
from tests.traffic import SECOND, START, Packet, exchange, write_pcap

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"


SETS = {"tools": held_out_sources, "engines": held_out_engines}


def request(case: Case) -> bytes:
    """The case in a request; what carries it depends on its text."""
    head = f"Host: shop.example.com\r\nUser-Agent: {AGENT}\r\nAccept: application/json\r\n"
    coded = quote(case.text, safe="%'()*+,/:;=?@!$<>|" if case.raw else "")
    carrier = hashlib.sha256(b"carrier" + case.text.encode("utf-8", "surrogatepass")).digest()[0] % 3
    if case.kind == "xxe" and case.text.lstrip().startswith(("<?xml", "<!")):
        body, kind = case.text.encode(), "application/xml"
    elif carrier == 1 and not case.raw:
        body, kind = json.dumps({"id": 4711, "comment": case.text}).encode(), "application/json"
    elif carrier == 2:
        body, kind = f"id=4711&comment={coded}".encode(), "application/x-www-form-urlencoded"
    else:
        return f"GET /api/items?page=2&q={coded} HTTP/1.1\r\n{head}\r\n".encode()
    head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"POST /api/items HTTP/1.1\r\n{head}\r\n".encode() + body


def client(number: int) -> str:
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def capture(every: Sequence[Case], file: Path) -> Path:
    packets: list[Packet] = []
    for number, case in enumerate(every):
        start = START + number * SECOND
        packets += exchange(request(case), ANSWER, source=client(number), target="192.0.2.1", start=start).packets
    return write_pcap(file, packets)


def found(every: Sequence[Case]) -> dict[int, list[str]]:
    """Rules by the number of the case that they were said of."""
    with tempfile.TemporaryDirectory() as folder:
        alerts = sensor.read(capture(every, Path(folder) / "cases.pcap")).alerts
    numbers = {client(number): number for number in range(len(every))}
    rules: dict[int, list[str]] = defaultdict(list)
    for row in alerts.iter_rows(named=True):
        if row["kind"] == "attack" and row["client_ip"] in numbers:
            rules[numbers[row["client_ip"]]].append(row["rule_id"])
    return rules


def table(every: Sequence[Case], rules: dict[int, list[str]], by_kind: bool) -> None:
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: {"dev": [0, 0], "held-out": [0, 0]})
    for number, case in enumerate(every):
        name = case.corpus + (f" {case.kind}" if by_kind else "") + ("" if case.attack else ", no attacks")
        count = counts[name][case.half]
        count[0] += number in rules
        count[1] += 1
    print("| corpus | said, dev half | said, held-out half |\n|---|---|---|")
    for name, halves in counts.items():
        print(f"| {name} | " + " | ".join(f"{k}/{n} = {k / n if n else 0:.3f}" for k, n in halves.values()) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", choices=SETS, default="tools", help="tools, or test suites of engines and sanitisers")
    parser.add_argument("--fetch", action="store_true", help="download the packages first")
    parser.add_argument("--corpus", help="this one alone")
    parser.add_argument("--by-kind", action="store_true")
    parser.add_argument("--show", choices=("dev",), help="print what was judged wrongly in this half")
    given = parser.parse_args()
    if given.fetch:
        fetch(given.folder, SETS[given.of].PACKAGES)
    every = [case for case in SETS[given.of].cases(given.folder) if given.corpus in (None, case.corpus)]
    rules = found(every)
    table(every, rules, given.by_kind)
    for number, case in enumerate(every):
        if given.show == case.half and case.attack != (number in rules):
            print(json.dumps([case.corpus, case.kind, rules.get(number, []), case.text[:300]], ensure_ascii=False))


if __name__ == "__main__":
    main()
