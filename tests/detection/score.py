"""How well labelled captures are judged: in: a folder of NAME.pcap.xz with NAME.truth.json; out: a table.

    python -m tests.detection.score [FOLDER] [--settings FILE] [--into docs/detection.md]

Each capture is read cold, and with the state that reading the first of the list (01a, benign) left. An attack is found
when an alert of its class names an attacker (or whatever it speaks of) while it goes on; an alert of medium or more
that names a benign client is false. The one law: only what truth.json says is right or wrong counts.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from sensor.alert import Alert, Kind, Severity
from sensor.config import Settings
from sensor.pipeline import Pipeline
from sensor.settings_file import load_settings

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
SLACK_SECONDS = 30.0
"""An alert may come so long after the end of what it speaks of: some windows must close first."""
CLASSES = {
    "port_scan": r"port-scan|host-scan|block-scan|slow-scan",
    "web_scan": r"web-scan|path|dir|enumerat|vulnerability-scan|scanner",
    "brute_force": r"brute|login|stuffing|spray",
    "bola_enumeration": r"bola|object|enumerat",
    "data_exfil_bulk": r"bulk|exfil|volume|paging|page",
    "data_exfil_slow": r"exfil|volume|paging|page|object",
    "beaconing": r"beacon|upload|outside",
    "beaconing_tls": r"beacon|upload|outside",
    "token_sharing": r"token|session|travel|credential-shared|stolen",
    "error_spike": r"error|5xx|availab|unwell|down|spike",
    "cleartext_basic_auth": r"basic|clear",
    "credentials_in_url": r"url",
    "dns_tunnel": r"dns",
    "response_time_shift": r"response-time|slow",
    "endpoint_down": r"down",
    "exfil_upload": r"upload|outside|exfil",
}
"""Class of truth.json -> ids of the rules that name it; a class that is not here is compared word by word."""
BLAMING = {Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL}


@dataclass
class Scored:
    """One capture, read once: by attack the seconds until it was found (None: not); who was blamed wrongly."""

    name: str
    found: dict[str, float | None] = field(default_factory=dict)
    rules: dict[str, set[str]] = field(default_factory=dict)
    false: set[tuple[str, str]] = field(default_factory=set)


def read(capture: Path, settings: Settings) -> list[Alert]:
    """All revisions of all alerts."""
    return [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]


def names_of(alert: Alert) -> set[str]:
    """Everything an alert names."""
    texts = [alert.entity.value, alert.client_ip or "", alert.server_ip or "", json.dumps(alert.details)]
    return set(re.findall(r"[0-9a-f.:]{3,}", " ".join(texts)))


def matches(alert: Alert, activity: dict[str, Any]) -> bool:
    """Whether an alert is about an activity: its class, whom it names, and when."""
    pattern = CLASSES.get(activity["class"], activity["class"].replace("_", "|"))
    if not re.search(pattern, alert.rule_id):
        return False
    if alert.last_seen < activity["start_ts"] - 1 or alert.first_seen > activity["end_ts"] + SLACK_SECONDS:
        return False
    attackers = set(activity["attackers"])
    return not attackers or bool(attackers & names_of(alert))


def is_about_may(alert: Alert, truth: dict[str, Any]) -> bool:
    """Whether an alert blames one of the attackers, for whatever."""
    attackers = {attacker for activity in truth["activities"] for attacker in activity["attackers"]}
    return bool(attackers & names_of(alert))


def score(name: str, alerts: list[Alert], truth: dict[str, Any]) -> Scored:
    """Compare alerts with the truth."""
    scored = Scored(name)
    for activity in truth["activities"]:
        hits = [alert for alert in alerts if matches(alert, activity)]
        after = min((alert.ts - activity["start_ts"] for alert in hits), default=None)
        scored.found[activity["class"]] = after
        scored.rules[activity["class"]] = {alert.rule_id for alert in hits}
    benign = set(truth["false_positives_if_reported_as_attackers"])
    for alert in alerts:
        right = any(matches(alert, activity) for activity in truth["activities"]) or is_about_may(alert, truth)
        blamed = {alert.entity.value, alert.client_ip or ""} & benign
        if alert.severity in BLAMING and alert.kind in (Kind.ATTACK, Kind.BEHAVIOUR) and blamed and not right:
            scored.false.add((alert.rule_id, min(blamed)))
    return scored


def with_state(settings: Settings, folder: Path) -> Settings:
    state = msgspec.structs.replace(settings.state, folder=str(folder))
    return msgspec.structs.replace(settings, state=state)


def score_all(folder: Path, settings: Settings) -> list[tuple[Scored, Scored]]:
    """Each capture cold, and after the first one."""
    truths = sorted(folder.glob("*.truth.json"))
    scored = []
    with tempfile.TemporaryDirectory() as made:
        work, learned = Path(made), Path(made) / "learned"
        for number, path in enumerate(truths):
            truth = json.loads(path.read_text())
            name = truth["name"]
            capture = work / f"{name}.pcap"
            capture.write_bytes(lzma.decompress((folder / f"{name}.pcap.xz").read_bytes()))
            cold = score(name, read(capture, settings), truth)
            if number == 0:
                warm = score(name, read(capture, with_state(settings, learned)), truth)
            else:
                state = work / f"state-{name}"
                shutil.copytree(learned, state)
                warm = score(name, read(capture, with_state(settings, state)), truth)
            capture.unlink()
            scored.append((cold, warm))
    return scored


def cells(scored: Scored, attack: str) -> tuple[str, str]:
    """Found after, and false alerts, as text."""
    after = scored.found.get(attack)
    found = "-" if not attack else "**no**" if after is None else f"{after:.0f} s"
    false = ", ".join(f"{rule} {who}" for rule, who in sorted(scored.false)) or "none"
    return found, false


def table(scored: list[tuple[Scored, Scored]]) -> str:
    """Markdown: a row for each attack of each capture."""
    lines = [
        "| capture | attack | found cold | found knowing 01a | by | false alerts cold | false alerts knowing 01a |",
        "|---|---|---|---|---|---|---|",
    ]
    for cold, warm in scored:
        for attack in cold.found or {"": None}:
            (found, false), (found_warm, false_warm) = cells(cold, attack), cells(warm, attack)
            rules = ", ".join(sorted(cold.rules.get(attack, set()) | warm.rules.get(attack, set()))) or "-"
            lines.append(
                f"| {cold.name} | {attack or 'none'} | {found} | {found_warm} | {rules} | {false} | {false_warm} |"
            )
    return "\n".join(lines) + "\n"


def put_into(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    begin, end = "<!-- scored -->\n", "<!-- /scored -->\n"
    before, _, rest = page.read_text().partition(begin)
    page.write_text(before + begin + text + end + rest.partition(end)[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=REAL)
    parser.add_argument("--settings", type=Path, help="site facts: inside networks, trusted proxies, time zone")
    parser.add_argument("--into", type=Path, help="a page with <!-- scored --> and <!-- /scored --> in it")
    given = parser.parse_args()
    scored = score_all(given.folder, load_settings(given.settings))
    text = table(scored)
    print(text, end="")
    if given.into:
        put_into(given.into, text)
    missed = sum(after is None for pair in scored for each in pair for after in each.found.values())
    false = sum(len(each.false) for pair in scored for each in pair)
    print(f"{missed} missed, {false} false, cold and knowing 01a together", file=sys.stderr)


if __name__ == "__main__":
    main()
