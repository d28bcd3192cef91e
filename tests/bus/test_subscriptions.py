"""Counting who listens, on the bare socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import zmq

from sensor.bus.subscriptions import Subscriptions

LIMIT_MS = 20_000


@dataclass
class Pair:
    xpub: zmq.Socket[bytes]
    sub: zmq.Socket[bytes]
    subscriptions: Subscriptions

    def read_until(self, subscribers: int) -> None:
        while self.subscriptions.subscribers != subscribers:
            assert self.xpub.poll(LIMIT_MS), f"still {self.subscriptions.subscribers} subscribers"
            self.subscriptions.read()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with zmq.Context() as context, context.socket(zmq.XPUB) as xpub, context.socket(zmq.SUB) as sub:
        xpub.setsockopt(zmq.XPUB_VERBOSER, 1)
        port = xpub.bind_to_random_port("tcp://127.0.0.1")
        sub.connect(f"tcp://127.0.0.1:{port}")
        yield Pair(xpub, sub, Subscriptions(xpub))


def test_one_is_there_from_its_first_subscription_to_its_last(pair):
    assert pair.subscriptions.subscribers == 0
    pair.sub.subscribe("alert.high")
    pair.read_until(subscribers=1)
    pair.sub.subscribe("alert.low")
    pair.sub.unsubscribe("alert.high")
    pair.sub.unsubscribe("alert.low")
    pair.read_until(subscribers=0)


def test_waiting_counts_what_was_read_before(pair):
    pair.sub.subscribe("alert.")
    pair.read_until(subscribers=1)
    assert pair.subscriptions.wait(1, limit_seconds=0)


def test_waiting_for_nobody_takes_no_time(pair):
    assert pair.subscriptions.wait(0, limit_seconds=0)


def test_one_that_comes_back_counts_once(pair):
    """Each time its descriptor may be the one it had before."""
    for _ in range(5):
        pair.sub.subscribe("alert.")
        assert pair.subscriptions.wait(1, limit_seconds=20)
        address = pair.sub.getsockopt(zmq.LAST_ENDPOINT)
        pair.sub.unsubscribe("alert.")
        pair.sub.disconnect(address)
        pair.read_until(subscribers=0)
        pair.sub.connect(address)
