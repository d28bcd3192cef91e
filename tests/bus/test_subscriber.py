"""A program's end of the stream, with real sockets on loopback."""

from __future__ import annotations

import itertools
import select
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.alert import SCHEMA_VERSION
from sensor.bus.publisher import Publisher
from sensor.bus.sequence import Gap
from sensor.bus.subscriber import Subscriber
from sensor.errors import BusError
from sensor.limits import ALERT_BYTES_MAX
from tests.bus.alerts import an_alert
from tests.bus.test_addresses import has_ipv6
from tests.ports import free_port

ANY_PORT = "tcp://127.0.0.1:*"
LIMIT_SECONDS = 90.0
TOPIC = b"alert.high.authentication.brute-force-login"


def body(**changes) -> bytes:
    """An alert's JSON, with fields that the schema has or has not."""
    return msgspec.json.encode(msgspec.to_builtins(an_alert()) | changes)


class RawPublisher:
    """Sends anything to one Subscriber: a peer that is broken, hostile or newer."""

    def __init__(self, **options) -> None:
        self.context = zmq.Context()
        self.xpub = self.context.socket(zmq.XPUB)
        self.xpub.setsockopt(zmq.XPUB_VERBOSER, 1)
        self.xpub.setsockopt(zmq.SNDHWM, 0)
        self.port = self.xpub.bind_to_random_port("tcp://127.0.0.1")
        self.subscriber = Subscriber(f"tcp://127.0.0.1:{self.port}", **options)
        self.subscriptions(b"\1")

    def subscriptions(self, kind: bytes) -> None:
        """Both of them, the alerts' and the heartbeats', have begun (1) or ended (0)."""
        for _ in range(2):
            assert self.xpub.poll(LIMIT_SECONDS * 1000)
            assert self.xpub.recv()[:1] == kind

    def send(self, *parts: bytes) -> None:
        self.xpub.send_multipart(parts)

    def close(self) -> None:
        self.subscriber.close()
        self.context.destroy(linger=0)


@pytest.fixture
def raw() -> Iterator[RawPublisher]:
    raw = RawPublisher(timeout=LIMIT_SECONDS)
    yield raw
    raw.close()


def test_a_for_loop_gets_the_alerts_and_ends_when_none_comes():
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.address, timeout=0.5) as alerts:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        sent = [an_alert(1), an_alert(2, severity="low")]
        for alert in sent:
            publisher.publish(alert)
        assert list(alerts) == sent
        assert (alerts.gaps, alerts.missed, alerts.received) == ((), 0, 2)


def test_topics_choose():
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.address, "alert.low", timeout=LIMIT_SECONDS) as alerts:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        for sequence, severity in enumerate(("high", "low", "medium", "low"), 1):
            publisher.publish(an_alert(sequence, severity=severity))
        assert [next(alerts).sequence, next(alerts).sequence] == [2, 4]
        assert alerts.gaps is None, "numbers left out by choice are no gap, so nothing is known"
        assert alerts.missed is None


@pytest.mark.parametrize("topics", ["", "alert", ("alert.high", "alert.")])
def test_topics_that_cover_all_alerts_show_gaps(topics):
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.address, topics, timeout=LIMIT_SECONDS) as alerts:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert(1))
        publisher.publish(an_alert(5))
        next(alerts), next(alerts)
        assert alerts.gaps == (Gap("tap-1", 1, first=2, last=4),)
        assert alerts.missed == 3


def test_several_sensors_at_once():
    with (
        Publisher(ANY_PORT) as first,
        Publisher(ANY_PORT) as second,
        Subscriber([first.address, second.address], timeout=LIMIT_SECONDS) as alerts,
    ):
        first.wait_for_subscribers(1, LIMIT_SECONDS)
        second.wait_for_subscribers(1, LIMIT_SECONDS)
        first.publish(an_alert(1, sensor="tap-1"))
        second.publish(an_alert(7, sensor="tap-2"))
        assert {next(alerts).sensor, next(alerts).sensor} == {"tap-1", "tap-2"}
        assert alerts.missed == 0


@pytest.mark.parametrize("kind", ["ipc path", "ipc abstract", "ipv6"])
def test_other_kinds_of_addresses(kind, tmp_path):
    if kind == "ipv6" and not has_ipv6():
        pytest.skip("this host has no IPv6")
    address = {"ipc path": f"ipc://{tmp_path}/alerts", "ipc abstract": f"ipc://@{tmp_path}", "ipv6": "tcp://[::1]:*"}[kind]
    with Publisher(address) as publisher, Subscriber(publisher.address, timeout=LIMIT_SECONDS) as alerts:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert())
        assert next(alerts) == an_alert()


class Runs(threading.Thread):
    """A sensor that runs once for each epoch: it publishes `early` alerts at once, and two when a subscriber is there.
    """

    def __init__(self, address: str, epochs: tuple[int, ...], early: int = 0) -> None:
        super().__init__()
        self.address, self.epochs, self.early = address, epochs, early

    def run(self) -> None:
        for epoch in self.epochs:
            with Publisher(self.address) as publisher:
                for sequence in range(1, self.early + 1):
                    publisher.publish(an_alert(sequence, epoch=epoch))
                publisher.wait_for_subscribers(1, LIMIT_SECONDS)
                for sequence in (self.early + 1, self.early + 2):
                    publisher.publish(an_alert(sequence, epoch=epoch))


def test_it_may_start_before_the_sensor_and_stays_through_its_restart():
    address = f"tcp://127.0.0.1:{free_port()}"
    with Subscriber(address, timeout=LIMIT_SECONDS) as alerts:
        sensor = Runs(address, epochs=(1, 2))
        sensor.start()
        got = [(alert.epoch, alert.sequence) for alert in itertools.islice(alerts, 4)]
        sensor.join()
        assert got == [(1, 1), (1, 2), (2, 1), (2, 2)]
        assert (alerts.missed, alerts.broken) == (0, 0)


def test_what_a_restarted_sensor_sent_too_early_is_a_gap():
    address = f"tcp://127.0.0.1:{free_port()}"
    with Subscriber(address, timeout=LIMIT_SECONDS) as alerts:
        for epoch, early in ((1, 0), (2, 3)):
            sensor = Runs(address, (epoch,), early)
            sensor.start()
            while next(alerts).sequence != early + 2:
                pass
            sensor.join()
        assert alerts.received + alerts.missed == 2 + 5


def test_a_wake_socket_ends_the_wait():
    readable, written = socket.socketpair()
    with readable, written, Subscriber("tcp://127.0.0.1:9", wake=readable) as alerts:
        written.send(b"x")
        assert alerts.receive() is None


def test_an_address_that_can_never_work_is_one_line():
    with pytest.raises(BusError, match="expected tcp://HOST:PORT"):
        Subscriber(["tcp://127.0.0.1:5556", "127.0.0.1:5557"])


def test_newer_fields_are_ignored_and_kept_in_the_message(raw):
    newer = body(a_field_of_next_year=[1, {"deep": None}])
    raw.send(TOPIC, newer)
    message = raw.subscriber.receive(LIMIT_SECONDS)
    assert message.alert == an_alert()
    assert message.body == newer
    assert message.topic == TOPIC.decode()


def test_another_schema_is_said_once_for_each_sensor_and_skipped(raw):
    other = {"schema_version": SCHEMA_VERSION + 1, "title": ["not", "as", "before"]}
    for sensor in ("old", "old", "new\x1b[2J"):
        raw.send(TOPIC, body(**other, sensor=sensor))
    raw.send(TOPIC, body())
    with pytest.raises(BusError, match=f"'old' sends alerts of schema {SCHEMA_VERSION + 1}, this program reads"):
        next(raw.subscriber)
    with pytest.raises(BusError) as caught:
        next(raw.subscriber)
    assert str(caught.value).isprintable()
    assert next(raw.subscriber) == an_alert()
    assert raw.subscriber.other_schema == 3


def test_topics_of_other_kinds_are_passed_over():
    raw = RawPublisher(topics="", timeout=LIMIT_SECONDS)
    raw.send(b"stats.capture", b"{}")
    raw.send(TOPIC, body())
    assert next(raw.subscriber) == an_alert()
    assert (raw.subscriber.other_topics, raw.subscriber.malformed) == (1, 0)
    raw.close()


def test_a_message_over_the_limit_costs_its_sender_the_connection(raw):
    """The subscriber never holds it: its ZeroMQ hangs up and connects anew."""
    raw.send(TOPIC, b" " * ALERT_BYTES_MAX + body())
    raw.subscriptions(b"\0")  # the old connection has ended
    while not raw.xpub.poll(10):
        assert raw.subscriber.receive(0.1) is None
    raw.subscriptions(b"\1")  # the new one is there
    raw.send(TOPIC, body())
    assert next(raw.subscriber) == an_alert()
    assert raw.subscriber.broken == 1


def test_a_peer_that_speaks_no_zeromq_is_tried_again_until_a_sensor_is_there():
    """Each attempt is answered as a web server would; then a sensor takes the port."""
    with socket.create_server(("127.0.0.1", free_port())) as web:
        port = web.getsockname()[1]
        alerts = Subscriber(f"tcp://127.0.0.1:{port}", timeout=LIMIT_SECONDS)
        for _ in range(2):
            while not select.select([web], [], [], 0)[0]:
                assert alerts.receive(0.05) is None
            with web.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 10)
    with alerts:
        sensor = Runs(f"tcp://127.0.0.1:{port}", epochs=(1,))
        sensor.start()
        assert next(alerts).sequence == 1
        sensor.join()


@pytest.mark.parametrize(
    "parts",
    [
        (TOPIC,),
        (TOPIC, body(), b"more"),
        (TOPIC, b""),
        (TOPIC, b"null"),
        (TOPIC, b"{}"),
        (TOPIC, body()[:-1]),
        (TOPIC, body() + b"x"),
        (TOPIC, body(severity="enormous")),
        (TOPIC, body(sequence="one")),
        (TOPIC, body(sequence=1e300)),
        (TOPIC, body(entity=None)),
        (TOPIC, b"[" * 100_000),
        (TOPIC, body()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        (TOPIC + b"\xff", body()),
        (TOPIC, body().replace(b"Failed", b"\xff\xfe")),
    ],
    ids=lambda parts: f"{len(parts)} parts, {parts[-1][:24]!r}",
)
def test_a_malformed_message_is_counted_and_skipped(raw, parts):
    raw.send(*parts)
    raw.send(TOPIC, body())
    assert next(raw.subscriber) == an_alert()
    assert (raw.subscriber.malformed, raw.subscriber.received) == (1, 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
fields = st.sampled_from([*msgspec.to_builtins(an_alert()), "schema_version"])
wrong_fields = st.dictionaries(fields, json_values, max_size=3).map(lambda changes: body(**changes))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    good = bytearray(body())
    for _ in range(draw(st.integers(1, 4))):
        good[draw(st.integers(0, len(good) - 1))] = draw(st.integers(0, 255))
    return bytes(good[: draw(st.integers(0, len(good)))])


@pytest.fixture(scope="module")
def hostile() -> Iterator[RawPublisher]:
    raw = RawPublisher(timeout=LIMIT_SECONDS)
    yield raw
    raw.close()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=64) | json_values.map(msgspec.json.encode) | wrong_fields | mutated(), max_size=5))
def test_whatever_arrives_the_next_good_alert_gets_through_and_all_is_counted(hostile, bodies):
    subscriber = hostile.subscriber
    before = subscriber.received + subscriber.malformed + subscriber.other_schema
    for arbitrary in bodies:
        hostile.send(TOPIC, arbitrary)
    hostile.send(b"alert.last", body())
    while True:
        try:
            message = subscriber.receive(LIMIT_SECONDS)
        except BusError:
            continue
        assert message is not None
        if message.topic == "alert.last":
            break
    assert subscriber.received + subscriber.malformed + subscriber.other_schema - before == len(bodies) + 1
