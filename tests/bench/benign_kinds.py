#!/usr/bin/env python3
"""What injection says of texts that people write, by kind: in: a folder of packages; out: a table of both halves.

    python -m tests.bench.benign_kinds /tmp/packages --fetch [--of pastes] [--every 3] [--show 5] [--kind language]

Each text (benign_documents.py, benign_pastes.py) is a request of its own, as JSON, form or query, and its values are
judged. The one law: `--show` prints what was said of the half "dev" alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import quote, quote_plus

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.detection.injection.finding import STRONG, WEAK, Finding
from sensor.detection.injection.judge import judge
from sensor.detection.injection.values import request_values
from tests.bench import benign_documents, benign_pastes
from tests.bench.benign_documents import Written
from tests.bench.packages import fetch

QUERY_MAX = 300
"""Characters of a text that somebody puts into a search."""
SETS = {"documents": benign_documents, "pastes": benign_pastes}


def request(written: Written) -> tuple[bytes, bytes]:
    """Head and body; what carries the text depends on it. JSON is a body itself."""
    text = written.text
    carrier = hashlib.sha256(b"carrier" + text.encode("utf-8", "surrogatepass")).digest()[0] % 4
    if carrier == 0 and written.kind != "JSON" and len(text) < QUERY_MAX:
        return f"GET /search?page=2&q={quote(text)} HTTP/1.1\r\n\r\n".encode(), b""
    head = "POST /posts HTTP/1.1\r\nContent-Type: application/"
    if written.kind == "JSON":
        return f"{head}json\r\n\r\n".encode(), text.encode("utf-8", "replace")
    if carrier == 1:
        return f"{head}x-www-form-urlencoded\r\n\r\n".encode(), f"tag=help&text={quote_plus(text)}".encode()
    body = json.dumps({"tag": "help", "text": text}, ensure_ascii=carrier == 2)
    return f"{head}json\r\n\r\n".encode(), body.encode()


def worst(written: Written) -> Finding:
    """The finding with the most points, of kind "" when there is none."""
    found = [each for value in request_values(*request(written)) for each in judge(value.text, value.form)]
    return max(found, key=lambda each: each.points, default=Finding("", 0, ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--of", choices=SETS, default="documents", help="which set of texts")
    parser.add_argument("--fetch", action="store_true", help="download the packages first")
    parser.add_argument("--every", type=int, default=1, help="judge one text in so many")
    parser.add_argument("--kind", help="this one alone")
    parser.add_argument("--show", type=int, default=0, help="samples of each evidence in the dev half")
    given = parser.parse_args()
    if given.fetch:
        fetch(given.folder, SETS[given.of].PACKAGES)
    counts: Counter[tuple[str, str, str]] = Counter()
    shown: Counter[str] = Counter()
    for written in SETS[given.of].texts(given.folder)[:: given.every]:
        if given.kind not in (None, written.kind):
            continue
        finding = worst(written)
        level = "medium" if finding.points >= STRONG else "low" if finding.points >= WEAK else "none"
        counts[written.kind, written.half, level] += 1
        if level != "none" and written.half == "dev" and shown[finding.evidence] < given.show:
            shown[finding.evidence] += 1
            print(f"--- {finding.points} {finding.kind} ({finding.evidence}) in {written.kind}\n{written.text[:600]!r}")
    print("| kind | dev: texts, low, medium | held-out: texts, low, medium |\n|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _, _ in counts):
        cells = []
        for half in ("dev", "held-out"):
            low, medium = counts[kind, half, "low"], counts[kind, half, "medium"]
            cells.append(f"{low + medium + counts[kind, half, 'none']}, {low}, {medium}")
        print(f"| {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
