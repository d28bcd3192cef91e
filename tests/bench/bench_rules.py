"""What rules cost: in: nothing; out: packets per CPU second, with few and with 10,000 rules, on ordinary traffic and
on hostile: every request hits what rules are searched by, or every body is coded.

    python -m tests.bench.bench_rules [--packets N] [--rules N]

Each case is a process of its own over a whole capture, with all default detectors and with signatures alone; the best
of three runs counts. The one law: every case reads its capture in the same way.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sensor.alert import Detection
from sensor.detection.detector import Batch
from tests.bench.captures import capture
from tests.traffic import Packet, Talk, merged, write_pcap

WORDS = (
    "api", "user", "order", "item", "cart", "price", "admin", "login", "token", "report", "export", "upload", "file",
    "image", "search", "query", "filter", "page",
)  # fmt: skip
BUFFERS = (
    ("http.uri", 50), ("http.user_agent", 15), ("http.request_body", 20), ("http.header", 10),
    ("http.response_body", 5),
)  # fmt: skip
RUNS = 3
WARM_TRANSACTIONS = 8_000
"""After these the measurement begins: the database of patterns is loaded with the first."""


def content_rules(count: int, seed: int = 11) -> str:
    """So many rules with one or two contents each, as lists of known exploits have them: no two alike."""
    chance = random.Random(seed)
    buffers = [name for name, weight in BUFFERS for _ in range(weight)]
    lines = []
    for number in range(count):
        name = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=chance.randint(6, 12)))
        one = f"/{chance.choice(WORDS)}/{name}.{chance.choice(('php', 'cgi', 'jsp', 'asp'))}"
        two = f'content:"{chance.choice(WORDS)}="; nocase; ' if chance.random() < 0.5 else ""
        lines.append(
            f'alert http any any -> any any (msg:"exploit {number}"; {chance.choice(buffers)}; content:"{one}"; '
            f"nocase; {two}sid:{1_000_000 + number}; rev:1;)"
        )
    return "\n".join(lines) + "\n"


def shop(requests: int, hits: bool = False, coded: bool = False) -> list[Packet]:
    """So many requests with JSON both ways on a hundred connections; with literals of rules in them, or coded."""
    chance, talks = random.Random(5), []
    for connection in range(100):
        talk = Talk(source=f"10.0.{connection}.1", source_port=40_000 + connection, step=1_000_000).open()
        for number in range(requests // 100):
            body = json.dumps([{"id": chance.randrange(10**6), "name": "x" * 20} for _ in range(8)]).encode()
            path = f"/cgi-bin/cart/{number}?cmd=a{number}&ids={number}" if hits else f"/api/cart/{number}"
            extra = "X-Base-Url: b\r\n" if hits else ""
            answer = json.dumps({"data": [chance.random() for _ in range(60)]}).encode()
            coding = ""
            if coded:
                body, answer, coding = gzip.compress(body), gzip.compress(answer), "Content-Encoding: gzip\r\n"
            talk.client(
                f"POST {path} HTTP/1.1\r\nHost: shop.test\r\n{extra}{coding}Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
            ).server(
                f"HTTP/1.1 200 OK\r\n{coding}Content-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                .encode() + answer
            )  # fmt: skip
        talks.append(talk.close())
    return merged(*(talk.packets for talk in talks))


def run(path: str, rules: list[str], alone: bool) -> dict[str, float]:
    """One pass over a capture, in this process."""
    import msgspec

    from sensor.cli.rules_trial import only
    from sensor.config import DetectionSettings, Settings, SignatureSettings
    from sensor.pipeline import Pipeline

    signatures = SignatureSettings(enabled=bool(rules), rules=tuple(rules or ("default",)))
    detection = only(signatures=signatures) if alone else msgspec.structs.replace(
        DetectionSettings(), signatures=signatures
    )
    pipeline = Pipeline(Settings(detection=detection), [path])
    detector = pipeline._detection.detectors.get("signatures")
    transactions, before, spent = 0, (0.0, 0, 0, 0), [0]
    if detector is not None:
        process = detector.process

        def timed(batch: Batch) -> list[Detection]:
            began = time.process_time_ns()
            found = process(batch)
            spent[0] += time.process_time_ns() - began
            return found

        detector.process = timed  # type: ignore[method-assign]

    def read() -> tuple[float, int, int, int]:
        return time.process_time(), pipeline.counters()["capture"]["frames"], transactions, spent[0]

    for batch in pipeline:
        transactions += len(batch.transactions)
        if not before[2] and transactions > WARM_TRANSACTIONS:
            before = read()
    seconds, packets, counted, ns = (after - first for after, first in zip(read(), before, strict=True))
    return {
        "seconds": seconds, "packets": packets, "ns": ns / max(counted, 1), "shed": getattr(detector, "shed", 0),
    }  # fmt: skip


def best(path: str, rules: list[str], alone: bool) -> dict[str, float]:
    """The best of some runs, each in a process of its own."""
    found = []
    for _ in range(RUNS):
        command = [sys.executable, "-m", "tests.bench.bench_rules", "--run", json.dumps([path, rules, alone])]
        found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    return min(found, key=lambda each: each["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--hostile", type=int, default=40_000, help="requests of hostile captures")
    parser.add_argument("--run")
    given = parser.parse_args()
    if given.run:
        print(json.dumps(run(*json.loads(given.run))))
        return
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many.rules"
        many.write_text(content_rules(given.rules))
        path = str(capture(given.packets))
        print("| detectors | rules | packets per CPU second | signatures, ns a transaction | candidates shed |")
        print("|---|---|---|---|---|")
        for alone in (True, False):
            for name, rules in (("none", []), ("those that ship", ["default"]),
                                (f"and {given.rules:,} more", ["default", str(many)])):  # fmt: skip
                one = best(path, rules, alone)
                print(f"| {'signatures alone' if alone else 'all'} | {name} | {one['packets'] / one['seconds']:,.0f} "
                      f"| {one['ns']:.0f} | {one['shed']:.0f} |", flush=True)  # fmt: skip
        print("\n| traffic | packets per CPU second | of ordinary | signatures, ns a transaction | candidates shed |")
        print("|---|---|---|---|---|")
        ordinary = 0.0
        for name, options in (("ordinary", {}), ("every request a hit", {"hits": True}),
                              ("every body coded", {"coded": True})):  # fmt: skip
            path = str(write_pcap(Path(folder) / f"{len(name)}.pcap", shop(given.hostile, **options)))
            one = best(path, ["default"], False)
            speed = one["packets"] / one["seconds"]
            ordinary = ordinary or speed
            print(f"| {name} | {speed:,.0f} | {speed / ordinary:.0%} | {one['ns']:.0f} | {one['shed']:.0f} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
