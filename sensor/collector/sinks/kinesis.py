"""Kinesis and what speaks like it: alerts go in, records of PutRecords come out.

Law: what the stream did not take, because a shard was full, is sent again until it is taken. An actor's alerts go to
one shard, and so stay in order unless some were sent again.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Sequence

from sensor.alert import Alert
from sensor.collector.http_connection import HttpConnection
from sensor.collector.incidents import actor_of
from sensor.collector.sinks.aws_signature import Key, signed
from sensor.collector.sinks.http_sink import HttpSink, Outcome, Request, connection
from sensor.collector.sinks.sink import TOPIC, key_of, line_of, secret_of
from sensor.config import SinkSettings
from sensor.errors import SettingError

_HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecords"}


class Kinesis:
    """A Wording."""

    def __init__(self, settings: SinkSettings, to: HttpConnection) -> None:
        found = re.search(r"\bkinesis(?:-fips)?\.([a-z0-9-]+)\.", to.host)
        region = settings.region or (found[1] if found else "")
        if not region or not settings.user or not settings.secret:
            raise SettingError(f"{key_of(settings)}: expected user, secret, and region unless the address has it")
        user, secret = secret_of(settings, settings.user), secret_of(settings, settings.secret)
        self._key = Key(user, secret, region, "kinesis")
        self._path = to.path or "/"
        further = {name: secret_of(settings, value) for name, value in settings.headers.items()}
        self._headers = _HEADERS | {"Host": to.authority} | further  # all of them are signed
        self._stream, self._line = settings.topic or TOPIC, line_of(settings)

    def item(self, alert: Alert) -> bytes:
        data = base64.b64encode(self._line(alert)).decode()
        return json.dumps({"Data": data, "PartitionKey": actor_of(alert)[:256]}).encode()

    def request(self, items: Sequence[bytes]) -> Request:
        body = b'{"StreamName": %s, "Records": [%s]}' % (json.dumps(self._stream).encode(), b",".join(items))
        return Request(body, signed(self._key, self._path, self._headers, body, time.time()), "")

    def outcome(self, body: bytes, count: int) -> Outcome:
        records = json.loads(body)["Records"]
        if len(records) != count:
            raise ValueError("another number of results than of records")
        return Outcome({}, [number for number, record in enumerate(records) if record.get("ErrorCode")])


def kinesis(settings: SinkSettings) -> HttpSink:
    to = connection(settings, settings.kinesis)
    return HttpSink(settings, to, Kinesis(settings, to))
