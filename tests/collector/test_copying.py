"""A store that moves to another database: everything is there, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensor.cli.app import app
from sensor.collector import incidents
from sensor.collector.audit import verify
from sensor.collector.copying import copy
from sensor.collector.response.choose import Chooser
from sensor.collector.routing import Router
from sensor.collector.sinks import Feed
from sensor.collector.store import Store
from sensor.collector.tables import NAMES
from sensor.config import ActionSettings, ChannelSettings, CollectorSettings, ResponseSettings, RouteSettings
from tests.bus.alerts import an_alert
from tests.collector.servers import PostgresServer
from tests.collector.test_store import ID, a_message, rows

NOW = 1_763_726_400.0
SETTINGS = CollectorSettings(
    channels=(ChannelSettings(name="hook", webhook="http://x"),), routes=(RouteSettings(channels=("hook",)),)
)
ACTION = ActionSettings(name="block", command=("true",), severities=("high",))


def worked(place: str) -> Store:
    """A store with something in each table that the collector itself fills."""
    store = Store(place)
    store.consequences.append(Router(store.base, SETTINGS))
    store.consequences.append(Chooser(store.base, ResponseSettings(enabled=True, actions=(ACTION,))))
    store.commit([a_message(an_alert(n, alert_id=ID(n), client_ip=f"192.0.2.{n % 200}")) for n in range(1, 2101)], NOW)
    incidents.acknowledge(store.base, 1, "ann", "known", NOW)
    Feed(store.base, "siem", lambda alerts: {0: "too odd"}).step(NOW)
    return store


@pytest.mark.parametrize("back", [False, True])
def test_all_of_it_is_there_and_goes_on(tmp_path: Path, postgres: PostgresServer, back: bool):
    places = [str(tmp_path), postgres.place()]
    from_, to = reversed(places) if back else places
    with worked(from_) as source:
        before = {name: rows(source, f"SELECT * FROM {name} ORDER BY 1") for name in NAMES}
        proof = verify(source.base)
    done = CliRunner().invoke(app, ["incidents", "copy", "--store", from_, "--to", to])
    assert (done.exit_code, "alerts                  2,100" in done.output) == (0, True), done.output
    with Store(to) as target:
        assert {name: rows(target, f"SELECT * FROM {name} ORDER BY 1") for name in NAMES} == before
        assert verify(target.base) == proof
        target.commit([a_message(an_alert(2101, alert_id=ID(2101), client_ip="198.51.100.1"))], NOW)
        (number,) = rows(target, "SELECT max(id) FROM alerts")
        assert number == (2101,)
        assert verify(target.base).breaks == ()


def test_a_schema_of_the_same_database_and_the_store_itself(postgres: PostgresServer):
    from_, to = postgres.place(), postgres.place()
    Store(from_).close()
    assert CliRunner().invoke(app, ["incidents", "copy", "--store", from_, "--to", to]).exit_code == 0
    done = CliRunner().invoke(app, ["incidents", "copy", "--store", from_, "--to", from_])
    assert (done.exit_code, "--to is the store itself" in done.output) == (2, True)


def test_a_store_with_something_in_it_is_left_alone(tmp_path: Path, place: str):
    with Store(place) as target, Store(str(tmp_path / "other")) as source:
        for store, client in ((target, "192.0.2.1"), (source, "192.0.2.2")):
            store.commit([a_message(an_alert(1, client_ip=client))])
    done = CliRunner().invoke(app, ["incidents", "copy", "--store", str(tmp_path / "other"), "--to", place])
    assert done.exit_code == 2
    assert "holds something already" in done.output
    with Store(place) as target:
        assert rows(target, "SELECT actor FROM incidents") == [("192.0.2.1",)]


def test_what_fails_midway_leaves_nothing(tmp_path: Path, place: str):
    with worked(str(tmp_path / "other")) as source, Store(place) as target:
        source.base.execute("ALTER TABLE sink_positions ADD COLUMN unknown TEXT")
        with pytest.raises(Exception, match="unknown"):
            copy(source.base, target.base)
        assert rows(target, "SELECT count(*) FROM alerts") == [(0,)]
