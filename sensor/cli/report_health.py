"""Findings as people and programs read them: in: what health.py found; out: a table, or one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sensor.cli.health import Finding, as_dicts, is_healthy

_PLAIN_WIDTH = 160
_COLOURS = {"ok": "green", "notice": "yellow", "trouble": "bold red"}


def show_health(findings: Sequence[Finding], unknown_links: Sequence[str], stream: TextIO) -> None:
    """Text; with colours on a terminal."""
    if stream.isatty():
        _print(Console(highlight=False, file=stream), findings, unknown_links)
        return
    plain = StringIO()
    _print(Console(highlight=False, file=plain, width=_PLAIN_WIDTH), findings, unknown_links)
    stream.writelines(line.rstrip() + "\n" for line in plain.getvalue().splitlines())


def show_health_json(findings: Sequence[Finding], stream: TextIO) -> None:
    """{"healthy": bool, "findings": [...]} on one line."""
    import msgspec

    found = {"healthy": is_healthy(list(findings)), "findings": as_dicts(list(findings))}
    stream.write(msgspec.json.encode(found).decode() + "\n")


def mirror_facts(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """The lines of a summary: what is wrong and what to do, or that nothing is."""
    left = [finding for finding in findings if finding.level != "ok"]
    lines = [f"{finding.text}: {_figure(finding)}. {finding.advice}" for finding in left]
    if is_healthy(list(findings)):
        lines.insert(0, "healthy")
    return [("mirror" if i == 0 else "", line) for i, line in enumerate(lines)]


def _print(console: Console, findings: Sequence[Finding], unknown_links: Sequence[str]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("what")
    table.add_column("how much", justify="right")
    table.add_column("what to do", overflow="fold")
    for finding in findings:
        advice = "" if finding.level == "ok" else finding.advice
        table.add_row(Text(finding.level, style=_COLOURS[finding.level]), finding.text, _figure(finding), advice)
    console.print(table)
    for line in unknown_links:
        console.print(line)
    trouble = sum(finding.level == "trouble" for finding in findings)
    console.print()
    verdict = f"{trouble} {'trouble' if trouble == 1 else 'troubles'} found" if trouble else "healthy"
    console.print(verdict, style=_COLOURS["trouble" if trouble else "ok"])


def _figure(finding: Finding) -> str:
    if not finding.whole:
        return f"{finding.seen:,}"
    if finding.seen == 0 or finding.seen == finding.whole:
        return f"{100 if finding.seen else 0} %"
    return f"{min(max(100 * finding.share, 0.01), 99.99):.2f} % ({finding.seen:,} of {finding.whole:,})"
