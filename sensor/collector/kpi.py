"""Measures of the work with alerts: a store goes in; times to detect, acknowledge and resolve, and the share of false
positives by rule, and what the sensors' rules cover, come out.

Law: what cannot be measured yet is None, never 0.
"""

from __future__ import annotations

from statistics import mean, median

import msgspec

from sensor.collector.coverage import Covered, coverage, label
from sensor.collector.coverage import as_prometheus as coverage_lines
from sensor.collector.databases import Database
from sensor.collector.incidents import IncidentState


class Spread(msgspec.Struct, frozen=True):
    """Seconds over `count` incidents."""

    count: int
    mean_seconds: float | None
    median_seconds: float | None


class RuleQuality(msgspec.Struct, frozen=True):
    """Closed incidents with alerts of a rule, and how many of them were false positives."""

    rule_id: str
    closed: int
    false_positives: int

    @property
    def rate(self) -> float:
        return self.false_positives / self.closed


class SinkLag(msgspec.Struct, frozen=True):
    """Stored alerts that a sink has not taken yet, and those that it refused."""

    name: str
    waiting: int
    refused: int


class Kpi(msgspec.Struct, frozen=True):
    """Over the incidents that opened in the time asked for."""

    incidents: dict[str, int]          # by state
    time_to_detect: Spread             # from an incident's first packet to the sensor's first word on it
    time_to_acknowledge: Spread        # from opening; closed ones count as acknowledged then
    time_to_resolve: Spread            # from opening, false positives left out
    late: int                          # acknowledged after they were due, or due and not acknowledged
    rules: tuple[RuleQuality, ...]
    owasp: tuple[Covered, ...]         # empty when no sensor has told what it looks for
    sinks: tuple[SinkLag, ...]         # of now


def kpi(base: Database, now: float, since: float = 0.0) -> Kpi:
    """`now` and `since` in seconds since 1970."""
    rows = base.execute("SELECT * FROM incidents WHERE opened >= ?", (since,)).fetchall()
    states = {str(state): sum(row["state"] == state for row in rows) for state in IncidentState}
    return Kpi(
        states,
        _spread([max(0.0, row["first_detected"] - row["first_seen"]) for row in rows]),
        _spread([row["acknowledged"] - row["opened"] for row in rows if row["acknowledged"] is not None]),
        _spread([row["closed"] - row["opened"] for row in rows if row["state"] == IncidentState.RESOLVED]),
        sum((row["acknowledged"] or now) > row["due"] + 60 for row in rows),
        _rules(base, since),
        coverage(base, since),
        _sinks(base),
    )


def _spread(seconds: list[float]) -> Spread:
    return Spread(len(seconds), mean(seconds), median(seconds)) if seconds else Spread(0, None, None)


def _rules(base: Database, since: float) -> tuple[RuleQuality, ...]:
    query = (
        "SELECT rule_id, count(DISTINCT incidents.id) AS closed,"
        " count(DISTINCT CASE WHEN incidents.state = 'false_positive' THEN incidents.id END) AS false_positives"
        " FROM alerts JOIN incidents ON incidents.id = alerts.incident"
        " WHERE incidents.state IN ('resolved', 'false_positive') AND incidents.opened >= ?"
        " GROUP BY rule_id ORDER BY rule_id"
    )
    return tuple(RuleQuality(*row) for row in base.execute(query, (since,)))


def _sinks(base: Database) -> tuple[SinkLag, ...]:
    query = (
        "SELECT name, (SELECT count(*) FROM alerts WHERE id > sink_positions.alert) AS waiting,"
        " (SELECT count(*) FROM sink_refusals WHERE sink = sink_positions.name) AS refused"
        " FROM sink_positions ORDER BY name"
    )
    return tuple(SinkLag(*row) for row in base.execute(query))


def as_prometheus(found: Kpi) -> str:
    """Prometheus' text format, for its node exporter's folder of text files."""
    lines = ["# HELP tapir_incidents Incidents by state.", "# TYPE tapir_incidents gauge"]
    lines += [f'tapir_incidents{{state="{state}"}} {count}' for state, count in found.incidents.items()]
    for name in ("time_to_detect", "time_to_acknowledge", "time_to_resolve"):
        spread: Spread = getattr(found, name)
        if spread.mean_seconds is not None:
            lines += [
                f"# HELP tapir_{name}_seconds Mean over incidents.", f"# TYPE tapir_{name}_seconds gauge",
                f"tapir_{name}_seconds {spread.mean_seconds:g}",
            ]  # fmt: skip
    lines += ["# HELP tapir_incidents_late Not acknowledged in time.", "# TYPE tapir_incidents_late gauge"]
    lines.append(f"tapir_incidents_late {found.late}")
    if found.rules:
        lines += ["# HELP tapir_false_positive_ratio Of closed incidents.", "# TYPE tapir_false_positive_ratio gauge"]
        lines += [f'tapir_false_positive_ratio{{rule="{label(one.rule_id)}"}} {one.rate:g}' for one in found.rules]
    for name, about in (("waiting", "Stored alerts not taken yet."), ("refused", "Alerts it will not take.")):
        if found.sinks:
            lines += [f"# HELP tapir_sink_{name} {about}", f"# TYPE tapir_sink_{name} gauge"]
            lines += [f'tapir_sink_{name}{{sink="{label(one.name)}"}} {getattr(one, name)}' for one in found.sinks]
    lines += coverage_lines(found.owasp)
    return "\n".join(lines) + "\n"
