"""Splunk's HTTP Event Collector: alerts go in, events come out.

Law: where the token asks for acknowledgement, alerts count as taken once the indexer has them, not before.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

from sensor.alert import Alert
from sensor.collector.http_connection import HttpConnection
from sensor.collector.sinks.http_sink import HttpSink, Outcome, Request, connection
from sensor.collector.sinks.sink import NotTaken, line_of, secret_of
from sensor.config import SinkSettings

_ASK_SECONDS = 0.25


class Splunk:
    """A Wording. `ask`: the connection on which acknowledgements are asked for."""

    def __init__(self, settings: SinkSettings, ask: HttpConnection) -> None:
        self._line, self._index, self._ask = line_of(settings), settings.topic, ask
        self._structured = settings.format != "cef"
        self._timeout_seconds = settings.timeout_seconds
        self._channel = str(uuid.uuid4())
        token = secret_of(settings, settings.secret)
        self._headers = {"Authorization": f"Splunk {token}", "X-Splunk-Request-Channel": self._channel}

    def item(self, alert: Alert) -> bytes:
        head = {"time": alert.ts, "host": alert.sensor, "source": "tapir", "sourcetype": "tapir:alert"}
        if self._index:
            head["index"] = self._index
        line = self._line(alert)
        event = line if self._structured else json.dumps(line.decode()).encode()
        return json.dumps(head).encode()[:-1] + b', "event": ' + event + b"}"

    def request(self, items: Sequence[bytes]) -> Request:
        return Request(b"\n".join(items), self._headers, "/services/collector/event")

    def outcome(self, body: bytes, count: int) -> Outcome:
        answer = json.loads(body)
        if answer.get("code") != 0:
            raise NotTaken(f"answered with code {answer.get('code')!r}")
        if "ackId" in answer:
            self._wait_for(int(answer["ackId"]))
        return Outcome({})

    def _wait_for(self, number: int) -> None:
        body, headers = json.dumps({"acks": [number]}).encode(), self._headers | {"Content-Type": "application/json"}
        end = time.monotonic() + self._timeout_seconds
        while time.monotonic() < end:
            answer = self._ask.post(body, headers, f"/services/collector/ack?channel={self._channel}")
            if answer.status != 200:
                raise NotTaken(f"asked for acknowledgements, answered {answer.status}", answer.retry_seconds)
            if json.loads(answer.body)["acks"].get(str(number)):
                return
            time.sleep(_ASK_SECONDS)
        raise NotTaken("not acknowledged in time")


def splunk(settings: SinkSettings) -> HttpSink:
    shared = connection(settings, settings.splunk)
    return HttpSink(settings, shared, Splunk(settings, shared))
