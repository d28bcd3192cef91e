"""Elasticsearch and OpenSearch: alerts go in, documents of one bulk request come out.

Law: a document's id is that of the alert's revision and it is only ever created, so that what comes twice is there
once, in an index as in a data stream.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from sensor.alert import Alert
from sensor.collector.sinks.http_sink import HttpSink, Outcome, Request, connection
from sensor.collector.sinks.sink import TOPIC, NotTaken, id_of, line_of, secret_of
from sensor.config import SinkSettings

_THERE_ALREADY = 409
_MALFORMED = 400


class Elasticsearch:
    """A Wording."""

    def __init__(self, settings: SinkSettings) -> None:
        self._index, self._line = settings.topic or TOPIC, line_of(settings, "ecs")
        user, secret = secret_of(settings, settings.user), secret_of(settings, settings.secret)
        self._headers = {"Content-Type": "application/x-ndjson"}
        if user:
            self._headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
        elif secret:
            self._headers["Authorization"] = f"ApiKey {secret}"

    def item(self, alert: Alert) -> bytes:
        action = {"create": {"_index": self._index, "_id": id_of(alert)}}
        return json.dumps(action).encode() + b"\n" + self._line(alert) + b"\n"

    def request(self, items: Sequence[bytes]) -> Request:
        return Request(b"".join(items), self._headers, "/_bulk")

    def outcome(self, body: bytes, count: int) -> Outcome:
        results = [result["create"] for result in json.loads(body)["items"]]
        if len(results) != count:
            raise ValueError("another number of results than of items")
        bad = {number: one for number, one in enumerate(results) if one["status"] >= 300}
        again = [number for number, one in bad.items() if one["status"] not in (_MALFORMED, _THERE_ALREADY)]
        if len(again) == count:
            raise NotTaken(_problem(bad[0]))
        return Outcome({number: _problem(one) for number, one in bad.items() if one["status"] == _MALFORMED}, again)


def _problem(result: dict[str, Any]) -> str:
    """The kind of fault alone: its reason quotes the document."""
    return f"answered {result['status']}: {result.get('error', {}).get('type', 'no reason given')}"


def elasticsearch(settings: SinkSettings) -> HttpSink:
    return HttpSink(settings, connection(settings, settings.elasticsearch), Elasticsearch(settings))
