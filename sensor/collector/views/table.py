"""Alerts as rows of a table on a terminal, each printed once as it comes, so that the terminal's own scrolling keeps
them all.

Law: nothing that traffic or a peer has chosen reaches the terminal as a control sequence; a row's columns stand where
the header's do.
"""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sensor.alert import Alert, Severity, State
from sensor.bus.message import Message

_STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
_WIDE = 110  # columns from which the date has room beside the time
_GAP = 2     # columns between two cells


class AlertTable:
    """Prints to `console` (standard output when None); the header comes again when it has scrolled away."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self._rows_until_header = 0

    def show(self, message: Message) -> None:
        self.show_alert(message.alert)

    def show_alert(self, alert: Alert) -> None:
        """Print one row."""
        console = self._console
        header = self._rows_until_header == 0
        self._rows_until_header = max(10, console.height - 2) if header else self._rows_until_header - 1
        table = _table(console.width, header)
        dim = "" if alert.state == State.RAISED else "dim"
        table.add_row(
            _when(alert, console.width >= _WIDE),
            Text(alert.severity.upper(), style=_STYLES[alert.severity]),
            Text(_change(alert), style=dim),
            Text(printable(alert.title), style=dim),
            Text(printable(f"{alert.entity.kind} {alert.entity.value}")),
            Text(printable(_why(alert))),
        )
        console.print(table)

    def close(self) -> None:
        """The terminal stays open."""


def printable(text: str) -> str:
    """Control characters, line ends and direction marks as escapes: \\x1b, \\u202e."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _table(width: int, header: bool) -> Table:
    """A table whose columns depend on the terminal's width alone, so that rows printed one by one line up."""
    fixed = (19 if width >= _WIDE else 8, 8, 9)
    rest = max(45, width - sum(fixed) - 5 * _GAP)
    entity = max(15, rest * 24 // 100)  # an IPv4 address in one line
    alert = (rest - entity) // 2
    flexible = (alert, entity, rest - entity - alert)
    table = Table(box=None, show_header=header, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    names = ("time (UTC)" if width >= _WIDE else "UTC", "severity", "revision", "alert", "entity", "seen / limit")
    for name, columns in zip(names, (*fixed, *flexible), strict=True):
        table.add_column(name, width=columns, overflow="fold")
    return table


def _when(alert: Alert, with_date: bool) -> str:
    try:
        moment = datetime.fromtimestamp(alert.ts, UTC)
    except (OverflowError, ValueError, OSError):  # a broken peer: no calendar has that year
        return printable(str(alert.ts))
    return f"{moment:{'%Y-%m-%d %H:%M:%S' if with_date else '%H:%M:%S'}}"


def _change(alert: Alert) -> str:
    """What this revision is to the one before: "new", "update 2", "closed"."""
    return {State.RAISED: "new", State.UPDATED: f"update {alert.revision}", State.CLOSED: "closed"}[alert.state]


def _why(alert: Alert) -> str:
    """What was observed, and the threshold of the rule: 6 / 5 failed logins in 2 min; of what is wrong the first time,
    how often.
    """
    numbers = alert.numbers
    if not numbers.window_seconds:
        return f"{alert.count:,} {'time' if alert.count == 1 else 'times'}"
    figures = f"{figure(numbers.observed)} / {figure(numbers.threshold)}"
    return f"{figures} {numbers.unit} in {span_text(numbers.window_seconds)}"


def figure(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"


def span_text(seconds: float) -> str:
    for unit_seconds, unit in ((3600, "h"), (60, "min")):
        if seconds >= unit_seconds and seconds % unit_seconds == 0:
            return f"{figure(seconds / unit_seconds)} {unit}"
    return f"{figure(seconds)} s"
