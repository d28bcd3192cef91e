"""Keys: who may subscribe and to what, with real sockets; what is refused, counted and said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from sensor.bus.keys import KeyFolder
from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.bus.subscriber import Subscriber
from sensor.bus.subscriptions import granted
from sensor.config import BusSettings
from sensor.errors import BusError, SettingError
from sensor.limits import SUBSCRIPTIONS_MAX
from tests.bus.test_stream import LIMIT_SECONDS, LOCAL, alerts, numbers, until


class Guarded:
    """A sensor with keys and a collector with its own, which know one another."""

    def __init__(self, folder: Path, topics: tuple[str, ...] = ("alert.", "stats.")) -> None:
        self.said: list[str] = []
        self.keys, self.collector = KeyFolder(folder / "sensor"), KeyFolder(folder / "collector")
        public = self.keys.make().public.decode()
        self.keys.allow("collector-1", self.collector.make().public.decode(), topics)
        settings = BusSettings(publish=LOCAL, keys=str(self.keys.path), heartbeat_seconds=0.05, linger_seconds=0)
        self.stream = AlertStream(settings, MemoryLog(), "tap-1", self.said.append)
        self.collector.trust("tap-1", self.stream.address, public)

    def subscriber(self, keys: KeyFolder | None = None, **options) -> Subscriber:
        return Subscriber(self.stream.address, keys=str((keys or self.collector).path), **options)


@pytest.fixture
def guarded(tmp_path):
    guarded = Guarded(tmp_path)
    yield guarded
    guarded.stream.close()


def test_an_allowed_collector_gets_alerts_and_may_ask_for_earlier_ones(guarded):
    guarded.stream.put(alerts(guarded.stream, 1, 5))
    with guarded.subscriber(start="first") as subscriber:
        assert numbers(subscriber, 5) == [1, 2, 3, 4, 5]


def test_a_key_that_is_not_allowed_is_refused_counted_and_said_on_both_sides(guarded, tmp_path):
    stranger = KeyFolder(tmp_path / "stranger")
    key = stranger.make().public.decode()
    stranger.trust("tap-1", guarded.stream.address, guarded.keys.own().public.decode())
    with guarded.subscriber(stranger) as subscriber, pytest.raises(BusError, match="tapir keys allow NAME"):
        subscriber.receive(LIMIT_SECONDS)
    assert guarded.stream.all_counters()["gate"]["refused"] >= 1
    assert len(guarded.said) == 1
    assert key in guarded.said[0]
    assert guarded.keys.own().secret.decode() not in guarded.said[0]


def test_allowing_a_key_counts_at_once_and_removing_it_ends_its_connection(guarded, tmp_path):
    late = KeyFolder(tmp_path / "late")
    key = late.make().public.decode()
    late.trust("tap-1", guarded.stream.address, guarded.keys.own().public.decode())
    with guarded.subscriber(late) as subscriber:
        with pytest.raises(BusError):
            subscriber.receive(LIMIT_SECONDS)
        guarded.keys.allow("late", key)
        until(lambda: subscriber.heartbeats, subscriber)
        guarded.stream.put(alerts(guarded.stream, 1, 1))
        assert numbers(subscriber, 1) == [1]
        guarded.keys.remove("late")
        until(lambda: not subscriber.connected, subscriber)


@pytest.mark.parametrize("keys", ["none", "another sensor's"])
def test_who_has_not_the_sensors_key_gets_nothing(guarded, keys):
    with zmq.Context() as context, context.socket(zmq.SUB) as plain:
        plain.setsockopt(zmq.LINGER, 0)
        if keys != "none":
            own, (other, _) = guarded.collector.own(), zmq.curve_keypair()
            plain.curve_publickey, plain.curve_secretkey, plain.curve_serverkey = own.public, own.secret, other
        plain.subscribe("")
        plain.connect(guarded.stream.address)
        until(lambda: guarded.stream.all_counters()["bus"]["peers_broken"])
        guarded.stream.put(alerts(guarded.stream, 1, 10))
        assert not plain.poll(200)


def test_a_key_gets_only_the_topics_it_may_have(tmp_path):
    guarded = Guarded(tmp_path, topics=("alert.high.", "stats."))
    with guarded.stream as stream, guarded.subscriber(start="first") as subscriber:
        for number in range(1, 21):
            stream.put(alerts(stream, number, number, severity="high" if number % 5 == 0 else "low"))
        assert numbers(subscriber, 4) == [5, 10, 15, 20]
        until(lambda: subscriber.heartbeats, subscriber)
        stream.put(alerts(stream, 21, 21, severity="low"))
        stream.put(alerts(stream, 22, 22))
        assert numbers(subscriber, 1) == [22]


def test_what_is_granted_is_the_common_part():
    assert granted(b"", [b"alert.high.", b"stats."]) == [b"alert.high.", b"stats."]
    assert granted(b"alert.high.x", [b"alert.", b"stats."]) == [b"alert.high.x"]
    assert granted(b"tx.", [b"alert.", b"stats."]) == []


@pytest.mark.parametrize("address", ["tcp://*:0", "tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:5556"])
def test_other_hosts_need_keys(address, tmp_path):
    with pytest.raises(BusError, match="tapir keys make --keys"):
        AlertStream(BusSettings(publish=address, keys=str(tmp_path / "none")), MemoryLog(), "s")


def test_other_hosts_sensors_need_to_be_known(tmp_path):
    with pytest.raises(BusError, match="tapir keys trust NAME"):
        Subscriber("tcp://192.0.2.1:5556", keys=str(tmp_path))
    Subscriber("tcp://192.0.2.1:5556", keys=str(tmp_path), plaintext=True).close()


def test_a_secret_key_that_others_can_read_is_refused(tmp_path):
    keys = KeyFolder(tmp_path)
    keys.make()
    (tmp_path / "own.key").chmod(0o644)
    with pytest.raises(SettingError, match="expected mode 0600"):
        keys.own()


def test_a_peer_that_subscribes_without_end_is_hung_up_on_and_others_are_not():
    settings = BusSettings(publish=LOCAL, heartbeat_seconds=0.05, linger_seconds=0)
    with AlertStream(settings, MemoryLog(), "tap-1") as stream, Subscriber(stream.address) as good:
        until(lambda: good.heartbeats, good)
        with zmq.Context() as context, context.socket(zmq.SUB) as greedy:
            greedy.setsockopt(zmq.LINGER, 0)
            for number in range(SUBSCRIPTIONS_MAX + 10):
                greedy.subscribe(f"alert.{number}")
            greedy.connect(stream.address)
            until(lambda: stream.all_counters()["bus"]["peers_hung_up"])
        stream.put(alerts(stream, 1, 3))
        assert numbers(good, 3) == [1, 2, 3]


@pytest.mark.parametrize(
    "frames",
    [[b"{"], [b""], [b"[1]"], [b'{"after":[-1,0]}'], [b'{"after":"x"}'], [b"a", b"b", b"c"], [b"[" * 5_000]],
    ids=lambda frames: repr(frames[0][:12]),
)
def test_a_request_that_is_none_costs_its_sender_the_connection(frames):
    settings = BusSettings(publish=LOCAL, heartbeat_seconds=0.05, linger_seconds=0)
    with AlertStream(settings, MemoryLog(), "tap-1") as stream, zmq.Context() as context:
        with context.socket(zmq.DEALER) as hostile:
            hostile.setsockopt(zmq.LINGER, 0)
            hostile.connect(stream.replay_address)
            hostile.send_multipart(frames)
            until(lambda: stream.all_counters()["replay"]["malformed"])
        with Subscriber(stream.address, start="first") as subscriber:
            stream.put(alerts(stream, 1, 3))
            assert numbers(subscriber, 3) == [1, 2, 3]


def test_a_flood_of_requests_slows_no_alert():
    """Requests are answered at the pace that is allowed; alerts go out meanwhile."""
    settings = BusSettings(publish=LOCAL, heartbeat_seconds=0.05, linger_seconds=0)
    with AlertStream(settings, MemoryLog(), "tap-1") as stream, zmq.Context() as context:
        stream.put(alerts(stream, 1, 2_000))
        until(lambda: stream.all_counters()["bus"]["published"] == 2_000)
        with context.socket(zmq.DEALER) as flood, Subscriber(stream.address) as subscriber:
            flood.setsockopt(zmq.LINGER, 0)
            flood.setsockopt(zmq.SNDHWM, 0)
            flood.connect(stream.replay_address)
            for _ in range(3_000):
                flood.send(b'{"after":[0,0]}')
            until(lambda: subscriber.heartbeats, subscriber)
            stream.put(alerts(stream, 2_001, 2_100))
            assert numbers(subscriber, 100) == list(range(2_001, 2_101))


def tapir(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "sensor", "keys", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_the_commands(tmp_path):
    folder = ("--keys", str(tmp_path))
    code, public = tapir("make", *folder)
    assert (code, len(public)) == (0, 40)
    assert tapir("show", *folder) == (0, public)
    assert tapir("make", *folder)[0] == 2
    assert tapir("allow", "one", public, "--topic", "alert.high.", *folder) == (0, "")
    assert tapir("trust", "tap", "tcp://192.0.2.1:5556", public, *folder) == (0, "")
    listed = f"allowed one {public} alert.high.\ntrusted tap {public} tcp://192.0.2.1:5556"
    assert tapir("list", *folder) == (0, listed)
    assert tapir("remove", "one", *folder) == (0, "")
    assert tapir("remove", "one", *folder)[0] == 1
    code, said = tapir("allow", "bad", "secret?", *folder)
    assert code == 2
    assert "secret?" not in said
