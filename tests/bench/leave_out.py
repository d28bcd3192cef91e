#!/usr/bin/env python3
"""What is found of a class of attacks without its own judges, and of each source: in: labelled captures; out: tables.

    python -m tests.bench.leave_out ../shared/attack/dev [--of 200]

Nothing here is trained, so a class cannot be left out of training: its own findings are left out instead, and what is
still told of its attacks is what the other classes' words, grammars and encodings see of an attack that nobody thought
of. Sources are the lists that the attacks were taken from. The one law: a value counts when any finding is worth an
alert.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.detection.injection.finding import WEAK
from sensor.detection.injection.judge import judge
from sensor.detection.injection.values import request_values
from tests.bench.carriers import CORPORA, attacks, requests_of

OWN = {
    "cmdi": {"cmdi"}, "crlf": {"crlf"}, "ldapi": {"ldap"}, "lfi": {"path"}, "log4shell": {"jndi"}, "nosqli": {"nosql"},
    "open-redirect": {"open-redirect"}, "path-traversal": {"path"}, "sqli": {"sqli"}, "ssi": {"ssi"}, "ssrf": {"ssrf"},
    "ssti": {"ssti", "el"}, "xpathi": {"xpath"}, "xss": {"xss"}, "xxe": {"xxe"},
}  # fmt: skip
"""The kinds of findings that are a class's own."""
LEAST = 20
"""Attacks of a source that say something about it."""


def kinds(text: str) -> set[str]:
    return {finding.kind for finding in judge(text) if finding.points >= WEAK}


def without_own(folder: Path, of: int) -> list[str]:
    lines = ["| class | attacks | found | without its own judges |", "|---|---|---|---|"]
    for kind, values in attacks(folder, of).items():
        told = [kinds(value) for value in values]
        left = sum(bool(each - OWN.get(kind, set())) for each in told)
        found = sum(map(bool, told))
        lines.append(f"| {kind} | {len(values)} | {found / len(values):.3f} | {left / len(values):.3f} |")
    return lines


def by_source(folder: Path) -> list[str]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name in CORPORA:
        labels = lzma.decompress((folder / f"{name}.labels.jsonl.xz").read_bytes()).decode().splitlines()
        sources = {row["client"]: row["source"] for row in map(json.loads, labels) if row["label"] == "attack"}
        for client, octets in requests_of(folder, name):
            if client in sources:
                head, _, body = octets.partition(b"\r\n\r\n")
                values = request_values(head, body)
                worst = max((each.points for value in values for each in judge(value.text, value.form)), default=0)
                counts[sources[client]][0] += worst >= WEAK
                counts[sources[client]][1] += 1
    rows = sorted((k / n, n, source) for source, (k, n) in counts.items() if n >= LEAST)
    lines = [f"{len(rows)} sources of {LEAST} attacks and more; the ten of which least is found:", ""]
    lines += ["| source | attacks | found |", "|---|---|---|"]
    return lines + [f"| {source} | {n} | {share:.3f} |" for share, n, source in rows[:10]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", type=int, default=200, help="attacks of each class, at most")
    given = parser.parse_args()
    print("\n".join([*without_own(given.folder, given.of), "", *by_source(given.folder)]))


if __name__ == "__main__":
    main()
