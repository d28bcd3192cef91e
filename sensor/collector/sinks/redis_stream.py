"""Redis streams: alerts go in, entries with the fields id, severity and alert come out.

Law: entries that are written together are there together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.alert import Alert
from sensor.collector.sinks.sink import TOPIC, NotTaken, Refused, id_of, key_of, line_of, missing, secret_of, tls
from sensor.config import SinkSettings
from sensor.errors import SettingError


class RedisStream:
    def __init__(self, settings: SinkSettings) -> None:
        try:
            import redis
        except ImportError:
            raise missing(settings, "redis", "redis") from None
        address, seconds = secret_of(settings, settings.redis), settings.timeout_seconds
        given: dict[str, Any] = {
            "username": secret_of(settings, settings.user),
            "password": secret_of(settings, settings.secret),
        }
        if address.startswith("rediss://"):
            tls(settings)  # says what is wrong with the files
            given |= {
                "ssl_check_hostname": True,  # of old versions, not the default
                "ssl_ca_certs": settings.ca_file,
                "ssl_certfile": settings.certificate_file,
                "ssl_keyfile": settings.key_file,
            }
        try:
            self._redis = redis.Redis.from_url(
                address, socket_timeout=seconds, socket_connect_timeout=seconds,
                **{name: value for name, value in given.items() if value},
            )  # fmt: skip
        except ValueError:
            raise SettingError(f"{key_of(settings)}: redis: expected redis://HOST:PORT/NUMBER or rediss://") from None
        self._error = redis.RedisError
        self._stream, self._line = settings.topic or TOPIC, line_of(settings)
        self._entries_max = settings.stream_entries_max

    def write(self, alerts: Sequence[Alert]) -> Refused:
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                for alert in alerts:
                    pipe.xadd(self._stream, self._entry(alert), maxlen=self._entries_max, approximate=True)
                pipe.execute()
        except (self._error, OSError) as error:
            raise NotTaken(f"redis: {type(error).__name__}") from None
        return {}

    def _entry(self, alert: Alert) -> dict[Any, Any]:
        return {"id": id_of(alert), "severity": str(alert.severity), "alert": self._line(alert)}
