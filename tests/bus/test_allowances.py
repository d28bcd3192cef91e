"""A list on its way from a collector to a sensor, over real sockets: who gets it, and who does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from sensor.bus.allowances import AllowanceServer, fetched, hash_of
from sensor.bus.keys import KeyFolder
from sensor.config import BusSettings
from sensor.errors import BusError
from sensor.limits import REQUEST_BYTES_MAX
from tests.bus.test_stream import LOCAL

LIMIT_SECONDS = 90.0
TEXT = '[[allow]]\nrule = "web-scan"\nreason = "ours"\nuntil = 2030-01-01\n'


@contextmanager
def serving(text: str = TEXT, keys: str = "") -> Iterator[AllowanceServer]:
    server = AllowanceServer(BusSettings(publish=LOCAL, keys=keys), lambda line: None)
    ending = threading.Event()

    def serve() -> None:
        while not ending.wait(0.01):
            server.step(text)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        ending.set()
        thread.join()
        server.close()


def ask(server: AllowanceServer, known: str = "", keys: str = "", seconds: float = LIMIT_SECONDS):
    return fetched(server.address, known, keys, False, seconds)


def test_the_list_comes_once_and_then_only_when_it_changed():
    with serving() as server:
        first = ask(server)
        assert first.text == TEXT
        again = ask(server, known=first.hash)
        assert (again.text, again.hash, again.problem) == (None, hash_of(TEXT), "")


def test_a_collector_that_is_away_is_no_list():
    with serving() as server:
        address = server.address
    found = fetched(address, "", "", False, 0.2)
    assert (found.text, found.problem) == (None, "no answer in 0.2 s")


class TestKeys:
    @pytest.fixture
    def folders(self, tmp_path: Path) -> tuple[KeyFolder, KeyFolder]:
        collector, sensor = KeyFolder(tmp_path / "collector"), KeyFolder(tmp_path / "sensor")
        collector.make()
        sensor.make()
        return collector, sensor

    def test_a_sensor_that_is_allowed_the_topic_gets_it(self, folders):
        collector, sensor = folders
        collector.allow("tap-1", sensor.own().public.decode(), ("allow.",))
        with serving(keys=str(collector.path)) as server:
            sensor.trust("collector", server.address, collector.own().public.decode())
            assert ask(server, keys=str(sensor.path)).text == TEXT

    def test_one_that_is_allowed_other_topics_is_told_so(self, folders):
        collector, sensor = folders
        collector.allow("tap-1", sensor.own().public.decode())
        with serving(keys=str(collector.path)) as server:
            sensor.trust("collector", server.address, collector.own().public.decode())
            found = ask(server, keys=str(sensor.path))
            assert (found.text, found.problem) == (None, "the key of this sensor is not allowed the topic allow.")

    def test_a_stranger_gets_no_answer_and_neither_does_one_without_keys(self, folders):
        collector, stranger = folders
        with serving(keys=str(collector.path)) as server:
            stranger.trust("collector", server.address, collector.own().public.decode())
            assert ask(server, keys=str(stranger.path), seconds=0.5).text is None
            assert fetched(server.address, "", "", True, 0.5).text is None

    def test_a_sensor_takes_no_list_from_another_collector(self, folders, tmp_path):
        collector, sensor = folders
        other = KeyFolder(tmp_path / "other")
        with serving(keys=str(collector.path)) as server:
            sensor.trust("collector", server.address, other.make().public.decode())
            assert ask(server, keys=str(sensor.path), seconds=0.5).text is None

    def test_beyond_this_host_nobody_listens_or_asks_without_keys(self, tmp_path):
        with pytest.raises(BusError, match="tapir keys make"):
            AllowanceServer(BusSettings(publish="tcp://*:*", keys=str(tmp_path)), lambda line: None)
        with pytest.raises(BusError, match="tapir keys trust"):
            fetched("tcp://192.0.2.1:5557", "", str(tmp_path), False, 0.1)


@pytest.mark.parametrize("asked", [b"", b"[]", b"{", b'{"known": 3}', b"[" * 5_000])
def test_what_is_no_question_gets_no_list_and_others_still_do(asked):
    with serving() as server, zmq.Context() as context, context.socket(zmq.REQ) as asking:
        asking.setsockopt(zmq.LINGER, 0)
        asking.setsockopt(zmq.RCVTIMEO, round(LIMIT_SECONDS * 1000))
        asking.connect(server.address)
        asking.send(asked)
        assert json.loads(asking.recv()) == {"problem": "expected what a sensor asks"}
        assert ask(server).text == TEXT


def test_a_question_that_is_too_long_ends_its_connection_only():
    with serving() as server, zmq.Context() as context, context.socket(zmq.DEALER) as asking:
        asking.setsockopt(zmq.LINGER, 0)
        asking.connect(server.address)
        asking.send(b"x" * (REQUEST_BYTES_MAX + 1))
        assert ask(server).text == TEXT
        assert not asking.poll(0)
