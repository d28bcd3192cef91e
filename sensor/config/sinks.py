"""Settings of sinks, `collector.sinks`. Law: as in collector.py; where a secret may stand, ${VARIABLE} of the
environment may stand instead.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sensor.config.values import AtLeastOne, Seconds


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each stored alert goes too, at least once: one of syslog, file, elasticsearch ... to kinesis."""

    name: str
    """By which its position is kept: a new name begins with the first alert of the store."""

    syslog: str = ""
    """tcp://HOST:PORT or tls://HOST:PORT (counted frames, RFC 6587), or udp://HOST:PORT, of a syslog server (RFC 5424).
    """
    file: str = ""
    """A file to append lines to; it is renamed to FILE.1, FILE.2 ... as it grows."""
    elasticsearch: str = ""
    """https://HOST:9200 of Elasticsearch or OpenSearch, which gets documents in bulk."""
    splunk: str = ""
    """https://HOST:8088 of Splunk's HTTP Event Collector."""
    datadog: str = ""
    """https://http-intake.logs.datadoghq.com, or that of another site of Datadog."""
    kinesis: str = ""
    """https://kinesis.REGION.amazonaws.com, or what speaks like it."""
    redis: str = ""
    """redis://HOST:6379/0 or rediss:// of Redis, whose stream gets entries."""
    nats: str = ""
    """nats://HOST:4222 or tls:// of NATS with JetStream."""
    amqp: str = ""
    """amqp://HOST:5672/VHOST or amqps:// of RabbitMQ."""
    kafka: str = ""
    """HOST:PORT,HOST:PORT of Kafka's brokers."""

    topic: str = ""
    """Where alerts go there: index or data stream, stream, subject, queue or routing key, topic; tapir-alerts when
    empty, of Splunk the index of the token.
    """
    format: Literal["", "native", "eve", "ecs", "ocsf", "cef"] = ""
    """Of an alert there; native when empty, ecs for Elasticsearch."""
    user: str = ""
    """Name, or AWS access key id, to log in with."""
    secret: str = ""
    """Password, API key, token, or AWS secret access key to log in with."""
    headers: dict[str, str] = {}
    """Further headers, of sinks over HTTP."""
    ca_file: str = ""
    """Certificates to trust, PEM; those of the system when empty."""
    certificate_file: str = ""
    """The certificate of this side, PEM, for servers that ask for one."""
    key_file: str = ""
    """Its key, PEM, when it is not in the same file."""
    timeout_seconds: Seconds = 10.0
    """How long the other side may take to answer."""

    facility: Annotated[int, msgspec.Meta(ge=0, le=23)] = 16
    """Of syslog: 16 is local0."""
    file_bytes_max: AtLeastOne = 64 << 20
    """A file is renamed before it gets larger."""
    files_kept: AtLeastOne = 8
    """Renamed files that are kept; the oldest goes."""
    stream_entries_max: AtLeastOne = 1_000_000
    """Of Redis: about so many entries are kept in the stream."""
    exchange: str = ""
    """Of AMQP: where alerts are published; the default exchange, and so a queue of the topic's name, when empty."""
    region: str = ""
    """Of Kinesis: taken from the address when empty."""
    kafka_options: dict[str, str] = {}
    """Of librdkafka: security.protocol, sasl.mechanism, compression.type ..."""
