"""RabbitMQ: alerts go in, persistent messages of AMQP 0-9-1 come out.

Law: a message counts as taken when the broker has confirmed it, and one that no queue gets is not taken.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sensor.alert import Alert
from sensor.collector.sinks.sink import TOPIC, NotTaken, Refused, id_of, key_of, line_of, missing, secret_of, tls
from sensor.config import SinkSettings
from sensor.errors import SettingError

_PERSISTENT = 2


class Amqp:
    """Connects for each batch: nothing has to be kept alive between them."""

    def __init__(self, settings: SinkSettings) -> None:
        try:
            import pika
        except ImportError:
            raise missing(settings, "pika", "amqp") from None
        logging.getLogger("pika").addHandler(logging.NullHandler())
        logging.getLogger("pika").propagate = False
        self._pika = pika
        try:
            self._where = pika.URLParameters(secret_of(settings, settings.amqp))
        except (ValueError, TypeError, KeyError):
            raise SettingError(f"{key_of(settings)}: amqp: expected amqp://HOST:PORT/VHOST or amqps://") from None
        if settings.user or settings.secret:
            user, secret = secret_of(settings, settings.user), secret_of(settings, settings.secret)
            self._where.credentials = pika.PlainCredentials(user, secret)
        if self._where.ssl_options is not None:
            self._where.ssl_options = pika.SSLOptions(tls(settings), self._where.host)
        self._where.socket_timeout = self._where.blocked_connection_timeout = settings.timeout_seconds
        self._where.stack_timeout = settings.timeout_seconds
        self._exchange, self._topic, self._line = settings.exchange, settings.topic or TOPIC, line_of(settings)

    def write(self, alerts: Sequence[Alert]) -> Refused:
        try:
            with self._pika.BlockingConnection(self._where) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                for alert in alerts:
                    about = self._pika.BasicProperties(
                        content_type="application/json", delivery_mode=_PERSISTENT, message_id=id_of(alert),
                        app_id="tapir", type=str(alert.severity),
                    )  # fmt: skip
                    channel.basic_publish(self._exchange, self._topic, self._line(alert), about, mandatory=True)
        except (self._pika.exceptions.AMQPError, OSError) as error:
            raise NotTaken(f"amqp: {type(error).__name__}") from None
        return {}
