"""What rules cost: in: nothing; out: packets per CPU second and ns per transaction, with few and with 10,000 rules, on
ordinary and on hostile traffic.

    python -m tests.bench.bench_rules [--packets N] [--rules N]

Each case is a process of its own over a whole capture, with all default detectors and with signatures alone; the best of
three runs counts. The one law: every case reads its capture in the same way.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.captures import capture

WORDS = "api user order item cart price admin login token report export upload file image search query filter page".split()
BUFFERS = (
    ("http.uri", 50), ("http.user_agent", 15), ("http.request_body", 20), ("http.header", 10), ("http.response_body", 5),
)  # fmt: skip
RUNS = 2
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
            f'alert http any any -> any any (msg:"exploit {number}"; {chance.choice(buffers)}; content:"{one}"; nocase; '
            f"{two}sid:{1_000_000 + number}; rev:1;)"
        )
    return "\n".join(lines) + "\n"


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
    transactions, before = 0, (0.0, 0, 0, 0)

    def read() -> tuple[float, int, int, int]:
        frames = pipeline.counters()["capture"]["frames"]
        return time.process_time(), frames, transactions, pipeline.spent_ns.get("signatures", 0)

    for batch in pipeline:
        transactions += len(batch.transactions)
        if not before[2] and transactions > WARM_TRANSACTIONS:
            before = read()
    seconds, packets, counted, ns = (after - first for after, first in zip(read(), before, strict=True))
    detector = pipeline._detection.detectors.get("signatures")
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


if __name__ == "__main__":
    main()
