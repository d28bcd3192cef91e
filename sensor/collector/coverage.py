"""What sensors look for, against the OWASP API Security Top 10 of 2023: rules that sensors told of go in; rules and
alerts for each of the ten come out.

Law: what no sensor told of is not covered, and without any telling sensor nothing is known, which is not the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec

from sensor.bus.wire import RULES, ToldRules
from sensor.collector.databases import Away, Database, transaction

TOP_TEN = {
    "API1:2023": "Broken Object Level Authorization",
    "API2:2023": "Broken Authentication",
    "API3:2023": "Broken Object Property Level Authorization",
    "API4:2023": "Unrestricted Resource Consumption",
    "API5:2023": "Broken Function Level Authorization",
    "API6:2023": "Unrestricted Access to Sensitive Business Flows",
    "API7:2023": "Server Side Request Forgery",
    "API8:2023": "Security Misconfiguration",
    "API9:2023": "Improper Inventory Management",
    "API10:2023": "Unsafe Consumption of APIs",
}


class Covered(msgspec.Struct, frozen=True):
    """One of the ten: ids of enabled rules by sensor, and alerts of the time asked for, each counted once."""

    id: str
    title: str
    rules: dict[str, tuple[str, ...]]
    alerts: int


def keeper(base: Database) -> Callable[[str, bytes], None]:
    """Keeps what sensors tell on stats.rules, in a transaction of its own; what is none is passed over."""
    decoder = msgspec.json.Decoder(ToldRules)

    def keep(topic: str, body: bytes) -> None:
        if topic != RULES:
            return
        try:
            told = decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return
        with suppress(Away), transaction(base):  # it is told again within a minute
            base.execute(
                "INSERT INTO sensor_rules VALUES (?, ?, ?)"
                " ON CONFLICT (sensor) DO UPDATE SET at = excluded.at, body = excluded.body",
                (told.sensor, told.ts, body),
            )

    return keep


def coverage(base: Database, since: float = 0.0) -> tuple[Covered, ...]:
    """All ten; none when no sensor has told its rules. `since` in seconds since 1970."""
    told = [msgspec.json.decode(row["body"], type=ToldRules) for row in base.execute("SELECT body FROM sensor_rules")]
    if not told:
        return ()
    alerts = _alerts(base, {rule.id: rule.owasp for one in told for rule in one.rules}, since)
    return tuple(
        Covered(
            id_,
            title,
            {one.sensor: tuple(sorted(rule.id for rule in one.rules if id_ in rule.owasp)) for one in told},
            alerts[id_],
        )
        for id_, title in TOP_TEN.items()
    )


def _alerts(base: Database, owasp: dict[str, tuple[str, ...]], since: float) -> Counter[str]:
    query = "SELECT rule_id, count(*) AS alerts FROM alerts WHERE revision = 1 AND stored >= ? GROUP BY rule_id"
    found: Counter[str] = Counter()
    for row in base.execute(query, (since,)):
        found.update(dict.fromkeys(owasp.get(row["rule_id"], ()), row["alerts"]))
    return found


def as_prometheus(found: tuple[Covered, ...]) -> list[str]:
    """Lines of Prometheus' text format: rules of each of the ten by sensor, and the share that has any."""
    if not found:
        return []
    lines = ["# HELP tapir_owasp_rules Enabled rules for each of the OWASP API Security Top 10 of 2023.",
             "# TYPE tapir_owasp_rules gauge"]  # fmt: skip
    lines += [
        f'tapir_owasp_rules{{category="{one.id}",sensor="{label(sensor)}"}} {len(rules)}'
        for one in found
        for sensor, rules in one.rules.items()
    ]
    lines += ["# HELP tapir_owasp_alerts Alerts of these rules.", "# TYPE tapir_owasp_alerts gauge"]
    lines += [f'tapir_owasp_alerts{{category="{one.id}"}} {one.alerts}' for one in found]
    lines += ["# HELP tapir_owasp_covered_ratio Of the ten.", "# TYPE tapir_owasp_covered_ratio gauge"]
    lines += [
        f'tapir_owasp_covered_ratio{{sensor="{label(sensor)}"}} {sum(bool(one.rules[sensor]) for one in found) / 10:g}'
        for sensor in found[0].rules
    ]
    return lines


def label(text: str) -> str:
    """As a label's value is written."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
