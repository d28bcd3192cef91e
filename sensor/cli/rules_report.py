"""What `tapir rules` prints: in: rules, captures; out: lines of text or JSON.

The one law: one line a rule, one line a fault, one line a match.
"""

from __future__ import annotations

import json as json_module
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer

from sensor.alert import Detection, Http
from sensor.detection.signatures.ruleset import RuleSet
from sensor.detection.signatures.scan import Candidates

_NONE = np.zeros(0, np.uint8)


def report(sources: Sequence[str], json: bool, quiet: bool) -> int:
    """Print what loads and what does not; returns the number of faults."""
    rules = RuleSet(sources)
    slow = {signature.sid for signature in Candidates(rules).unconditional}
    for signature in () if quiet else rules.signatures:
        note = "tested on every transaction: it has no content to search first" if signature.sid in slow else ""
        if json:
            line = {"sid": signature.sid, "title": signature.rule.title, "severity": signature.rule.severity.value,
                    "where": signature.where, "loads": True, "note": note}  # fmt: skip
            typer.echo(json_module.dumps(line))
        else:
            typer.echo(f"loads  {signature.sid}  {signature.rule.severity.value:8}  {signature.rule.title}"
                       + (f"  ({note})" if note else ""))  # fmt: skip
    for fault in rules.faults:
        if json:
            typer.echo(json_module.dumps({"loads": False, "where": f"{fault.path}:{fault.line}",
                                          "keyword": fault.keyword, "problem": fault.problem}))  # fmt: skip
        else:
            typer.echo(f"FAULT  {fault}")
    if not json:
        typer.echo(f"{len(rules.signatures)} rules load, {len(rules.faults)} do not", err=True)
    return len(rules.faults)


def _tell(detection: Detection, json: bool) -> None:
    """One match: the rule, who, and which request."""
    http = detection.http or Http()
    line = {
        "ts": detection.first_ts / 1e9, "sid": detection.details.get("sid"), "client_ip": detection.client_ip,
        "client_port": detection.client_port, "server_ip": detection.server_ip, "server_port": detection.server_port,
        "method": http.method, "host": http.host, "uri": http.uri, "status_code": http.status_code,
    }  # fmt: skip
    if json:
        typer.echo(json_module.dumps(line))
        return
    words = (line[name] for name in ("sid", "client_ip", "method", "host", "uri", "status_code"))
    typer.echo("  ".join("-" if word is None else str(word) for word in words))


def try_rule(rule: str, captures: Sequence[str], json: bool) -> bool:
    """Print each transaction that a rule matches; returns whether something could not be read."""
    from sensor.config import DetectionSettings, Settings, SignatureSettings
    from sensor.detection.detector import Batch
    from sensor.detection.detectors.signatures import Signatures
    from sensor.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as folder:
        if "(" in rule and not Path(rule).exists():
            path = Path(folder) / "given.rules"
            path.write_text(rule + "\n", encoding="utf-8")
            rule = str(path)
        found = RuleSet([rule])
        for fault in found.faults:
            typer.echo(f"FAULT  {fault}", err=True)
        settings = DetectionSettings(signatures=SignatureSettings(rules=(rule,)))
        pipeline = Pipeline(Settings(detection=settings), captures)
        detector = Signatures(settings.signatures, pipeline.pool)
        matches = 0
        for part in pipeline:
            batch = Batch(part.transactions, part.flows, part.streams, part.now, _NONE, None, part.contents, part.arena)  # type: ignore[arg-type]
            for detection in detector.process(batch):
                matches += 1
                _tell(detection, json)
        for problem in pipeline.faults:
            typer.echo(str(problem), err=True)
        if not json:
            typer.echo(f"{matches} matches", err=True)
        return bool(found.faults or pipeline.faults)
