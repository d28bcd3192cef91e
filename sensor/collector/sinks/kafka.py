"""Kafka: alerts go in, messages of a topic come out, keyed by actor.

Law: a message counts as taken when all replicas in step have it. librdkafka's idempotent producer sends none twice by
itself, and an actor's alerts stay in order; after a fault it is made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sensor.alert import Alert
from sensor.collector.incidents import actor_of
from sensor.collector.sinks.sink import TOPIC, NotTaken, Refused, id_of, key_of, line_of, missing, secret_of
from sensor.config import SinkSettings
from sensor.errors import SettingError


class Kafka:
    def __init__(self, settings: SinkSettings) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise missing(settings, "confluent-kafka", "kafka") from None
        self._refusing = {confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE, confluent_kafka.KafkaError.INVALID_RECORD}
        self._error = confluent_kafka.KafkaException
        logger = logging.getLogger("tapir.kafka")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        asked = _asked(settings)

        def made() -> Any:
            return confluent_kafka.Producer(asked, logger=logger)

        self._made: Callable[[], Any] = made
        try:
            self._producer = self._made()
        except self._error:
            raise SettingError(
                f"{key_of(settings)}: kafka: expected HOST:PORT,HOST:PORT and kafka_options that librdkafka knows"
            ) from None
        self._topic, self._line = settings.topic or TOPIC, line_of(settings)
        self._timeout_seconds = settings.timeout_seconds

    def write(self, alerts: Sequence[Alert]) -> Refused:
        answers: dict[int, Any] = {}  # KafkaError, or None for what was taken
        try:
            for number, alert in enumerate(alerts):
                self._producer.produce(
                    self._topic, self._line(alert), actor_of(alert).encode(), headers={"id": id_of(alert)},
                    on_delivery=_into(answers, number),
                )  # fmt: skip
            self._producer.flush(2 * self._timeout_seconds)
        except (self._error, BufferError) as error:
            raise self._fault(type(error).__name__) from None
        faults = {number: error for number, error in answers.items() if error is not None}
        for fault in faults.values():
            if fault.code() not in self._refusing or len(faults) == len(alerts):
                raise self._fault(fault.name())
        if len(answers) < len(alerts):
            raise self._fault("no answer in time")
        return {number: f"kafka: {fault.name()}" for number, fault in faults.items()}

    def _fault(self, told: str) -> NotTaken:
        self._producer = self._made()  # without what it still holds: that comes again
        return NotTaken(f"kafka: {told}")


def _into(answers: dict[int, Any], number: int) -> Callable[[Any, Any], None]:
    def note(error: Any, message: Any) -> None:
        answers[number] = error

    return note


def _asked(settings: SinkSettings) -> dict[str, str | int | bool]:
    files = {
        "ssl.ca.location": settings.ca_file,
        "ssl.certificate.location": settings.certificate_file,
        "ssl.key.location": settings.key_file or settings.certificate_file,
        "sasl.username": secret_of(settings, settings.user),
        "sasl.password": secret_of(settings, settings.secret),
    }
    return {
        "bootstrap.servers": settings.kafka,
        "client.id": "tapir",
        "enable.idempotence": True,
        "delivery.timeout.ms": int(settings.timeout_seconds * 1000),
        **{name: value for name, value in files.items() if value},
        **{name: secret_of(settings, value) for name, value in settings.kafka_options.items()},
    }
