"""What `tapir rules check` prints: in: files and folders of rules; out: lines of text or JSON.

The one law: one line a rule, one line a fault.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from sensor.detection.signatures.ruleset import RuleSet
from sensor.detection.signatures.scan import Candidates
from sensor.detection.unseen import Unseen

_SLOW = "tested on every transaction: it has no content to search first"


def report(signatures: Sequence[str], sigma: Sequence[str], json: bool, quiet: bool) -> int:
    """Print what loads and what does not; returns the number of faults."""
    lines = [*_signatures(signatures), *(_sigma(sigma) if sigma else ())]
    faults = 0
    for line in lines:
        faults += not line["loads"]
        if quiet and line["loads"]:
            continue
        if json:
            typer.echo(json_module.dumps(line))
        elif line["loads"]:
            note = f"  ({line['note']})" if line["note"] else ""
            typer.echo(f"loads  {line['sid'] or '-'}  {line['severity']:8}  {line['title']}{note}")
        else:
            typer.echo(f"FAULT  {line['where']}: {line['problem']}")
    if not json:
        typer.echo(f"{len(lines) - faults} rules load, {faults} do not", err=True)
    return faults


def _signatures(sources: Sequence[str]) -> Iterator[dict[str, Any]]:
    rules = RuleSet(sources)
    slow = {signature.sid for signature in Candidates(rules, Unseen()).unconditional}
    for signature in rules.signatures:
        yield {"sid": signature.sid, "title": signature.rule.title, "severity": signature.rule.severity.value,
               "where": signature.where, "loads": True, "note": _SLOW if signature.sid in slow else ""}  # fmt: skip
    for fault in rules.faults:
        yield {"loads": False, "where": f"{fault.path}:{fault.line}", "keyword": fault.keyword,
               "problem": fault.problem}  # fmt: skip


def _sigma(sources: Sequence[str]) -> Iterator[dict[str, Any]]:
    from sensor.detection.detectors.sigma import loaded
    from sensor.detection.sigma.column import Of

    rules = loaded(sources)
    for place, each in enumerate(rules.detecting):
        slow = each.source.of is Of.TRANSACTIONS and each.condition.guard is None
        note = "counted by another rule" if not rules.told[place] else _SLOW if slow else ""
        yield {"sid": None, "title": each.rule.title, "severity": each.rule.severity.value, "where": each.rule.id,
               "loads": True, "note": note}  # fmt: skip
    for correlation in rules.correlations:
        yield {"sid": None, "title": correlation.rule.title, "severity": correlation.rule.severity.value,
               "where": correlation.rule.id, "loads": True, "note": f"correlation: {correlation.type}"}  # fmt: skip
    for problem in rules.problems:
        yield {"loads": False, "where": problem.file, "keyword": "", "problem": problem.reason}
