"""NATS JetStream: alerts go in, messages of a stream come out.

Law: a message counts as taken when the stream has acknowledged it; each bears the id of its alert's revision, by which
the server leaves out what comes again within its window.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from sensor.alert import Alert
from sensor.collector.sinks.sink import TOPIC, NotTaken, Refused, id_of, key_of, line_of, missing, secret_of, tls
from sensor.config import SinkSettings
from sensor.errors import SettingError


class JetStream:
    """Connects for each batch: nothing has to be kept alive between them. Several addresses are parted by commas."""

    def __init__(self, settings: SinkSettings) -> None:
        try:
            import nats
        except ImportError:
            raise missing(settings, "nats-py", "nats") from None
        self._nats = nats
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of each TLS connection that ended
        address = secret_of(settings, settings.nats)
        if not address.startswith(("nats://", "tls://")):
            raise SettingError(f"{key_of(settings)}: nats: expected nats://HOST:PORT or tls://HOST:PORT")
        self._asked: dict[str, Any] = {
            "servers": address.split(","), "allow_reconnect": False, "connect_timeout": settings.timeout_seconds,
            "max_reconnect_attempts": 1, "reconnect_time_wait": 0.1, "error_cb": _say_nothing,
        }  # fmt: skip
        if settings.user:
            self._asked |= {"user": secret_of(settings, settings.user)}
        if settings.secret:
            self._asked |= {"password" if settings.user else "token": secret_of(settings, settings.secret)}
        if address.startswith("tls://"):
            self._asked["tls"] = tls(settings)
        self._subject, self._line = settings.topic or TOPIC, line_of(settings)
        self._timeout_seconds = settings.timeout_seconds

    def write(self, alerts: Sequence[Alert]) -> Refused:
        try:
            asyncio.run(self._publish(alerts))
        except (self._nats.errors.Error, OSError, TimeoutError, ValueError) as error:
            raise NotTaken(f"nats: {type(error).__name__}") from None
        return {}

    async def _publish(self, alerts: Sequence[Alert]) -> None:
        connection = await self._nats.connect(**self._asked)
        try:
            stream = connection.jetstream(timeout=self._timeout_seconds)
            for alert in alerts:
                headers = {"Nats-Msg-Id": id_of(alert)}
                await stream.publish(self._subject, self._line(alert), self._timeout_seconds, headers=headers)
        finally:
            await connection.close()


async def _say_nothing(error: Exception) -> None:
    """Faults are raised where they matter, and said without the address."""
