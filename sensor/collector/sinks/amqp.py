"""RabbitMQ: alerts go in, persistent messages of AMQP 0-9-1 come out.

Law: a message counts as taken when the broker has confirmed it, and one that no queue gets is not taken.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

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
        self._where.socket_timeout = self._where.stack_timeout = settings.timeout_seconds
        self._timeout_seconds = settings.timeout_seconds
        self._exchange, self._topic, self._line = settings.exchange, settings.topic or TOPIC, line_of(settings)

    def write(self, alerts: Sequence[Alert]) -> Refused:
        messages = [
            (self._exchange, self._topic, self._line(alert), self._pika.BasicProperties(
                content_type="application/json", delivery_mode=_PERSISTENT, message_id=id_of(alert),
                app_id="tapir", type=str(alert.severity),
            ), True)
            for alert in alerts
        ]  # fmt: skip
        try:
            problem = _Batch(self._pika, self._where, messages, self._timeout_seconds).run()
        except (self._pika.exceptions.AMQPError, OSError) as error:
            raise NotTaken(f"amqp: {type(error).__name__}") from None
        if problem:
            raise NotTaken(f"amqp: {problem}")
        return {}


class _Batch:
    """One connection that publishes all without waiting in between, and ends when each is confirmed. `messages`: what
    basic_publish takes, mandatory.
    """

    def __init__(self, pika: Any, where: Any, messages: Sequence[tuple[Any, ...]], timeout_seconds: float) -> None:
        self._nack, self._messages, self._timeout_seconds = pika.spec.Basic.Nack, messages, timeout_seconds
        self._open = set(range(1, len(messages) + 1))  # tags of what was not confirmed yet
        self._problem = ""
        self._connection = pika.SelectConnection(
            where, on_open_callback=self._opened, on_open_error_callback=self._ended, on_close_callback=self._ended
        )
        self._loop = self._connection.ioloop
        self._timer = self._loop.call_later(timeout_seconds, self._late)

    def run(self) -> str:
        """Why not all of them were taken; empty when they were."""
        try:
            self._loop.start()
        finally:
            self._loop.close()
        return self._problem

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._has_channel)

    def _has_channel(self, channel: Any) -> None:
        channel.add_on_return_callback(self._returned)
        channel.add_on_close_callback(self._lost_channel)
        channel.confirm_delivery(self._answered, lambda _: self._publish(channel))

    def _publish(self, channel: Any) -> None:
        for message in self._messages:
            channel.basic_publish(*message)

    def _returned(self, *_: object) -> None:
        self._problem = "no queue takes them"

    def _answered(self, frame: Any) -> None:
        """Of one message, or of all up to it."""
        tag = frame.method.delivery_tag
        self._open -= {one for one in self._open if one <= tag} if frame.method.multiple else {tag}
        if isinstance(frame.method, self._nack):
            self._problem = "refused"
        self._loop.remove_timeout(self._timer)
        self._timer = self._loop.call_later(self._timeout_seconds, self._late)
        if not self._open:
            self._connection.close()

    def _lost_channel(self, _: object, error: Exception) -> None:
        if self._connection.is_open:  # not because we are ending
            self._problem = type(error).__name__
            self._connection.close()

    def _late(self) -> None:
        self._problem = self._problem or ("not confirmed in time" if self._open else "")
        self._loop.stop()

    def _ended(self, _: object, error: Exception) -> None:
        """Of the connection, asked for or not."""
        if self._open and not self._problem:
            self._problem = type(error).__name__
        self._loop.stop()
