"""Rules over captures, with no other detectors: in: rules, captures; out: what they match, or would have told.

A backtest runs each capture by itself, in its own packet time, with the folding of alerts that the sensor has: what it
says is what would have been said. The one law: a rule that does not load is named, and the others are tried.
"""

from __future__ import annotations

import json as json_module
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import typer

from sensor.alert import Alert, Detection, State
from sensor.cli.rules import split
from sensor.config import DetectionSettings, Settings, SigmaSettings, SignatureSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors import DETECTORS
from sensor.pipeline import Pipeline

_NONE = np.zeros(0, np.uint8)


def only(**chosen: Any) -> DetectionSettings:
    """Settings with no detectors but these."""
    shipped = DetectionSettings()
    others = {name: msgspec.structs.replace(getattr(shipped, name), enabled=False) for name in DETECTORS}
    return msgspec.structs.replace(shipped, **{**others, **chosen})


@contextmanager
def _of(rules: str) -> Iterator[DetectionSettings]:
    """Settings with these rules, and nothing else that detects."""
    with tempfile.TemporaryDirectory() as folder:
        if "(" in rules and not Path(rules).exists():
            path = Path(folder) / "given.rules"
            path.write_text(rules + "\n", encoding="utf-8")
            rules = str(path)
        signatures, sigma = split([rules])
        yield only(
            signatures=SignatureSettings(enabled=bool(signatures), rules=tuple(signatures)),
            sigma=SigmaSettings(enabled=bool(sigma), rules=tuple(sigma)),
        )


def _opened(settings: DetectionSettings, captures: Sequence[str]) -> tuple[Pipeline, int]:
    """The captures, and how many rules have faults, which are printed."""
    pipeline = Pipeline(Settings(detection=settings), captures)
    for note in pipeline.notes:
        typer.echo(f"FAULT  {note}", err=True)
    return pipeline, len(pipeline.notes)


def _unreadable(pipeline: Pipeline) -> int:
    for problem in pipeline.faults:
        typer.echo(str(problem), err=True)
    return len(pipeline.faults)


def try_rule(rule: str, captures: Sequence[str], json: bool) -> bool:
    """Print each transaction, flow or lookup that a rule matches; returns whether something could not be read."""
    with _of(rule) as settings:
        pipeline, faults = _opened(settings, captures)
        detectors = [
            detector(getattr(settings, name), pipeline.pool)
            for name, detector in DETECTORS.items()
            if getattr(settings, name).enabled
        ]
        matches = 0
        for part in pipeline:
            batch = Batch(
                part.transactions, part.flows, part.streams, part.now, _NONE, None, part.contents, part.arena,  # type: ignore[arg-type]
                tls=part.tls, dns=part.dns,
            )  # fmt: skip
            for detection in (found for detector in detectors for found in detector.process(batch)):
                matches += 1
                _tell(detection, json)
        if not json:
            typer.echo(f"{matches} matches", err=True)
        return faults + _unreadable(pipeline) > 0


def _tell(detection: Detection, json: bool) -> None:
    """One match: the rule, who, and which request, lookup or connection."""
    line: dict[str, Any] = {
        "ts": detection.first_ts / 1e9, "sid": detection.details.get("sid"), "rule_id": detection.rule.id,
        "client_ip": detection.client_ip, "client_port": detection.client_port, "server_ip": detection.server_ip,
        "server_port": detection.server_port,
    }  # fmt: skip
    of, more = _matched(detection)
    if json:
        typer.echo(json_module.dumps({**line, "of": of, **more}))
        return
    shown = [str(line["sid"] or line["rule_id"]), str(line["client_ip"])]
    if of == "flow":
        shown.append(f"{line['client_port']} -> {line['server_ip']} {line['server_port']}")
    typer.echo("  ".join([*shown, *("-" if word is None else str(word) for word in more.values())]))


def _matched(detection: Detection) -> tuple[str, dict[str, Any]]:
    """What a match is of, and what tells it from others."""
    http, details = detection.http, detection.details
    if http is not None:
        return "transaction", {
            "method": http.method, "host": http.host, "uri": http.uri, "status_code": http.status_code,
        }  # fmt: skip
    if "query" in details:
        return "lookup", {"query": details["query"], "qtype_name": details["qtype_name"]}
    return "flow", {}


def backtest(rules: str, captures: Sequence[str], json: bool) -> bool:
    """Print what rules would have told of each capture; returns whether something could not be read."""
    failed = 0
    with _of(rules) as settings:
        for capture in captures:
            pipeline, faults = _opened(settings, [capture])
            told: dict[str, list[Alert]] = {}
            transactions, first = 0, 0
            for part in pipeline:
                transactions += len(part.transactions)
                if not first and len(part.transactions):
                    first = int(part.transactions["ts"].min())
                for alert in part.alerts:
                    told.setdefault(alert.alert_id, []).append(alert)
            failed += faults + _unreadable(pipeline)
            _report(capture, list(told.values()), transactions, first / 1e9, json)
    return failed > 0


def summary(alerts: list[list[Alert]], began: float) -> list[dict[str, Any]]:
    """Figures of each rule, `alerts` being lists of the revisions of one alert, `began` the capture's first request.

    alerts: would have been raised; entities: about so many; repeats: about one that had an alert before; matches:
    folded into them; first_seconds: from the capture's first request to the first alert; detection_seconds: from the
    first packet that an alert speaks of to the alert, the median.
    """
    rules: dict[str, list[list[Alert]]] = {}
    for revisions in alerts:
        rules.setdefault(revisions[0].rule_id, []).append(revisions)
    lines = []
    for rule, found in rules.items():
        first = found[0][0]
        entities = Counter(revisions[0].entity for revisions in found)
        delays = sorted(max(revisions[0].ts - revisions[0].first_seen, 0.0) for revisions in found)
        lines.append({
            "rule_id": rule, "title": first.title, "severity": found[0][-1].severity.value,
            "alerts": len(found), "entities": len(entities), "repeats": len(found) - len(entities),
            "matches": sum(revisions[-1].count for revisions in found),
            "first_seconds": round(first.ts - began, 3) if began else None,
            "detection_seconds": round(delays[(len(delays) - 1) // 2], 3),
        })  # fmt: skip
    return sorted(lines, key=lambda line: (-int(line["alerts"]), str(line["rule_id"])))


def _report(capture: str, alerts: list[list[Alert]], transactions: int, began: float, json: bool) -> None:
    lines = summary([revisions for revisions in alerts if revisions[0].state == State.RAISED], began)
    if json:
        for revisions in alerts:
            one = revisions[0]
            found = {
                "rule_id": one.rule_id, "entity": f"{one.entity.kind}:{one.entity.value}", "ts": one.ts,
                "first_seen": one.first_seen, "matches": revisions[-1].count, "revisions": len(revisions),
            }  # fmt: skip
            typer.echo(json_module.dumps({"kind": "alert", "capture": capture, **found}))
        for line in lines:
            typer.echo(json_module.dumps({"kind": "rule", "capture": capture, **line}))
        typer.echo(json_module.dumps({"kind": "capture", "capture": capture, "transactions": transactions,
                                      "alerts": len(alerts), "rules": len(lines)}))  # fmt: skip
        return
    typer.echo(f"{capture}: {transactions} transactions, {len(alerts)} alerts of {len(lines)} rules")
    for line in lines:
        soon = f"{line['first_seconds']} s in, " if line["first_seconds"] is not None else ""
        typer.echo(
            f"  {line['severity']:8}  {line['alerts']} alerts about {line['entities']} ({line['repeats']} repeats), "
            f"{line['matches']} matches, first {soon}{line['detection_seconds']} s after it began: {line['title']}"
        )
