#!/usr/bin/env python3
"""Records the captures of this folder again: record.py [NAME ...]   (all of them without a name).

Goes in: root, Linux, and the programs that recorder/network.py names (apt: iproute2 ethtool iputils-ping tcpdump nginx-light curl nmap hydra) and
Python's requests. Comes out: NAME.pcap, NAME.expected.jsonl, MANIFEST.json and the table of README.md. The law: see recorder/lab.py.
"""

from __future__ import annotations

import collections
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from recorder import network, synthetic
from recorder.lab import Lab, Scenario
from recorder.scenarios import SCENARIOS

PCAPS = Path(__file__).resolve().parent
MANIFEST = PCAPS / "MANIFEST.json"


def entry(scenario: Scenario, how: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A capture's line in the manifest: what it shows and what must come out of it."""
    statuses = collections.Counter(str(row["status_code"]) for row in rows)
    return {
        "name": scenario.name,
        "shows": scenario.shows,
        "recorded": how,
        "transactions": len(rows),
        "statuses": dict(sorted(statuses.items())),
        "alerts": [{"rule": rule, "entity_kind": kind, "entity": value} for rule, kind, value in scenario.alerts],
    } | scenario.extra


def record(scenario: Scenario) -> dict[str, Any]:
    """Record one capture in a network of its own."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(scenario.name, PCAPS, Path(folder))
        with network.network(), lab.servers():
            scenario.record(lab)
            rows = lab.settle()
    print(f"{scenario.name}: {lab.pcap.stat().st_size} bytes, {len(rows)} transactions", flush=True)
    return entry(scenario, f"pcaps/record.py {scenario.name}", rows) | lab.extra


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
    for name in names or [*SCENARIOS, *synthetic.CAPTURES]:
        if name in SCENARIOS:
            entries[name] = record(SCENARIOS[name])
        else:
            scenario, rows = synthetic.write(name, PCAPS)
            entries[name] = entry(scenario, f"synthetic: pcaps/record.py {name}", rows)
    order = [name for name in [*SCENARIOS, *synthetic.CAPTURES] if name in entries]
    MANIFEST.write_text(json.dumps([entries[name] for name in order], indent=1) + "\n")
    write_table([entries[name] for name in order])


if __name__ == "__main__":
    main(sys.argv[1:])
