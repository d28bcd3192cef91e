"""Sinks: every alert arrives, in order, over faults and restarts; syslog against real sockets."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from sensor.alert import Alert
from sensor.collector.sinks import Feed, sink
from sensor.collector.sinks.syslog import message
from sensor.collector.store import Store
from sensor.config import SinkSettings
from sensor.errors import SettingError
from sensor.export.formats import FORMATS
from tests.bus.alerts import an_alert
from tests.collector.test_store import ID, a_message


@pytest.fixture
def store(place: str):
    with Store(place) as store:
        yield store


def stored(store: Store, first: int, last: int) -> list:
    alerts = [an_alert(number, alert_id=ID(number)) for number in range(first, last + 1)]
    store.commit([a_message(alert) for alert in alerts])
    return [msgspec.json.decode(msgspec.json.encode(alert), type=Alert) for alert in alerts]


def sequences(path: Path) -> list[int]:
    return [json.loads(line)["sequence"] for line in path.read_bytes().splitlines()]


class TestFiles:
    def settings(self, tmp_path: Path, **changes) -> SinkSettings:
        return SinkSettings(name="files", file=str(tmp_path / "alerts.jsonl"), **changes)

    def test_goes_on_where_it_ended(self, store, tmp_path):
        for first, last in ((1, 3), (4, 1200)):
            stored(store, first, last)
            Feed(store.base, "files", sink(self.settings(tmp_path))).step(0)
        assert sequences(tmp_path / "alerts.jsonl") == list(range(1, 1201))

    def test_renamed_as_they_grow_and_the_oldest_goes(self, store, tmp_path):
        alerts = stored(store, 1, 9)
        size = 2 * (len(FORMATS["native"](alerts[0])) + 1)
        Feed(store.base, "files", sink(self.settings(tmp_path, file_bytes_max=size, files_kept=2))).step(0)
        names = sorted(path.name for path in tmp_path.glob("alerts*"))
        assert names == ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2"]
        assert [sequences(tmp_path / name) for name in names] == [[9], [7, 8], [5, 6]]

    def test_a_line_that_was_cut_does_not_spoil_the_next(self, store, tmp_path):
        (tmp_path / "alerts.jsonl").write_bytes(b'{"cut')
        stored(store, 1, 1)
        Feed(store.base, "files", sink(self.settings(tmp_path))).step(0)
        assert json.loads((tmp_path / "alerts.jsonl").read_bytes().splitlines()[1])["sequence"] == 1

    def test_what_could_not_be_written_comes_again(self, store, tmp_path):
        stored(store, 1, 2)
        feed = Feed(store.base, "files", sink(self.settings(tmp_path / "later")))
        with pytest.raises(OSError, match="No such file"):
            feed.step(0)
        (tmp_path / "later").mkdir()
        with pytest.raises(OSError, match="No such file"):
            feed.step(0.5)  # before it is time to try again
        feed.step(1)
        assert sequences(tmp_path / "later" / "alerts.jsonl") == [1, 2]


class TestSyslog:
    def test_a_message_is_as_rfc_5424_has_it(self):
        settings = SinkSettings(name="s", syslog="udp://127.0.0.1:514", format="cef")
        alert = an_alert(sensor="tap 1\n<0>", rule_id="x" * 40)
        head, body = message(alert, settings).split(b" - - ", 1)[0], FORMATS["cef"](alert)
        text = message(alert, settings)
        assert text.endswith(b" - " + body)
        assert head.startswith(b"<131>1 2025-11-21T11:02:30.500000Z tap_1_<0> tapir - " + b"x" * 32)

    def test_udp(self, store):
        with socket.socket(type=socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(30)
            settings = SinkSettings(name="s", syslog=f"udp://127.0.0.1:{server.getsockname()[1]}")
            alerts = stored(store, 1, 3)
            Feed(store.base, "s", sink(settings)).step(0)
            assert [server.recv(65_536) for _ in alerts] == [message(alert, settings) for alert in alerts]

    def test_tcp_has_counted_frames(self, store):
        with socket.create_server(("127.0.0.1", 0)) as server:
            reader = Reader(server)
            settings = SinkSettings(name="s", syslog=f"tcp://127.0.0.1:{server.getsockname()[1]}", format="ecs")
            feed = Feed(store.base, "s", sink(settings))
            for first in (1, 4):
                alerts = stored(store, first, first + 2)
                feed.step(0)
                assert reader.connections[-1] == b"".join(framed(alert, settings) for alert in alerts)

    def test_a_server_that_is_away_gets_all_when_it_comes(self, store):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            settings = SinkSettings(name="s", syslog=f"tcp://127.0.0.1:{server.getsockname()[1]}")
            feed = Feed(store.base, "s", sink(settings))
            (alert,) = stored(store, 1, 1)
            with pytest.raises(OSError, match="refused"):
                feed.step(0)
            server.listen()
            reader = Reader(server)
            feed.step(10)
            assert reader.connections == [framed(alert, settings)]

    def test_what_a_server_did_not_read_to_the_end_comes_again(self, store):
        with socket.create_server(("127.0.0.1", 0)) as server:
            reader = Reader(server, break_first=True)
            settings = SinkSettings(name="s", syslog=f"tcp://127.0.0.1:{server.getsockname()[1]}")
            feed = Feed(store.base, "s", sink(settings))
            alerts = stored(store, 1, 500)
            with pytest.raises(OSError, match=r"\w"):
                feed.step(0)
            feed.step(1)
            assert reader.connections == [b"".join(framed(alert, settings) for alert in alerts)]


class Reader(threading.Thread):
    """A server that reads each connection to its end, or breaks the first one after a few bytes, and then ends it."""

    def __init__(self, server: socket.socket, break_first: bool = False) -> None:
        super().__init__(daemon=True)
        self.connections: list[bytes] = []
        self._server, self._break = server, break_first
        self.start()

    def run(self) -> None:
        with suppress(OSError):  # the end of the test
            while True:
                connection, _ = self._server.accept()
                with connection, connection.makefile("rb") as file:
                    if self._break:
                        file.read(10)
                        self._break = False
                    else:
                        self.connections.append(file.read())


def framed(alert: Alert, settings: SinkSettings) -> bytes:
    return b"%d %s" % (len(message(alert, settings)), message(alert, settings))


@pytest.mark.parametrize(
    "changes", [{}, {"syslog": "tcp://127.0.0.1"}, {"syslog": "http://x:1"}, {"syslog": "tcp://x:99999"}]
)
def test_settings_that_cannot_work_are_said(changes):
    with pytest.raises(SettingError, match=r"collector\.sinks: s: expected"):
        sink(SinkSettings(name="s", **changes))
