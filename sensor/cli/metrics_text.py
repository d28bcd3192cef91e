"""The page about metrics: in: nothing; out: docs/metrics.md, every metric and what every counter counts.

What a counter counts stands beside it where it is defined. The one law: the page names what the endpoint exports, no
more and no less.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import IntEnum

from sensor.alerting.journal import JournalCount
from sensor.bus.gate import GateCount
from sensor.bus.publisher import BusCount
from sensor.bus.replay import ReplayCount
from sensor.bus.stream import StreamCount
from sensor.config import Settings
from sensor.metrics import families
from sensor.pipeline import Pipeline
from sensor.vitals import Snapshot, Vitals

_OUTPUTS: dict[str, tuple[type[IntEnum], ...]] = {
    "bus": (BusCount, StreamCount), "log": (JournalCount,), "replay": (ReplayCount,), "gate": (GateCount,),
}
"""Beside the stages: there when alerts are published or kept in a journal."""
_MEMBER = re.compile(r"^\s+([A-Z0-9_]+) = \d+\s*(?:#\s*(.*))?$", re.MULTILINE)

_HEAD = """\
# Metrics

`service.metrics = "127.0.0.1:9464"` makes a running sensor answer there at `/metrics`, in Prometheus' format.
[grafana-dashboard.json](grafana-dashboard.json) is a dashboard, [prometheus-alerts.yml](prometheus-alerts.yml)
are rules for Prometheus. Everything is read from a snapshot that is at most a second old: asking costs the sensor
nothing. `tapir status --json` gives the same figures. This page: `tapir schema metrics`.

| metric | type | labels | |
|---|---|---|---|
"""
_STAGES = """
## tapir_stage_total

What each stage counts since the start, by the labels `stage` and `what`. `overload.step`, `live.interfaces_lost`,
`detection.rule_faults` and `reassembly.table_peak` are figures of the moment. The stages `live`, `evidence`, `bus`,
`log`, `replay` and `gate` are there when packets are captured from interfaces, evidence is kept, alerts are published
or kept in a journal.

| stage | what | |
|---|---|---|
"""
_TABLES = """
## tapir_table_rows_used, tapir_table_rows_size

Rows of the label `table`: {tables}; `ring` (parts of the
capture ring that wait, when packets are captured live). What is full evicts its oldest, which the stages count.
"""


def example() -> Snapshot:
    """A snapshot of a sensor that has read nothing, with everything that one can have."""
    pipeline = Pipeline(Settings(), [])
    vitals = Vitals(pipeline, "eth1")
    for batch in pipeline:
        vitals.note(batch, {}, 0.0, {"subscribers": 0, "lag_alerts": 0})
    return {**vitals.snapshot, "fills": {**vitals.snapshot["fills"], "ring": {"used": 0, "size": 64}}}


def counted() -> Iterator[tuple[str, str, str]]:
    """(stage, what, about) of every counter."""
    stages = {stage: (names,) for stage, names in Pipeline(Settings(), []).counter_names().items()}
    for stage, kinds in {**stages, **_OUTPUTS}.items():
        for kind in kinds:
            abouts = dict(_MEMBER.findall(inspect.getsource(kind)))
            for member in kind:
                name = member.name.lower()
                yield stage, name, abouts.get(member.name) or name.replace("_", " ")


def as_markdown() -> str:
    """The whole page."""
    snapshot = example()
    rows = [
        f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in getattr(family, '_labelnames', ()))} |"
        f" {family.documentation} |\n"
        for family in families(snapshot)
        for name in [family.name + ("_total" if family.type == "counter" else "")]
    ]
    counters = [f"| `{stage}` | `{what}` | {about} |\n" for stage, what, about in counted()]
    tables = ", ".join(f"`{name}`" for name in snapshot["fills"] if name != "ring")
    return "".join([_HEAD, *rows, _STAGES, *counters, _TABLES.format(tables=tables)])
