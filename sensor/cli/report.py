"""The summary as people and programs read it: in: a Summary and the counters of all stages; out: text, or JSON
lines.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sensor.cli.health import as_dicts, examine, is_healthy
from sensor.cli.report_health import mirror_facts
from sensor.collector.views.table import span_text

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.cli.summary import Summary

Counts = dict[str, dict[str, int]]
_TOP = 5
_LISTED = 8
_ALERTS_SHOWN = 40
_PLAIN_WIDTH = 140
_TROUBLE = (
    "evicted", "fault", "rejected", "full", "quarantined", "files_skipped", "late", "too_large", "backwards", "dropped",
    "rows_lost",
)  # fmt: skip
"""A counter with one of these in its name tells of something lost or odd, and is shown when it is not 0."""
_OTHERS = {
    "TLS": ("tls", "connections"), "QUIC": ("tls", "quic_connections"), "DTLS": ("tls", "dtls_connections"),
    "WebSocket": ("websocket", "connections"),
    "DNS": ("dns", "lookups"),
}  # fmt: skip
"""Connections that are not HTTP, by what counts them."""
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


def show(summary: Summary, counters: Counts, unknown_links: list[str], stream: TextIO) -> None:
    """Text; with colours on a terminal. `unknown_links`: a line for each link type that is not decoded."""
    if stream.isatty():
        _print(Console(highlight=False, file=stream), summary, counters, unknown_links)
        return
    plain = StringIO()
    _print(Console(highlight=False, file=plain, width=_PLAIN_WIDTH), summary, counters, unknown_links)
    stream.writelines(line.rstrip() + "\n" for line in plain.getvalue().splitlines())


def _print(console: Console, summary: Summary, counters: Counts, unknown_links: list[str]) -> None:
    findings = examine(summary, counters)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, text in [*_facts(summary, counters), *(("", line) for line in unknown_links), *mirror_facts(findings)]:
        facts.add_row(name, Text(text))
    console.print(facts)
    if summary.transactions:
        console.print()
        console.print(_ranking("requests", "busiest endpoints", summary.endpoints, _endpoint_name))
        console.print()
        console.print(_ranking("requests", "busiest clients", summary.clients, str))
    console.print()
    _show_alerts(console, list(summary.alerts.values()))


def show_json(summary: Summary, counters: Counts, stream: TextIO) -> None:
    """The last revision of each alert, then {"summary": ...}, one a line."""
    import msgspec

    findings = examine(summary, counters)
    for alert in summary.alerts.values():
        stream.write(msgspec.json.encode(alert).decode() + "\n")
    figures: dict[str, Any] = {
        "first_ts": None if summary.first_ts is None else summary.first_ts / 1e9,
        "last_ts": summary.last_ts / 1e9 or None,
        "flows": dict(summary.flows),
        "tcp_flows_one_sided": summary.flows_one_sided,
        "payload_bytes": summary.payload_bytes,
        "missing_bytes": summary.missing_bytes,
        "retransmitted_bytes": summary.retransmitted_bytes,
        "transactions": summary.transactions,
        "transactions_complete": summary.complete,
        "transactions_unanswered": summary.unanswered,
        "anomalies": dict(summary.anomalies),
        "endpoints": [
            {"method": method or None, "host": host or None, "endpoint": endpoint or None, "requests": count}
            for (method, host, endpoint), count in summary.endpoints.most_common(_TOP)
        ],
        "clients": [{"client_ip": client, "requests": count} for client, count in summary.clients.most_common(_TOP)],
        "mirror": {"healthy": is_healthy(findings), "findings": as_dicts(findings)},
        "alerts": len(summary.alerts),
        "counters": counters,
    }
    stream.write(msgspec.json.encode({"summary": figures}).decode() + "\n")


def _facts(summary: Summary, counters: Counts) -> list[tuple[str, str]]:
    capture, decode = counters.get("capture", {}), counters.get("decode", {})
    frames = capture.get("frames", 0)
    facts = [("frames", f"{frames:,} ({_bytes(capture.get('wire_bytes', 0))} on the wire)")]
    if capture.get("cut_frames"):
        facts.append(("", f"{_share(capture['cut_frames'], frames)} cut short by the snap length"))
    if summary.first_ts is not None:
        facts.append(("time", _span(summary.first_ts, summary.last_ts)))
    left = {name: count for name, count in decode.items() if count and name != "decoded"}
    if left:
        facts.append(("not decoded", f"{_share(sum(left.values()), frames)}: {_listed(left)}"))
    facts.append(("flows", f"{summary.flows.total():,}" + (f": {_listed(summary.flows)}" if summary.flows else "")))
    if summary.flows_one_sided:
        facts.append(("", f"{_share(summary.flows_one_sided, summary.flows['tcp'])} of TCP with one direction only"))
    if summary.missing_bytes:
        whole = summary.payload_bytes + summary.missing_bytes
        facts.append(("", f"{_bytes(summary.missing_bytes)} never seen ({100 * summary.missing_bytes / whole:.2f} %)"))
    facts.append(("transactions", _transactions(summary)))
    others = {name: counters.get(stage, {}).get(counter, 0) for name, (stage, counter) in _OTHERS.items()}
    if any(others.values()):
        facts.append(("also read", _listed({name: count for name, count in others.items() if count})))
    if summary.anomalies:
        facts.append(("oddities", _listed(summary.anomalies)))
    trouble = {
        f"{name} ({stage})": count
        for stage, names in counters.items()
        for name, count in names.items()
        if count and any(word in name for word in _TROUBLE) and (stage, name) != ("decode", "quarantined")
    }
    if trouble:
        facts.append(("take note", _listed(trouble)))
    return facts


def _transactions(summary: Summary) -> str:
    if not summary.transactions:
        return "none: no clear-text HTTP/1 was seen"
    text = f"{summary.transactions:,}, {_percent(summary.complete, summary.transactions)} complete"
    return text + (f", {summary.unanswered:,} without a response" if summary.unanswered else "")


def _ranking(head: str, title: str, counts: Counter[Any], name_of: Any) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(head, justify="right")
    table.add_column(title, overflow="fold")
    for key, count in counts.most_common(_TOP):
        table.add_row(f"{count:,}", Text(name_of(key)))
    if len(counts) > _TOP:
        table.add_row("", Text(f"and {len(counts) - _TOP:,} more", style="dim"))
    return table


def _endpoint_name(key: tuple[str, str, str]) -> str:
    method, host, endpoint = key
    return f"{method or '(request not seen)'} {host}{endpoint}".rstrip()


def _show_alerts(console: Console, alerts: list[Alert]) -> None:
    """Two lines each, so that they fit narrow terminals: what and when, then who, whom and by how much."""
    if not alerts:
        console.print("no alerts", style="green")
        return
    order = list(_COLOURS)
    alerts.sort(key=lambda alert: (order.index(alert.severity), alert.first_seen))
    console.print(f"{len(alerts):,} {'alert' if len(alerts) == 1 else 'alerts'}", style="bold")
    table = Table.grid(padding=(0, 2))
    for alert in alerts[:_ALERTS_SHOWN]:
        table.add_row(Text(alert.severity, style=_COLOURS[alert.severity]), Text(_alert_title(alert)))
        table.add_row("", Text(_alert_figures(alert), style="dim"))
    console.print(table)
    if len(alerts) > _ALERTS_SHOWN:
        console.print(f"and {len(alerts) - _ALERTS_SHOWN:,} more: --alerts FILE has them all", style="dim")


def _alert_title(alert: Alert) -> str:
    first = datetime.fromtimestamp(alert.first_seen, UTC)
    return f"{alert.title}: {alert.entity.kind} {alert.entity.value}, from {first:%Y-%m-%d %H:%M:%S} UTC"


def _alert_figures(alert: Alert) -> str:
    """How much it is and by how much too much; of what is wrong the first time, how often it was seen."""
    numbers = alert.numbers
    target = f" at {alert.server_ip}" if alert.server_ip else ""
    if not numbers.window_seconds or numbers.observed <= numbers.threshold <= 1:
        return f"seen {alert.count:,} {'time' if alert.count == 1 else 'times'}{target}; rule {alert.rule_id}"
    limit = f"limit {_number(numbers.threshold)} in {span_text(numbers.window_seconds)}"
    return f"{_number(numbers.observed)} {numbers.unit}{target} ({limit}); rule {alert.rule_id}"


def _number(value: float) -> str:
    """Whole where it is whole or large, else with two decimals."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.2f}"


def _span(first_ts: int, last_ts: int) -> str:
    first, last = (datetime.fromtimestamp(ts // 10**9, UTC) for ts in (first_ts, last_ts))
    end = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {end} UTC ({(last_ts - first_ts) / 1e9:,.1f} s)"


def _listed(counts: dict[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [f"{count:,} {name.replace('_', ' ')}" for name, count in ranked[:_LISTED]]
    return ", ".join(names) + (f" and {len(ranked) - _LISTED} kinds more" if len(ranked) > _LISTED else "")


def _share(count: int, whole: int) -> str:
    return f"{count:,} ({_percent(count, whole)})"


def _percent(count: int, whole: int) -> str:
    """A share that says 100 % only when it is all, and 0 % only when it is nothing."""
    if not whole or count == whole or not count:
        return f"{100 if count else 0} %"
    return f"{min(max(100 * count / whole, 0.01), 99.99):.2f} %"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
