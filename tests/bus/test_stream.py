"""The whole stream of a sensor with its journal, and subscribers that lose nothing; real sockets on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from sensor.alert import State
from sensor.alerting.journal import Journal
from sensor.alerting.journal_verify import verify
from sensor.bus.memory_log import MemoryLog
from sensor.bus.sequence import Gap
from sensor.bus.stream import AlertStream
from sensor.bus.subscriber import Subscriber
from sensor.config import BusSettings, JournalSettings
from sensor.errors import BusError
from sensor.limits import STREAM_QUEUE_ALERTS
from tests.bus.alerts import an_alert
from tests.bus.test_subscriber import free_port

LIMIT_SECONDS = 90.0
LOCAL = "tcp://127.0.0.1:*"


def a_stream(log=None, publish: str = LOCAL, sensor: str = "tap-1", **options) -> AlertStream:
    settings = BusSettings(publish=publish, **({"heartbeat_seconds": 0.05, "linger_seconds": 0.0} | options))
    return AlertStream(settings, log or MemoryLog(), sensor)


def alerts(stream: AlertStream, first: int, last: int, **changes) -> list:
    return [
        an_alert(sequence, **({"epoch": stream.health.epoch, "sensor": stream.sensor} | changes))
        for sequence in range(first, last + 1)
    ]


def numbers(subscriber: Subscriber, count: int) -> list[int]:
    found = []
    while len(found) < count:
        message = subscriber.receive(LIMIT_SECONDS)
        assert message is not None, f"only {len(found)} of {count} came: {found}"
        found.append(message.alert.sequence)
    return found


def until(condition: Callable[[], object], subscriber: Subscriber | None = None) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        if subscriber:
            assert subscriber.receive(0.02) is None


@contextmanager
def plain(address: str, topic: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.setsockopt(zmq.RCVTIMEO, int(LIMIT_SECONDS * 1000))
        sub.setsockopt(zmq.LINGER, 0)
        sub.subscribe(topic)
        sub.connect(address)
        yield sub


class TestPlainSubscribers:
    def test_they_get_alerts_as_ever(self):
        with a_stream() as stream, plain(stream.address, "alert.") as sub:
            stream.wait_for_subscribers(1, LIMIT_SECONDS)
            (alert,) = alerts(stream, 1, 1)
            stream.put([alert])
            assert sub.recv_multipart() == [
                b"alert.high.authentication.brute-force-login",
                msgspec.json.encode(alert),
            ]

    def test_a_heartbeat_comes_at_once_to_who_subscribes_and_says_what_a_collector_needs(self, tmp_path):
        with a_stream(Journal(tmp_path), heartbeat_seconds=30) as stream, plain(stream.address, "stats.") as sub:
            beat = json.loads(sub.recv_multipart()[1])
            assert (beat["sensor"], beat["epoch"], beat["sequence"]) == ("tap-1", stream.health.epoch, 0)
            assert beat["replay"] == stream.replay_address
            assert beat["journal"]["durable"]

    def test_without_a_client_of_tapir_what_was_missed_can_be_asked_for(self):
        with a_stream() as stream, zmq.Context() as context, context.socket(zmq.REQ) as asking:
            stream.put(alerts(stream, 1, 3))
            asking.setsockopt(zmq.RCVTIMEO, int(LIMIT_SECONDS * 1000))
            asking.connect(stream.replay_address)
            until(lambda: stream.all_counters()["bus"]["published"] == 3)
            asking.send_json({"after": [stream.health.epoch, 1]})
            header, lines = asking.recv_multipart()
            assert json.loads(header)["upto"] == [stream.health.epoch, 3]
            assert [json.loads(line.partition(b" ")[2])["sequence"] for line in lines.splitlines()] == [2, 3]


class TestNothingIsMissed:
    def test_what_was_published_before_it_came_when_it_asks_for_all(self, tmp_path):
        with a_stream(Journal(tmp_path)) as stream:
            stream.put(alerts(stream, 1, 1_200))
            with Subscriber(stream.address, start="first") as subscriber:
                assert numbers(subscriber, 1_200) == list(range(1, 1_201))
                stream.put(alerts(stream, 1_201, 1_210))
                assert numbers(subscriber, 10) == list(range(1_201, 1_211))
                assert (subscriber.missed, subscriber.gaps) == (0, ())

    def test_from_now_on_when_it_does_not(self):
        with a_stream() as stream:
            stream.put(alerts(stream, 1, 5))
            until(lambda: stream.all_counters()["bus"]["published"] == 5)
            with Subscriber(stream.address) as subscriber:
                until(lambda: subscriber.heartbeats, subscriber)
                stream.put(alerts(stream, 6, 6))
                assert numbers(subscriber, 1) == [6]

    def test_from_a_cursor_on(self, tmp_path):
        with a_stream(Journal(tmp_path)) as stream:
            stream.put(alerts(stream, 1, 20))
            with Subscriber(stream.address, cursors={"tap-1": (stream.health.epoch, 7)}) as subscriber:
                stream.put(alerts(stream, 21, 22))
                assert numbers(subscriber, 15) == list(range(8, 23))
                assert subscriber.cursors == {"tap-1": (stream.health.epoch, 22)}

    @pytest.mark.parametrize("topics", ["alert.", "alert.low."])
    def test_what_did_not_fit_in_its_queue(self, topics):
        """It does not read while 4,000 large alerts are published into a queue of ten; then it has them all."""
        with (
            a_stream(send_queue_alerts=10) as stream,
            Subscriber(stream.address, topics, receive_hwm=10) as slow,
        ):
            stream.wait_for_subscribers(1, LIMIT_SECONDS)
            until(lambda: slow.heartbeats, slow)
            for first in range(1, 2_001, 2):
                stream.put(alerts(stream, first, first, severity="high", title="x" * 5_000))
                stream.put(alerts(stream, first + 1, first + 1, severity="low", title="x" * 5_000))
            until(lambda: stream.all_counters()["bus"]["published"] == 2_000)
            wanted = list(range(1, 2_001)) if topics == "alert." else list(range(2, 2_001, 2))
            assert numbers(slow, len(wanted)) == wanted
            assert slow.replayed > 0
            assert not slow.missed
            assert stream.all_counters()["bus"]["queue_full"] > 0

    def test_the_last_alerts_before_a_silence(self):
        """Nothing follows them that could show the gap: the heartbeat does."""
        with a_stream(send_queue_alerts=1) as stream, Subscriber(stream.address, receive_hwm=1) as slow:
            stream.wait_for_subscribers(1, LIMIT_SECONDS)
            until(lambda: slow.heartbeats, slow)
            stream.put(alerts(stream, 1, 500, title="x" * 50_000))
            until(lambda: stream.all_counters()["bus"]["published"] == 500)
            assert numbers(slow, 500) == list(range(1, 501))

    def test_over_restarts_of_the_sensor(self, tmp_path):
        address, subscriber, epochs = f"tcp://127.0.0.1:{free_port()}", None, []
        for run in range(3):
            with a_stream(Journal(tmp_path), address) as stream:
                epochs.append(stream.health.epoch)
                stream.put(alerts(stream, 1, 10))
                subscriber = subscriber or Subscriber(address, start="first")
                if run == 1:
                    continue  # published while the subscriber does not even look
                want = 10 if run == 0 else 20
                got = [subscriber.receive(LIMIT_SECONDS).position for _ in range(want)]
                runs = epochs[-1:] if run == 0 else epochs[-2:]
                assert got == [(epoch, number) for epoch in runs for number in range(1, 11)]
        assert subscriber.missed == 0
        subscriber.close()

    def test_over_restarts_of_the_subscriber(self, tmp_path):
        with a_stream(Journal(tmp_path)) as stream:
            cursors, got = {}, []
            for run in range(5):
                stream.put(alerts(stream, 20 * run + 1, 20 * run + 20))
                with Subscriber(stream.address, cursors=cursors, start="first") as subscriber:
                    got += numbers(subscriber, 13)
                    cursors = subscriber.cursors
            with Subscriber(stream.address, cursors=cursors) as subscriber:
                got += numbers(subscriber, 35)
            assert got == list(range(1, 101))

    def test_a_sensor_reached_by_two_ways_gives_each_alert_once(self):
        with a_stream() as stream, Subscriber([stream.address, stream.address], start="first") as subscriber:
            stream.put(alerts(stream, 1, 300))
            assert numbers(subscriber, 300) == list(range(1, 301))
            assert subscriber.receive(0.3) is None

    def test_several_sensors_each_in_order(self):
        with (
            a_stream(sensor="a") as first,
            a_stream(sensor="b") as second,
            Subscriber([first.address, second.address], start="first") as subscriber,
        ):
            first.put(alerts(first, 1, 200))
            second.put(alerts(second, 1, 200))
            got = [subscriber.receive(LIMIT_SECONDS).alert for _ in range(400)]
            for name in "ab":
                assert [one.sequence for one in got if one.sensor == name] == list(range(1, 201))

    def test_what_retention_took_is_a_gap_with_its_exact_size(self, tmp_path):
        journal = Journal(tmp_path, JournalSettings(segment_bytes=10_000, bytes_max=30_000))
        with a_stream(journal) as stream:
            for number in range(1, 101):
                stream.put(alerts(stream, number, number))
                until(lambda number=number: stream.all_counters()["bus"]["published"] == number)
            with Subscriber(stream.address, cursors={"tap-1": (stream.health.epoch, 3)}) as subscriber:
                (number,) = numbers(subscriber, 1)
                assert number > 4
                assert subscriber.gaps == (Gap("tap-1", stream.health.epoch, 4, number - 1),)

    def test_a_journal_that_was_made_anew_is_told_apart(self, tmp_path):
        with a_stream(Journal(tmp_path)) as stream:
            stream.put(alerts(stream, 1, 3))
            ahead = {"tap-1": (stream.health.epoch + 10**6, 9)}
            with Subscriber(stream.address, cursors=ahead) as subscriber:
                assert numbers(subscriber, 3) == [1, 2, 3]
                assert (subscriber.resets, subscriber.missed) == (1, 0)

    def test_two_sensors_with_one_name_are_said(self):
        with (
            a_stream(sensor="same") as first,
            a_stream(sensor="same") as second,
            Subscriber([first.address, second.address]) as subscriber,
        ):
            with pytest.raises(BusError, match="two sensors are called 'same'"):
                subscriber.receive(LIMIT_SECONDS)
            second.put(alerts(second, 1, 2))
            assert numbers(subscriber, 2) == [1, 2]


class TestOpenAlerts:
    def test_a_snapshot_has_the_last_revision_of_each_open_alert(self, tmp_path):
        for run in range(2):
            with a_stream(Journal(tmp_path)) as stream:
                if run == 0:
                    stream.put(alerts(stream, 1, 1, alert_id="a"))
                    stream.put(alerts(stream, 2, 2, alert_id="b"))
                    stream.put(alerts(stream, 3, 3, alert_id="a", revision=2, state=State.UPDATED))
                else:
                    stream.put(alerts(stream, 1, 1, alert_id="b", revision=2, state=State.CLOSED))
                    stream.put(alerts(stream, 2, 301, alert_id="c", title="x" * 2_000))
                    for number in range(302, 602):
                        stream.put(alerts(stream, number, number, alert_id=f"d{number}", title="x" * 2_000))
                    until(lambda stream=stream: stream.all_counters()["bus"]["published"] == 601)
                    with Subscriber(stream.address) as subscriber:
                        found = {message.alert.alert_id: message.alert for message in subscriber.open_alerts()}
        assert found.keys() == {"a", "c"} | {f"d{number}" for number in range(302, 602)}
        assert found["a"].revision == 2


class TestBackPressure:
    def test_a_stuck_subscriber_slows_nobody_and_its_lag_is_seen(self):
        with a_stream() as stream, Subscriber(stream.address) as stuck, Subscriber(stream.address) as quick:
            until(lambda: stuck.heartbeats, stuck)
            until(lambda: quick.heartbeats, quick)
            stream.put(alerts(stream, 1, 3_000))
            assert numbers(quick, 3_000) == list(range(1, 3_001))
            until(lambda: quick.heartbeats[stream.address][0].lag_max == 3_000, quick)

    def test_a_queue_that_is_full_makes_a_file_wait_and_a_live_sensor_shed(self):
        class Slow(MemoryLog):
            """A disk that takes its time: until it is let go."""

            def __init__(self) -> None:
                super().__init__()
                self.go = threading.Event()

            def append(self, records) -> None:
                assert self.go.wait(LIMIT_SECONDS)
                super().append(records)

        log = Slow()
        with a_stream(log) as stream:
            batch = alerts(stream, 1, STREAM_QUEUE_ALERTS + 2_000)
            stream.put(batch, wait=False)
            shed = stream.all_counters()["bus"]["shed"]
            assert 1_000 <= shed <= 2_000
            waiting = threading.Thread(target=stream.put, args=(alerts(stream, 20_000, 20_000),))
            waiting.start()
            log.go.set()
            waiting.join(LIMIT_SECONDS)
            assert not waiting.is_alive()
            until(lambda: stream.all_counters()["bus"]["published"] == len(batch) - shed + 1)
            assert stream.all_counters()["bus"]["shed"] == shed


class TestTheEnd:
    def test_it_waits_for_a_subscriber_that_lags(self, tmp_path):
        stream = a_stream(linger_seconds=LIMIT_SECONDS, send_queue_alerts=1)
        with Subscriber(stream.address, receive_hwm=1) as subscriber:
            until(lambda: subscriber.heartbeats, subscriber)
            stream.put(alerts(stream, 1, 2_000, title="x" * 5_000))
            closing = threading.Thread(target=stream.close)
            closing.start()
            assert numbers(subscriber, 2_000) == list(range(1, 2_001))
            while closing.is_alive():
                assert subscriber.receive(0.05) is None

    def test_without_a_journal_a_subscriber_that_has_not_all_is_said(self):
        stream = a_stream(linger_seconds=0.3)
        with Subscriber(stream.address) as subscriber:
            until(lambda: subscriber.heartbeats, subscriber)
            stream.put(alerts(stream, 1, 20))
            with pytest.raises(BusError, match=r"had not taken all alerts after 0\.3 s"):
                stream.close()

    def test_everything_that_was_put_is_in_the_journal(self, tmp_path):
        with a_stream(Journal(tmp_path)) as stream:
            stream.put(alerts(stream, 1, 2_500))
        assert verify(tmp_path).records == 2_500


class TestAddresses:
    def test_replay_is_next_to_the_stream(self, tmp_path):
        port = free_port()
        with a_stream(publish=f"tcp://127.0.0.1:{port}") as stream:
            assert stream.replay_address == f"tcp://127.0.0.1:{port + 1}"
        with a_stream(publish=f"ipc://{tmp_path}/alerts") as stream:
            assert stream.replay_address == f"ipc://{tmp_path}/alerts-replay"
            stream.put(alerts(stream, 1, 5))
            with Subscriber(stream.address, start="first") as subscriber:
                assert numbers(subscriber, 5) == [1, 2, 3, 4, 5]

    def test_a_port_in_use_is_said_with_the_remedy(self, tmp_path: Path):
        with a_stream() as other, pytest.raises(BusError, match=r"in use.*--replay ADDRESS chooses another"):
            a_stream(replay=other.replay_address)
