"""Datadog's log intake: alerts go in, log entries come out. Law: the API key is in a header and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sensor.alert import Alert, Severity
from sensor.collector.sinks.http_sink import HttpSink, Outcome, Request, connection
from sensor.collector.sinks.sink import line_of, secret_of
from sensor.config import SinkSettings

_STATUS = {
    Severity.CRITICAL: "critical", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice"
}  # fmt: skip


class Datadog:
    """A Wording."""

    def __init__(self, settings: SinkSettings) -> None:
        self._line, self._structured = line_of(settings), settings.format != "cef"
        self._headers = {"DD-API-KEY": secret_of(settings, settings.secret)}

    def item(self, alert: Alert) -> bytes:
        entry = {
            "ddsource": "tapir",
            "service": "tapir",
            "hostname": alert.sensor,
            "status": _STATUS[alert.severity],
            "timestamp": int(alert.ts * 1000),
            "ddtags": f"rule:{alert.rule_id},category:{alert.category},severity:{alert.severity},sensor:{alert.sensor}",
        }
        line = self._line(alert)
        if self._structured:
            entry["message"] = alert.title
            return json.dumps(entry).encode()[:-1] + b', "tapir": ' + line + b"}"
        return json.dumps(entry | {"message": line.decode()}).encode()

    def request(self, items: Sequence[bytes]) -> Request:
        return Request(b"[" + b",".join(items) + b"]", self._headers, "/api/v2/logs")

    def outcome(self, body: bytes, count: int) -> Outcome:
        json.loads(body)  # an object, empty
        return Outcome({})


def datadog(settings: SinkSettings) -> HttpSink:
    return HttpSink(settings, connection(settings, settings.datadog), Datadog(settings))
