"""Sinks against real servers: every alert arrives in order, over restarts of either side, and no secret is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from sensor.collector.sinks import KINDS, Feed, sink
from sensor.collector.store import Store
from sensor.config import SinkSettings
from sensor.errors import SettingError
from tests.collector.servers import own_folder
from tests.collector.sinks.peers import PEERS, numbers
from tests.collector.test_sinks import stored


@pytest.fixture(scope="module")
def peer(request: pytest.FixtureRequest) -> Iterator[Any]:
    with own_folder() as folder, closing(PEERS[request.param](folder)) as peer:
        peer.there = 0  # alerts it has of earlier tests
        yield peer


def taken(peer: Any, count: int) -> list[int]:
    """Numbers of the next `count` alerts, which are all there are."""
    found = peer.taken(peer.there + count)
    of_test = numbers(found[peer.there :])
    peer.there = len(found)
    return of_test


@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_every_alert_arrives_in_order_over_a_restart_of_the_collector(peer: Any, store: Store):
    for first, last in ((1, 3), (4, 620)):
        stored(store, first, last)
        Feed(store.base, "s", sink(peer.settings())).step(0)
    assert taken(peer, 620) == list(range(1, 621))


@pytest.mark.parametrize("peer", [name for name, peer in PEERS.items() if peer.restarts], indirect=True)
def test_a_server_that_is_away_gets_all_when_it_is_back(peer: Any, store: Store):
    feed = Feed(store.base, "s", sink(peer.settings()))
    stored(store, 1001, 1002)
    feed.step(0)
    assert taken(peer, 2) == [1001, 1002]
    peer.server.stop()
    stored(store, 1003, 1005)
    for now in (1, 10):
        with pytest.raises(OSError, match=r"\w") as raised:
            feed.step(now)
        assert "hush" not in str(raised.value)
    peer.server.start()
    feed.step(100)
    assert taken(peer, 3) == [1003, 1004, 1005]


@pytest.mark.parametrize("peer", [name for name, peer in PEERS.items() if peer.asks_for_password], indirect=True)
def test_a_wrong_password_is_a_fault_that_does_not_tell_it(peer: Any, store: Store):
    stored(store, 2001, 2001)
    with pytest.raises(OSError, match=r"\w") as raised:
        Feed(store.base, "s", sink(peer.settings("mumble"))).step(0)
    assert "mumble" not in str(raised.value)
    assert taken(peer, 0) == []


@pytest.mark.parametrize("peer", ["Redis over TLS", "NATS over TLS", "RabbitMQ", "rsyslog"], indirect=True)
def test_certificates_are_asked_for_on_both_sides(peer: Any, store: Store):
    stored(store, 3001, 3001)
    settings = msgspec.structs.replace(peer.settings(), ca_file="")
    with pytest.raises(OSError, match=r"\w"):
        Feed(store.base, "s", sink(settings)).step(0)
    trusted = peer.settings()
    kind = next(kind for kind in KINDS if getattr(trusted, kind))
    other_name = {kind: getattr(trusted, kind).replace("localhost", "127.0.0.1")}
    with pytest.raises(OSError, match=r"\w"):
        Feed(store.base, "s", sink(msgspec.structs.replace(trusted, **other_name))).step(0)
    nobody = msgspec.structs.replace(peer.settings(), certificate_file="", key_file="")
    with pytest.raises(OSError, match=r"\w"):
        Feed(store.base, "s", sink(nobody)).step(0)
    Feed(store.base, "s", sink(peer.settings())).step(1)
    assert taken(peer, 1) == [3001]


@pytest.mark.parametrize("peer", ["NATS", "RabbitMQ", "Kinesis (moto)"], indirect=True)
def test_a_stream_or_queue_that_is_not_there_loses_nothing(peer: Any, store: Store):
    stored(store, 4001, 4002)
    with pytest.raises(OSError, match=r"nats: NoStreamResponseError|amqp: no queue takes them|answered 400"):
        Feed(store.base, "s", sink(msgspec.structs.replace(peer.settings(), topic="elsewhere"))).step(0)
    Feed(store.base, "s", sink(peer.settings())).step(1)
    assert taken(peer, 2) == [4001, 4002]


@pytest.mark.parametrize("name", ["redis", "nats", "amqp", "kafka"])
def test_an_address_that_is_none_is_said_without_its_password(name: str):
    options = {"kafka_options": {"no.such": "hush"}} if name == "kafka" else {}
    with pytest.raises(SettingError, match=rf"collector\.sinks: s: {name}: expected") as raised:
        sink(SinkSettings(name="s", **{name: "http://x:hush@y:z"}, **options))
    assert "hush" not in str(raised.value)
