"""The sensor's end of the stream, with real sockets on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from sensor.bus.publisher import BusCount, Publisher
from sensor.bus.subscriber import Subscriber
from sensor.errors import BusError
from sensor.limits import ALERT_BYTES_MAX, SUBSCRIPTION_BYTES_MAX
from tests.bus.alerts import an_alert

ANY_PORT = "tcp://127.0.0.1:*"
LIMIT_SECONDS = 90.0  # only a broken stream waits so long


@contextmanager
def plain_subscriber(address: str, *topics: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.setsockopt(zmq.RCVTIMEO, int(LIMIT_SECONDS * 1000))
        sub.setsockopt(zmq.LINGER, 0)
        for topic in topics:
            sub.subscribe(topic)
        sub.connect(address)
        yield sub


def test_a_message_is_the_topic_and_the_alert_as_json():
    with Publisher(ANY_PORT) as publisher, plain_subscriber(publisher.address, "") as sub:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert())
        assert sub.recv_multipart() == [b"alert.high.authentication.brute-force-login", msgspec.json.encode(an_alert())]
        assert publisher.counters.as_dict() == {"published": 1, "queue_full": 0, "too_large": 0}


@pytest.mark.parametrize("topic", ["alert.", "alert.high", "alert.high.authentication.", "alert.high.authenticat"])
def test_a_subscription_is_a_prefix_of_the_topic(topic):
    with Publisher(ANY_PORT) as publisher, plain_subscriber(publisher.address, topic) as sub:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert(1, severity="low"))
        publisher.publish(an_alert(2))
        first = msgspec.json.decode(sub.recv_multipart()[1])["sequence"]
        assert first == (1 if topic == "alert." else 2)


class TestWaiting:
    def test_several_topics_of_one_subscriber_count_once(self):
        with Publisher(ANY_PORT) as publisher, plain_subscriber(publisher.address, "alert.high", "alert.low", "stats."):
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            with pytest.raises(BusError, match=r": 1 of 2 subscribers came within 0\.2 s$"):
                publisher.wait_for_subscribers(2, 0.2)

    def test_the_same_topic_of_two_subscribers_counts_twice(self):
        with (
            Publisher(ANY_PORT) as publisher,
            plain_subscriber(publisher.address, "alert."),
            plain_subscriber(publisher.address, "alert."),
        ):
            publisher.wait_for_subscribers(2, LIMIT_SECONDS)

    def test_a_connection_without_a_subscription_is_no_subscriber(self):
        with (
            Publisher(ANY_PORT) as publisher,
            plain_subscriber(publisher.address),
            pytest.raises(BusError, match=": 0 of 1"),
        ):
            publisher.wait_for_subscribers(1, 0.3)

    def test_one_that_left_while_others_were_awaited_is_no_subscriber(self):
        with Publisher(ANY_PORT) as publisher:
            waiting = threading.Thread(target=publisher.wait_for_subscribers, args=(2, LIMIT_SECONDS))
            waiting.start()
            with zmq.Context() as context, context.socket(zmq.SUB) as leaving:
                handshake = leaving.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
                leaving.subscribe("alert.")
                leaving.connect(publisher.address)
                assert handshake.poll(LIMIT_SECONDS * 1000)
                leaving.disable_monitor()
            with plain_subscriber(publisher.address, "alert."):
                waiting.join(0.3)
                assert waiting.is_alive(), "one is there and one has left: that is not two"
                with plain_subscriber(publisher.address, "alert."):
                    waiting.join(LIMIT_SECONDS)
                    assert not waiting.is_alive()

    def test_a_publisher_that_gives_up_frees_its_address(self, tmp_path):
        address = f"ipc://{tmp_path}/alerts"
        with pytest.raises(BusError, match=": 0 of 1 subscribers came within 0 s"):
            Publisher(address, wait_subscribers=1, wait_seconds=0)
        Publisher(address).close()


def test_a_slow_subscriber_loses_alerts_and_nobody_else_notices():
    """The slow one reads nothing until the end; then it finds a gap that accounts for each alert it lost."""
    total = 4_000
    with (
        Publisher(ANY_PORT, send_hwm=10) as publisher,
        Subscriber(publisher.address, receive_hwm=10) as slow,
        Subscriber(publisher.address) as quick,
    ):
        publisher.wait_for_subscribers(2, LIMIT_SECONDS)
        for sequence in range(1, total):
            publisher.publish(an_alert(sequence, title="x" * 10_000))
            message = quick.receive(LIMIT_SECONDS)
            assert message is not None
            assert message.alert.sequence == sequence
        assert publisher.counters[BusCount.PUBLISHED] == total - 1
        assert publisher.counters[BusCount.QUEUE_FULL] > 0
        while slow.receive(0.3) is not None:
            pass
        publisher.publish(an_alert(total))
        assert slow.receive(LIMIT_SECONDS).alert.sequence == total
        assert quick.missed == 0
        assert 0 < slow.missed == total - slow.received
        assert [gap.missed for gap in slow.gaps if gap.last == total - 1] != []


def close_into(publisher: Publisher, failed: list[BusError]) -> None:
    try:
        publisher.close()
    except BusError as error:
        failed.append(error)


class TestClosing:
    def test_the_end_waits_for_the_queues(self):
        """40 MB do not fit in the buffers of two sockets: most of it is still queued when the publisher closes."""
        publisher = Publisher(ANY_PORT, linger_seconds=LIMIT_SECONDS)
        with plain_subscriber(publisher.address, "alert.") as sub:
            sub.setsockopt(zmq.RCVHWM, 1)
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            for sequence in range(1, 401):
                publisher.publish(an_alert(sequence, title="x" * 100_000))
            failed: list[BusError] = []
            closing = threading.Thread(target=close_into, args=(publisher, failed))
            closing.start()
            numbers = [msgspec.json.decode(sub.recv_multipart()[1])["sequence"] for _ in range(400)]
            closing.join(LIMIT_SECONDS)
        assert numbers == list(range(1, 401))
        assert failed == []

    def test_the_end_does_not_wait_longer_than_the_linger_time(self):
        publisher = Publisher(ANY_PORT, linger_seconds=0.2)
        with zmq.Context() as context, context.socket(zmq.SUB) as stuck:
            stuck.setsockopt(zmq.RCVHWM, 1)
            stuck.setsockopt(zmq.RCVBUF, 4096)
            stuck.subscribe("alert.")
            stuck.connect(publisher.address)
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            for sequence in range(1, 401):
                publisher.publish(an_alert(sequence, title="x" * 100_000))
            with pytest.raises(BusError, match=r"had not taken all alerts after 0\.2 s"):
                publisher.close()

    def test_a_subscriber_that_breaks_off_at_the_end_is_not_waited_for(self):
        """ZeroMQ may not have noticed it, and has alerts in its queue that nobody will take."""
        for _ in range(150):
            publisher = Publisher(ANY_PORT, linger_seconds=LIMIT_SECONDS)
            with plain_subscriber(publisher.address, "alert."):
                publisher.wait_for_subscribers(1, LIMIT_SECONDS)
                publisher.publish(an_alert(1))
            publisher.publish(an_alert(2))
            publisher.publish(an_alert(3))
            publisher.close()  # raises when it waited

    def test_closing_twice_is_closing_once(self):
        publisher = Publisher(ANY_PORT)
        publisher.close()
        publisher.close()


def test_an_alert_that_no_subscriber_would_take_is_counted_and_not_sent():
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.address) as subscriber:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert(1, title="x" * ALERT_BYTES_MAX))
        publisher.publish(an_alert(2))
        assert subscriber.receive(LIMIT_SECONDS).alert.sequence == 2
        assert publisher.counters[BusCount.TOO_LARGE] == 1
        assert publisher.counters[BusCount.PUBLISHED] == 1


def test_a_peer_that_sends_more_than_a_subscription_is_cut_off():
    with (
        Publisher(ANY_PORT) as publisher,
        plain_subscriber(publisher.address, "alert." + "x" * SUBSCRIPTION_BYTES_MAX),
        plain_subscriber(publisher.address, "alert.") as sub,
    ):
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        with pytest.raises(BusError, match=": 1 of 2"):
            publisher.wait_for_subscribers(2, 0.3)
        publisher.publish(an_alert())
        assert len(sub.recv_multipart()) == 2


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\xff" + bytes(8) + b"\x7f" * 99])
def test_a_peer_that_speaks_no_zeromq_disturbs_nobody(junk):
    with Publisher(ANY_PORT) as publisher, plain_subscriber(publisher.address, "alert.") as sub:
        host, port = publisher.address.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), timeout=LIMIT_SECONDS) as peer:
            peer.sendall(junk)
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            publisher.publish(an_alert())
            assert len(sub.recv_multipart()) == 2


def test_a_process_that_publishes_and_ends_has_sent_all(tmp_path):
    """As `tapir read --publish --wait-subscribers 1` does; the subscriber begins to read when the process closes."""
    total = 2_000
    program = f"""
from sensor.bus.publisher import Publisher
from tests.bus.alerts import an_alert
with Publisher("ipc://{tmp_path}/alerts", wait_subscribers=1) as publisher:
    for sequence in range(1, {total} + 1):
        publisher.publish(an_alert(sequence, title="x" * 10_000))
    print("closing", flush=True)
"""
    root = Path(__file__).parents[2]
    with (
        plain_subscriber(f"ipc://{tmp_path}/alerts", "alert.") as sub,
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root) as process,
    ):
        assert process.stdout.readline() == b"closing\n"
        numbers = [msgspec.json.decode(sub.recv_multipart()[1])["sequence"] for _ in range(total)]
        assert process.wait(LIMIT_SECONDS) == 0
    assert numbers == list(range(1, total + 1))


def test_a_port_in_use_is_one_line():
    with Publisher(ANY_PORT) as publisher, pytest.raises(BusError, match="in use"):
        Publisher(publisher.address)
