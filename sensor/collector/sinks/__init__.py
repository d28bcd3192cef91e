"""Sinks: stored alerts go in, in the order they were stored; alerts at others come out, at least once. A file a kind.

    sink.py         what every sink is          feed.py   brings one up to date, tries again, keeps what was refused
    http_sink.py    what those over HTTP share

Law: a sink's settings are checked before the first alert is received; its client is imported only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sensor.collector.sinks.amqp import Amqp
from sensor.collector.sinks.datadog import datadog
from sensor.collector.sinks.elasticsearch import elasticsearch
from sensor.collector.sinks.feed import Feed
from sensor.collector.sinks.files import RotatingFile
from sensor.collector.sinks.jetstream import JetStream
from sensor.collector.sinks.kafka import Kafka
from sensor.collector.sinks.kinesis import kinesis
from sensor.collector.sinks.redis_stream import RedisStream
from sensor.collector.sinks.sink import Refused, Write, key_of
from sensor.collector.sinks.splunk import splunk
from sensor.collector.sinks.syslog import Syslog
from sensor.config import SinkSettings
from sensor.errors import SettingError

__all__ = ["Feed", "Refused", "Write", "sink"]


class _Writer(Protocol):
    @property
    def write(self) -> Write: ...


KINDS: dict[str, Callable[[SinkSettings], _Writer]] = {
    "syslog": Syslog,
    "file": RotatingFile,
    "elasticsearch": elasticsearch,
    "splunk": splunk,
    "datadog": datadog,
    "kinesis": kinesis,
    "redis": RedisStream,
    "nats": JetStream,
    "amqp": Amqp,
    "kafka": Kafka,
}
"""The setting that says where, and what is made of it."""


def sink(settings: SinkSettings) -> Write:
    """Raises SettingError, naming the sink, for settings that cannot work."""
    kinds = [kind for kind in KINDS if getattr(settings, kind)]
    if len(kinds) != 1:
        raise SettingError(f"{key_of(settings)}: expected one of {', '.join(KINDS)}")
    return KINDS[kinds[0]](settings).write
