"""Random rules, here and in Suricata: in: seeds; out: where the alerts differ.

    python -m tests.fuzz.signatures [SEEDS [FIRST]]

The one law: of rules that both load every one tells of the same conversations, each of which has a client of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sensor.config import Settings, SignatureSettings
from sensor.detection.signatures.ruleset import RuleSet
from sensor.pipeline import Pipeline
from tests.detection.tables import alone
from tests.fuzz.signature_rules import EXCHANGES, Author
from tests.traffic import SECOND, START, Packet, exchange, write_pcap

RULES = 600
"""Of a run: Suricata tells at most 255 alerts of one packet, and about a tenth of them match one."""
Told = set[tuple[int, int]]
"""(sid, number of the conversation)."""


def by_suricata(rules: Path, capture: Path) -> tuple[Told, set[int]]:
    """What it tells, and the rules that it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "suricata", "-r", capture, "-S", rules, "-l", folder, "-k", "none", "--runmode", "single",
            "--set", "packet-alert-max=255", "--set", "mpm-algo=ac",
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, timeout=300, check=True)
        log = (Path(folder) / "suricata.log").read_text()
        entries = [json.loads(line) for line in (Path(folder) / "eve.json").read_text().splitlines()]
    refused = {int(sid) for sid in re.findall(r"error parsing signature .*? sid:(\d+); rev", log)}
    alerts = [entry for entry in entries if entry["event_type"] == "alert"]
    return {(entry["alert"]["signature_id"], _number(entry["src_ip"], entry["dest_ip"])) for entry in alerts}, refused


def by_tapir(rules: Path, capture: Path) -> tuple[Told, set[int]]:
    lines = rules.read_text().splitlines()
    faults = [re.search(r"\.rules:(\d+)", str(fault)) for fault in RuleSet([str(rules)]).faults]
    refused = {int(re.findall(r"sid:(\d+)", lines[int(found.group(1)) - 1])[0]) for found in faults if found}
    settings = Settings(detection=alone(signatures=SignatureSettings(rules=(str(rules),))))
    alerts = [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]
    return {(int(alert.rule_id.rpartition("-")[2]), _number(str(alert.client_ip))) for alert in alerts}, refused


def _number(*addresses: str) -> int:
    return next(int(address.rpartition(".")[2]) for address in addresses if address.startswith("10."))


def differences(seed: int, count: int = RULES) -> tuple[int, list[str]]:
    """How many alerts both told, and what only one told."""
    rules = Author(seed).rules(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packets: list[Packet] = []
        for number, (request, response) in enumerate(EXCHANGES):
            source, start = f"10.0.0.{number}", START + number * SECOND
            packets += exchange(request, response, source=source, target="192.0.2.9", start=start).packets
        capture = write_pcap(folder / "talks.pcap", packets)
        file = folder / "random.rules"
        file.write_text("\n".join(rules) + "\n")
        (theirs, refused), (ours, not_ours) = by_suricata(file, capture), by_tapir(file, capture)
    wrong = [f"refused here alone: {rules[sid - 1]}" for sid in sorted(not_ours - refused)]
    for sid, number in sorted(theirs ^ ours):
        if sid not in refused | not_ours:
            who = "Suricata" if (sid, number) in theirs else "Tapir"
            wrong.append(f"only {who}, conversation {number}: {rules[sid - 1]}")
    return len(theirs & ours), wrong


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if shutil.which("suricata") is None:
        sys.exit("suricata is not installed")
    same = 0
    for seed in range(first, first + seeds):
        told, wrong = differences(seed)
        same += told
        print(f"seed {seed}: {told} alerts are the same, {len(wrong)} differ")
        print("".join(f"  {line}\n" for line in wrong), end="")
    print(f"{seeds * RULES} rules, {same} alerts are the same")


if __name__ == "__main__":
    main()
