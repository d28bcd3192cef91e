"""The store: each revision once, with its cursor and its incident, whenever the collector is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from sensor.alert import Alert, Entity
from sensor.bus.memory_log import MemoryLog
from sensor.bus.message import Message
from sensor.bus.stream import AlertStream
from sensor.collector.databases.sqlite import path_of
from sensor.collector.incidents import timeline
from sensor.collector.store import Store, Stored
from sensor.config import BusSettings
from sensor.errors import OutputError, SettingError
from tests.bus.alerts import an_alert

ID = "{:032x}".format


def a_message(alert: Alert) -> Message:
    return Message("alert.x", alert, msgspec.json.encode(alert), None)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with Store(place) as store:
        yield store


def rows(store: Store, query: str) -> list[tuple]:
    return [tuple(row) for row in store.base.execute(query)]


def test_a_revision_that_comes_twice_is_there_once(store):
    store.commit([a_message(an_alert(1)), a_message(an_alert(1))])
    store.commit([a_message(an_alert(7, epoch=2))])  # the same revision, of a journal that was made anew
    assert (store.stored, store.repeated) == (1, 2)
    assert rows(store, "SELECT sensor, epoch, sequence FROM alerts") == [("tap-1", 1, 1)]
    assert store.cursors == {"tap-1": (2, 7)}


def test_the_cursor_is_committed_with_the_alert_or_not_at_all(store):
    def fails(stored: Stored) -> None:
        if stored.alert.sequence == 2:
            raise ValueError("no")

    store.consequences.append(fails)
    with pytest.raises(ValueError, match="no"):
        store.commit([a_message(an_alert(1)), a_message(an_alert(2, alert_id=ID(2)))])
    assert store.cursors == {}
    assert rows(store, "SELECT count(*) FROM alerts") == [(0,)]
    assert rows(store, "SELECT count(*) FROM audit") == [(0,)]


def test_alerts_of_an_actor_are_one_incident_with_the_steps_in_order(store):
    scan = an_alert(1, alert_id=ID(1), rule_id="port-scan", category="scanning", severity="medium", first_seen=100.0)
    login = an_alert(2, alert_id=ID(2), first_seen=200.0)
    account = an_alert(3, alert_id=ID(3), first_seen=300.0, entity=Entity("account", "ab12"), category="exfiltration")
    other = an_alert(4, alert_id=ID(4), client_ip="192.0.2.8")
    posture = an_alert(5, alert_id=ID(5), client_ip=None, entity=Entity("server", "192.0.2.80"), category="exposure")
    store.commit([a_message(one) for one in (login, scan, account, other, posture)])
    incidents = rows(store, "SELECT id, actor, severity FROM incidents")
    assert incidents == [(1, "192.0.2.7", "high"), (2, "192.0.2.8", "high"), (3, "server 192.0.2.80", "high")]
    assert [entry.step for entry in timeline(store.base, 1)] == ["reconnaissance", "credential access", "exfiltration"]


def test_a_revision_stays_with_its_incident_and_raises_it(store):
    store.commit([a_message(an_alert(1, severity="medium"))], now=1000.0)
    store.commit([a_message(an_alert(2, revision=2, severity="critical", client_ip="192.0.2.99"))], now=1010.0)
    assert rows(store, "SELECT id, severity, due FROM incidents") == [(1, "critical", 1010.0)]
    assert rows(store, "SELECT action FROM audit") == [("opened",), ("raised",)]
    assert [entry.severity for entry in timeline(store.base, 1)] == ["critical"]


def test_an_actor_quiet_for_long_opens_another_incident(place):
    with Store(place, incident_idle_seconds=100.0) as store:
        for number, at in enumerate((0.0, 90.0, 500.0), 1):
            store.commit([a_message(an_alert(number, alert_id=ID(number), first_seen=at, last_seen=at))])
        assert rows(store, "SELECT incident FROM alerts") == [(1,), (1,), (2,)]


def test_only_its_owner_can_read_a_file(tmp_path):
    Store(str(tmp_path)).close()
    assert path_of(str(tmp_path)).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("place", ["mysql://user:secret@host/x", "sqlite://", "sqlite:///"])
def test_a_place_that_is_none_is_said_without_its_password(place):
    with pytest.raises(SettingError, match="expected a folder, sqlite:///PATH") as raised:
        path_of(place)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_store_is_an_error(tmp_path):
    (tmp_path / "tapir.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(OutputError, match="cannot be used as a store"):
        Store(str(tmp_path))


class TestAsProcesses:
    """`tapir collect --store` against a stream that keeps its alerts."""

    def collecting(self, stream: AlertStream, place: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sensor", "collect", stream.address, "--store", place]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def test_killed_at_any_point_each_alert_is_there_once(self, place):
        total = 0
        settings = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.1)
        with AlertStream(settings, MemoryLog(), "tap-1") as stream:
            for kill_after in (1, 201, 300):
                stream.put(
                    an_alert(total + one, alert_id=ID(total + one), epoch=stream.epoch) for one in range(1, 301)
                )
                total += 300
                process = self.collecting(stream, place)
                try:  # what an earlier run stored and did not show does not come again
                    for _ in range(min(kill_after, total - self.stored(place))):
                        assert json.loads(process.stdout.readline())["sensor"] == "tap-1"
                finally:
                    process.kill()
                    process.communicate()
            process = self.collecting(stream, place)
            stream.put([an_alert(total + 1, alert_id=ID(total + 1), epoch=stream.epoch)])
            try:
                assert any(json.loads(line)["sequence"] == total + 1 for line in process.stdout)
            finally:
                process.kill()
                process.communicate()
        with Store(place) as store:
            found = [number for (number,) in rows(store, "SELECT sequence FROM alerts ORDER BY sequence")]
            assert found == list(range(1, total + 2)), "losses and duplicates are 0"
            assert rows(store, "SELECT sequence FROM cursors") == [(total + 1,)]

    def stored(self, place: str) -> int:
        with Store(place) as store:
            return rows(store, "SELECT count(*) FROM alerts")[0][0]
