"""What only a database server does: it goes away and comes back, has several writers, and asks for passwords."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest

from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.collector.audit import verify
from sensor.collector.databases import Away, transaction
from sensor.collector.databases.postgresql import PostgreSQL
from sensor.collector.store import Store
from sensor.collector.tables import opened
from sensor.config import BusSettings
from sensor.errors import InputError, OutputError, SettingError
from tests.bus.alerts import an_alert
from tests.collector.servers import LIMIT_SECONDS, PostgresServer, postgres_server
from tests.collector.test_store import ID, a_message, rows


def test_several_collectors_of_several_sensors_store_each_alert_once_and_keep_one_audit_trail(postgres: PostgresServer):
    place = postgres.place()
    alerts = [
        an_alert(number, sensor=f"tap-{sensor}", alert_id=ID(1000 * sensor + number), client_ip=f"192.0.2.{number}")
        for sensor in (1, 2)
        for number in range(1, 101)
    ]

    def collect() -> None:
        with Store(place) as store:
            for start in range(0, len(alerts), 20):
                store.commit([a_message(alert) for alert in alerts[start : start + 20]])

    threads = [threading.Thread(target=collect) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store(place) as store:
        assert rows(store, "SELECT sensor, count(*), max(sequence) FROM alerts GROUP BY sensor ORDER BY sensor") == [
            ("tap-1", 100, 100), ("tap-2", 100, 100),
        ]  # fmt: skip
        assert store.cursors == {"tap-1": (1, 100), "tap-2": (1, 100)}
        assert verify(store.base).breaks == ()
        assert verify(store.base).entries == rows(store, "SELECT count(*) FROM incidents")[0][0] == 100


def test_a_server_that_goes_away_is_said_and_used_again_when_it_is_back():
    with postgres_server() as server, Store(server.place()) as store:
        store.commit([a_message(an_alert(1))])
        server.stop()
        for _ in range(2):
            with pytest.raises(Away):
                store.commit([a_message(an_alert(2, alert_id=ID(2)))])
        server.start()
        store.commit([a_message(an_alert(2, alert_id=ID(2)))])
        assert rows(store, "SELECT sequence FROM alerts ORDER BY id") == [(1,), (2,)]


def test_a_collector_waits_for_a_server_that_is_away_and_then_has_everything():
    settings = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.1)
    with postgres_server() as server, AlertStream(settings, MemoryLog(), "tap-1") as stream:
        place = server.place()
        stream.put([an_alert(1, epoch=stream.epoch)])
        command = [sys.executable, "-m", "sensor", "collect", stream.address, "--store", place]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert json.loads(process.stdout.readline())["sequence"] == 1
            server.stop()
            stream.put(an_alert(number, alert_id=ID(number), epoch=stream.epoch) for number in range(2, 301))
            assert b"it is tried again" in process.stderr.readline()
            server.start()
            assert [json.loads(process.stdout.readline())["sequence"] for _ in range(299)] == list(range(2, 301))
            server.stop()
            stream.put([an_alert(301, alert_id=ID(301), epoch=stream.epoch)])
            assert any(b"it is tried again" in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_SECONDS) == 0
        server.start()
        with Store(place) as store:
            assert rows(store, "SELECT count(*), max(sequence) FROM alerts") == [(300, 300)]


def test_what_was_begun_when_it_went_away_is_not_half_there():
    with postgres_server() as server, Store(server.place()) as store:
        def lose() -> None:
            with transaction(store.base):
                store.base.execute("INSERT INTO sink_positions VALUES ('first', 1)")
                server.stop()
                server.start()
                store.base.execute("INSERT INTO sink_positions VALUES ('second', 1)")

        with pytest.raises(Away):
            lose()
        assert rows(store, "SELECT * FROM sink_positions") == []


def test_text_with_a_nul_is_kept_without_it_and_the_audit_trail_stays_whole(postgres: PostgresServer):
    with Store(postgres.place()) as store:
        for number in (1, 2):
            store.commit([a_message(an_alert(number, alert_id=ID(number), rule_id="a\0b", client_ip="c\0d"))])
        assert rows(store, "SELECT actor FROM incidents") == [("c\ufffdd",)]
        assert verify(store.base).breaks == ()


def test_a_database_without_a_store_is_said(postgres: PostgresServer):
    with pytest.raises(InputError, match="no such store"):
        opened(postgres.place())


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://tapir:hush/hush@host/x",
        "postgresql://tapir:1/hush@host/x",
        "postgresql://tapir:hush@hush@host/x",
        "postgresql://tapir:hush@host/x?hush=hush",
    ],
)
def test_a_place_that_is_none_is_said_without_its_password(place: str):
    with pytest.raises(SettingError, match="expected postgresql://") as raised:
        PostgreSQL(place)
    assert "hush" not in str(raised.value)


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path):
    with pytest.raises(OutputError, match=f"postgresql://{tmp_path}/x: cannot be used as a store") as raised:
        PostgreSQL(f"postgresql://tapir:hush@/x?host={tmp_path}")
    assert "hush" not in str(raised.value)
