#!/usr/bin/env python3
"""Records the captures of this folder again: record.py [NAME ...]   (all of them without a name).

Goes in: root, Linux, the programs that recorder/network.py names (apt: iproute2 ethtool iputils-ping tcpdump
nginx-light curl nmap hydra sslscan; for DNS dnsmasq-base bind9-dnsutils iodine dns2tcp), Python's requests, scapy,
httpx[http2], hypercorn, websockets
and grpcio. Comes out: NAME.pcap, NAME.expected.jsonl, MANIFEST.json
and the table of README.md. The law: see recorder/lab.py.
"""

from __future__ import annotations

import collections
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from recorder import attacks, http2, lookups, network, scenarios, switched, synthetic
from recorder.lab import CAPTURES, Lab

PCAPS = Path(__file__).resolve().parent
MANIFEST = PCAPS / "MANIFEST.json"
SOURCES = (scenarios, http2, switched, attacks, lookups, synthetic)  # importing them fills CAPTURES


def record(name: str) -> dict[str, Any]:
    """Record one capture in a network of its own; its entry of the manifest."""
    capture = CAPTURES[name]
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(name, PCAPS, Path(folder))
        if name.startswith("synthetic-"):
            capture.record(lab)
            rows = lab.settle()
        else:
            with network.network(), lab.servers():
                capture.record(lab)
                rows = lab.settle()
    statuses = collections.Counter(str(row["status_code"]) for row in rows)
    print(f"{name}: {lab.pcap.stat().st_size} bytes, {len(rows)} transactions", flush=True)
    return {
        "name": name,
        "shows": capture.shows,
        "recorded": f"{'crafted' if name.startswith('synthetic-') else 'recorded'} by pcaps/record.py {name}",
        "compare": capture.compare,
        "transactions": len(rows),
        "statuses": dict(sorted(statuses.items())),
        "alerts": [alert._asdict() for alert in capture.alerts],
    } | lab.extra


def write_table(entries: list[dict[str, Any]]) -> None:
    """Replace the table of README.md."""
    readme = PCAPS / "README.md"
    before, mark, _ = readme.read_text().partition("<!-- table: written by record.py -->\n")
    lines = ["| capture | what it shows | transactions | alerts |", "|---|---|---|---|"]
    for one in entries:
        alerts = ", ".join(f"{alert['rule']} ({alert['entity'] or alert['entity_kind']})" for alert in one["alerts"])
        lines.append(f"| {one['name']} | {one['shows']} | {one['transactions']} | {alerts or 'none'} |")
    readme.write_text(before + mark + "\n".join(lines) + "\n")


def main(names: list[str]) -> None:
    entries = {one["name"]: one for one in json.loads(MANIFEST.read_text())} if MANIFEST.exists() else {}
    for name in names or CAPTURES:
        entries[name] = record(name)
    kept = [entries[name] for name in CAPTURES if name in entries]
    MANIFEST.write_text(json.dumps(kept, indent=1) + "\n")
    write_table(kept)


if __name__ == "__main__":
    main(sys.argv[1:])
