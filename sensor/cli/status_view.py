"""A snapshot on a terminal: in: what vitals.py makes; out: a table for people, once or again and again.

The one law: what is not well stands out, in words and in colour.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sensor.alert import Severity
from sensor.control import ask

_FULL = 0.8
"""A table that is fuller than this is marked: what comes next may evict something."""
_LOSSES = ("dropped", "card_dropped", "flows_evicted", "evicted", "kernel_fault", "interfaces_lost")
_SHARE_BARS = 20
_LEFT_OUT = ("nothing", "heads and bodies", "heads and bodies, costly detectors", "all but flows of new connections")
"""What is left undone, by the step of overload."""
_SEVERITIES = [str(each) for each in Severity]
_MEMORY = {"anonymous": "of its own", "file": "mapped (libraries, the ring)", "shared": "shared"}


def show(snapshot: dict[str, Any]) -> None:
    """Print it once."""
    Console(highlight=False).print(view(snapshot))


def watch(path: str, seconds: float, count: int | None) -> None:
    """Show it again and again; ends after `count` looks, or when the sensor is gone (SettingError)."""
    console = Console(highlight=False)
    with Live(view(ask(path)), console=console, auto_refresh=False, screen=console.is_terminal) as live:
        looks = 1
        while count is None or looks < count:
            time.sleep(seconds)
            live.update(view(ask(path)), refresh=True)
            looks += 1


def view(snapshot: dict[str, Any]) -> RenderableType:
    """The whole picture; what a small terminal cuts off is what matters least."""
    if not snapshot:
        return Text("the sensor has started and seen nothing yet")
    return Group(_head(snapshot), Text(), _alerts(snapshot), Text(), _fills(snapshot), Text(), _detectors(snapshot))


def _head(snapshot: dict[str, Any]) -> Table:
    rates, counters = snapshot["rates"], snapshot["counters"]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    up = snapshot["taken"] - snapshot["started"]
    packet_time = datetime.fromtimestamp(snapshot["packet_time"], UTC)
    table.add_row("sensor", f"tapir {snapshot['version']} on {snapshot['source']}, up {_span(up)}")
    table.add_row("packet time", f"{packet_time:%Y-%m-%d %H:%M:%S} UTC")
    traffic = f"{rates['packets']:,.0f} packets/s, {rates['bytes'] * 8 / 1e6:,.1f} Mbit/s"
    table.add_row("now", f"{traffic}, {rates['transactions']:,.0f} transactions/s")
    frames = counters["capture"]["frames"]
    table.add_row("so far", f"{frames:,} packets, {counters['detection']['transactions']:,} transactions")
    losses = [
        f"{count:,} {name.replace('_', ' ')} ({stage})"
        for stage, counts in counters.items()
        for name, count in counts.items()
        if count and name in _LOSSES
    ]
    table.add_row("lost", Text("; ".join(losses), "bold red") if losses else Text("nothing", "green"))
    step = counters.get("overload", {}).get("step", 0)
    table.add_row("left undone", Text(_LEFT_OUT[step], "bold red" if step else "green"))
    batches = snapshot["batches"]
    mean = batches["seconds_sum"] / max(batches["count"], 1)
    table.add_row("batches", f"{batches['count']:,}, {1000 * mean:.1f} ms each")
    memory = snapshot["memory_bytes"].items()
    table.add_row("memory", ", ".join(f"{size / 1e6:,.0f} MB {_MEMORY[kind]}" for kind, size in memory))
    return table


def _fills(snapshot: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("table", "rows", "of", "full"):
        table.add_column(name, justify="left" if name in ("table", "full") else "right")
    for name, fill in snapshot["fills"].items():
        share = fill["used"] / max(fill["size"], 1)
        bar = "█" * round(share * _SHARE_BARS)
        table.add_row(
            name, f"{fill['used']:,}", f"{fill['size']:,}", Text(f"{share:4.0%} {bar}", "red" if share > _FULL else "")
        )
    return table


def _detectors(snapshot: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("detector")
    table.add_column("seconds", justify="right")
    table.add_column("ns/transaction", justify="right")
    transactions = max(snapshot["counters"]["detection"]["transactions"], 1)
    costs = sorted(snapshot["detector_seconds"].items(), key=lambda item: -item[1])
    for name, seconds in costs[:12]:
        table.add_row(name, f"{seconds:.2f}", f"{seconds * 1e9 / transactions:,.0f}")
    return table


def _alerts(snapshot: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("alerts raised")
    table.add_column("severity")
    table.add_column("count", justify="right")
    raised = [row for row in snapshot["alerts"] if row["state"] == "raised"]
    for row in sorted(raised, key=lambda row: (_SEVERITIES.index(row["severity"]), -row["count"]))[:12]:
        table.add_row(row["rule_id"], row["severity"], f"{row['count']:,}")
    if not raised:
        table.add_row("none", "", "")
    return table


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min"
