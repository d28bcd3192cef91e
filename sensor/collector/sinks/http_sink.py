"""Sinks over HTTP, what they share: alerts go in; requests of bounded size come out, and what became of each alert.

    a Wording says what a request of some alerts looks like and what its answer means; a file a service

Law: only an answer of 2xx takes alerts. Which of them a service refuses is found by halving, and they count as refused
only when it took others: a service that refuses all is set up wrongly, or down, and gets all of them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from sensor.alert import Alert
from sensor.collector.http_connection import Answer, HttpConnection
from sensor.collector.sinks.sink import NotTaken, key_of, secret_of, tls
from sensor.config import SinkSettings

BODY_BYTES_MAX = 1_000_000   # what each of the services takes at once
_REFUSALS_MAX = 8            # in a row, with nothing taken, before the service itself is in doubt
_REFUSING = (400, 413, 422)  # answers that may be about what was sent

Numbered = tuple[int, Alert]


class Request(NamedTuple):
    body: bytes
    headers: dict[str, str]
    path: str


class Outcome(NamedTuple):
    """Of the alerts of a request, by their number in it: why some are refused, and which to send again."""

    refused: dict[int, str]
    again: Sequence[int] = ()


class Wording(Protocol):
    """How a service wants to be told."""

    def item(self, alert: Alert) -> bytes:
        """What stands for one alert in a body."""

    def request(self, items: Sequence[bytes]) -> Request: ...

    def outcome(self, body: bytes, count: int) -> Outcome:
        """What an answer of 2xx means for `count` items. Raises NotTaken, or ValueError for what is no such answer."""


class HttpSink:
    def __init__(self, settings: SinkSettings, connection: HttpConnection, wording: Wording) -> None:
        self._connection, self._wording = connection, wording
        self._headers = {name: secret_of(settings, value) for name, value in settings.headers.items()}

    def write(self, alerts: Sequence[Alert]) -> dict[int, str]:
        refused: dict[int, str] = {}
        items = [self._wording.item(alert) for alert in alerts]
        done = 0
        for part in parts(items):
            refused |= self._deliver(items, part, done > len(refused))
            done += len(part)
        if refused and len(refused) == len(alerts):
            raise NotTaken(next(iter(refused.values())))
        return refused

    def _deliver(self, items: Sequence[bytes], numbers: Sequence[int], trusted: bool) -> dict[int, str]:
        """Why some of `numbers` are refused. `trusted`: the service took something before."""
        refused: dict[int, str] = {}
        left = [numbers]
        while left:
            some = left.pop()
            answer = self._post([items[number] for number in some])
            if answer.status in _REFUSING:
                if len(some) > 1:
                    left += [some[len(some) // 2 :], some[: len(some) // 2]]
                    continue
                refused[some[0]] = f"answered {answer.status}"
            else:
                outcome = self._outcome(answer, len(some))
                refused |= {some[number]: problem for number, problem in outcome.refused.items()}
                trusted = trusted or len(outcome.refused) < len(some)
                if outcome.again:
                    left.append([some[number] for number in outcome.again])
            if not trusted and len(refused) >= _REFUSALS_MAX:
                raise NotTaken(next(iter(refused.values())))
        return refused

    def _post(self, items: Sequence[bytes]) -> Answer:
        body, headers, path = self._wording.request(items)
        return self._connection.post(body, {"Content-Type": "application/json"} | self._headers | headers, path)

    def _outcome(self, answer: Answer, count: int) -> Outcome:
        if not 200 <= answer.status < 300:
            raise NotTaken(f"answered {answer.status}", answer.retry_seconds)
        try:
            outcome = self._wording.outcome(answer.body, count)
        except (ValueError, TypeError, LookupError):
            raise NotTaken(f"answered {answer.status} with something that is not of this service") from None
        if len(outcome.again) == count:
            raise NotTaken("takes none at the moment", answer.retry_seconds)
        return outcome


def connection(settings: SinkSettings, address: str) -> HttpConnection:
    """Of a sink whose setting says `address`."""
    context = tls(settings) if address.startswith("https:") else None
    return HttpConnection(secret_of(settings, address), key_of(settings), settings.timeout_seconds, context)


def parts(items: Sequence[bytes]) -> Iterator[list[int]]:
    """Numbers of items that go into one request: at least one, and not much more than BODY_BYTES_MAX."""
    part: list[int] = []
    size = 0
    for number, item in enumerate(items):
        if part and size + len(item) > BODY_BYTES_MAX:
            yield part
            part, size = [], 0
        part.append(number)
        size += len(item)
    if part:
        yield part
