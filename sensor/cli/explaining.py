"""`tapir explain`: in: an alert and its packets; out: its numbers, what happened when, and TShark's view, as text.

The one law: nothing that traffic has chosen reaches the terminal as a control sequence, and no query or credential is
shown unless that was asked for.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sensor.alert import Alert
from sensor.cli.evidence_find import Asked, Evidence, cut, find_evidence, missing, none_kept
from sensor.cli.exit_codes import ExitCode, code_of
from sensor.cli.tshark_view import tshark_lines
from sensor.collector.views.table import figure, printable, span_text
from sensor.config import Settings
from sensor.errors import TapirError
from sensor.evidence.packets import Packets, pcap_file


def explain_alert(asked: Asked, lines_max: int, show_secrets: bool) -> ExitCode:
    """Print all that is known of the alert; without packets, what the alert itself says."""
    try:
        settings = asked.settings
        evidence = find_evidence(asked)
        _print(_of_alert(evidence.alert))
        _print(_revisions(evidence))
        packets = cut(evidence, settings, settings.evidence.bytes_max) if evidence.captures else None
        if packets is None or not packets.packets:
            _print(["", f"packets: {none_kept(evidence)}"])
            return ExitCode.OK
        _print(_of_packets(evidence, packets, settings, lines_max, show_secrets))
    except TapirError as error:
        print(f"tapir explain: {error}", file=sys.stderr)
        return code_of(error)
    return ExitCode.OK


def _print(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        print(printable(line))


def _of_alert(alert: Alert) -> Iterator[str]:
    """What it says, and by which figures."""
    numbers = alert.numbers
    yield f"{alert.title}"
    yield f"  alert       {alert.alert_id}, rule {alert.rule_id} {alert.rule_version}, {alert.kind}"
    named = ", ".join((*alert.owasp, *alert.attack))
    yield f"  severity    {alert.severity}, respond within {alert.respond_within}{f'; {named}' if named else ''}"
    yield f"  about       {alert.entity.kind} {alert.entity.value}"
    sides = [f"{ip}:{port}" if port else ip for ip, port in (
        (alert.client_ip, alert.client_port), (alert.server_ip, alert.server_port)) if ip]  # fmt: skip
    if sides:
        yield f"  decided by  {' -> '.join(sides)}{f', {alert.community_id}' if alert.community_id else ''}"
    yield ""
    yield f"why (confidence {alert.confidence:.0%})"
    times = f", {figure(numbers.observed / numbers.threshold)} times it" if numbers.threshold > 0 else ""
    yield f"  observed    {figure(numbers.observed)} {numbers.unit} in {span_text(numbers.window_seconds)}"
    yield f"  threshold   {figure(numbers.threshold)}{times}"
    if numbers.baseline is not None:
        yield f"  usual       {figure(numbers.baseline)}"
    for name, value in alert.details.items():
        yield f"  {name:11} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
    if alert.http:
        http = alert.http
        status = f" -> {http.status_code}" if http.status_code else ""
        yield f"  request     {http.method or ''} {http.host or ''}{http.uri or ''}{status}"
        if http.user_agent:
            yield f"  user agent  {http.user_agent}"
    if alert.degraded:
        yield f"  lost before {', '.join(f'{name}: {count}' for name, count in alert.degraded.items())}"


def _revisions(evidence: Evidence) -> Iterator[str]:
    yield ""
    yield "what happened when (UTC)"
    alert = evidence.alert
    moments = [(alert.first_seen, "first packet it speaks of"), (alert.last_seen, "last packet it speaks of")]
    moments += [(one.ts, f"{one.state}: {one.count} so far, severity {one.severity}") for one in evidence.revisions]
    for seconds, what in sorted(moments, key=lambda moment: moment[0]):
        yield f"  {_moment(seconds)}  {what}"


def _of_packets(
    evidence: Evidence, packets: Packets, settings: Settings, lines_max: int, show_secrets: bool
) -> Iterator[str]:
    """Transactions in the packets, then TShark's view of the flow that decided."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.pcap"
        path.write_bytes(pcap_file(packets.packets))
        rows = _transactions(str(path), settings, show_secrets)
        yield ""
        yield f"requests in its {len(packets.packets)} packets{missing(evidence)}: {len(rows)}"
        deciding = [row for row in rows if row["community_id"] == evidence.alert.community_id]
        others = [row for row in rows if row["community_id"] != evidence.alert.community_id]
        verdict = datetime.fromtimestamp(evidence.alert.last_seen, UTC)
        others.sort(key=lambda row: abs(row["ts"] - verdict))
        shown = sorted([*deciding, *others][:lines_max], key=lambda row: row["ts"])
        for row in shown:
            mark = "*" if row["community_id"] == evidence.alert.community_id else " "
            yield (f"{mark} {_text(row['ts'])}  {row['client_ip']}  {row['method']} {row['host'] or ''}{row['uri']}"
                   f"  {row['status_code'] or '-'}  {row['response_body_len'] or 0} bytes")  # fmt: skip
        if len(rows) > len(shown):
            yield f"  and {len(rows) - len(shown)} more (--lines)"
        decided = packets.of_the_flow or packets.packets
        path.write_bytes(pcap_file(decided))
        yield ""
        yield f"TShark on the {'flow that decided' if packets.of_the_flow else 'packets'} ({len(decided)} packets)"
        yield from tshark_lines(path, lines_max, show_secrets)


def _transactions(path: str, settings: Settings, show_secrets: bool) -> list[dict[str, Any]]:
    """Rows of the capture, without judging them again."""
    from msgspec.structs import replace

    from sensor.api import read
    from sensor.cli.bare import bare

    shown = replace(settings.protocols, show_secrets=show_secrets)
    return read(path, replace(bare(settings), protocols=shown)).transactions.to_dicts()


def _moment(seconds: float) -> str:
    return _text(datetime.fromtimestamp(seconds, UTC))


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3]
