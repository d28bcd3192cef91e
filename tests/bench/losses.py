"""What losing packets at random costs in captures of real programs: in: whole captures; out: of the exchanges of which
both heads are left, those that still come out as one transaction.

    python -m tests.bench.losses SHARE TIMES CAPTURE...        (a pcap, or one in xz)

What the whole capture gives is taken for the truth. The one law: which packets are lost is drawn from the number of the
time alone.
"""

from __future__ import annotations

import lzma
import random
import struct
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sensor.config import Settings
from sensor.pipeline import Pipeline
from sensor.schema import TransactionFlag

Head = tuple[int, ...]
"""Both ends and packet time of a message's first byte."""
BOTH = TransactionFlag.REQUEST | TransactionFlag.RESPONSE
ENDS = ("client_hi", "client_lo", "client_port", "server_hi", "server_lo", "server_port")
MAGICS = {b"\xd4\xc3\xb2\xa1": ("<", 1_000), b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\xc3\xd4": (">", 1_000)}


@dataclass
class Figures:
    """Exchanges of which both heads are left, those that were paired, and pairs of halves of different exchanges."""

    left: int = 0
    paired: int = 0
    wrong: list[tuple[Head, Head]] = field(default_factory=list)


def frames(path: Path) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The file's header, and each record with its time in ns."""
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    order, unit = MAGICS[content[:4]]
    found, at = [], 24
    while at + 16 <= len(content):
        seconds, fraction, length = struct.unpack_from(order + "III", content, at)
        found.append((seconds * 10**9 + fraction * unit, content[at : at + 16 + length]))
        at += 16 + length
    return content[:24], found


def exchanges(header: bytes, records: list[tuple[int, bytes]]) -> set[tuple[Head, Head]]:
    """Where request and response of each transaction that has both begin."""
    found = set()
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(header + b"".join(record for _, record in records))
        file.flush()
        for batch in Pipeline(Settings(), [file.name]):
            rows = batch.transactions
            for row in rows[rows["flags"] & BOTH == BOTH]:
                ends = tuple(int(row[name]) for name in ENDS)
                found.add(((*ends, int(row["ts"])), (*ends, int(row["response_ts"]))))
    return found


def survey(path: Path, share: float, times: int) -> Figures:
    """What is left of the capture's exchanges, over so many times of losing that share of its packets."""
    header, records = frames(path)
    truth = exchanges(header, records)
    asked, answered = dict(truth), {second: first for first, second in truth}
    sent, figures = Counter(ts for ts, _ in records), Figures()
    for time in range(times):
        chance = random.Random(f"{time}/{share}")
        kept = [record for record in records if chance.random() >= share]
        seen = Counter(ts for ts, _ in kept)
        found = exchanges(header, kept)
        left = {pair for pair in truth if all(seen[head[-1]] == sent[head[-1]] for head in pair)}
        figures.left += len(left)
        figures.paired += len(left & found)
        known = [pair for pair in found - truth if pair[0] in asked and pair[1] in answered]
        figures.wrong += known
    return figures


def main(share: float, times: int, paths: list[str]) -> None:
    for path in paths:
        figures = survey(Path(path), share, times)
        percent = 100 * figures.paired / max(figures.left, 1)
        found = f"{figures.paired:,} of {figures.left:,} ({percent:.2f} %)"
        print(f"{Path(path).name}: {found}, {len(figures.wrong)} wrong", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
