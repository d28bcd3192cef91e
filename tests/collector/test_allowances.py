"""`tapir allowances`: what a collector lets its sensors pass over, and that a sensor does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensor.alerting.allowed import parse_allowances
from sensor.bus.allowances import fetched
from sensor.cli.app import app
from sensor.cli.check_wiring import check_offer
from sensor.cli.checks import Checked
from sensor.cli.pulling import FILE_NAME
from sensor.collector.audit import verify
from sensor.collector.store import Store
from sensor.config import AlertingSettings, Settings
from sensor.control import ask
from sensor.errors import SettingError
from tests.bus.alerts import an_alert
from tests.bus.test_subscriber import free_port
from tests.collector.test_incidents import run
from tests.collector.test_store import ID, a_message

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT.parent / "shared" / "real" / "06-hydra.pcap.xz"
TAPIR = [sys.executable, "-m", "sensor"]
LIMIT_SECONDS = 60
ADD = ("add", "--rule", "brute-force-*", "--until", "2100-01-01", "--why", "a test")


def allowances(place: str, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["allowances", *arguments, "--store", place])
    return done.exit_code, done.output


@pytest.fixture
def place(place: str) -> str:
    with Store(place) as store:
        store.commit([a_message(an_alert(1)), a_message(an_alert(2, alert_id=ID(2), client_ip="192.0.2.9"))])
    return place


def test_a_false_positive_is_allowed_at_all_sensors_when_that_is_asked_for(place):
    code, offered = run(place, "resolve", "1", "--false-positive", "--why", 'our "scanner"')
    assert (code, allowances(place, "list")[1]) == (0, "none\n")
    assert run(place, "resolve", "2", "--false-positive", "--allow", "--why", 'our "scanner"', "--by", "ann")[0] == 0
    (kept,) = parse_allowances(allowances(place, "list", "--toml")[1], "list")
    assert (kept.rule, kept.entity) == ("brute-force-login", "client:192.0.2.7")
    assert kept.reason == 'incident 2: our "scanner"'
    assert [one.rule for one in parse_allowances(offered, "printed")] == ["brute-force-login"]
    with Store(place) as store:
        (entry,) = store.base.execute("SELECT who, why FROM audit WHERE action = 'allowed'").fetchall()
        assert (entry["who"], entry["why"].split(" until ")[0]) == ("ann", "brute-force-login client:192.0.2.7")
        assert verify(store.base).breaks == ()


def test_adding_and_ending(place):
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    code, _ = allowances(place, "add", "--entity", "client:10.0.0.0/24", "--until", tomorrow, "--why", "load test")
    assert code == 0
    (row,) = json.loads(allowances(place, "list", "--json")[1])
    assert (row["entity"], row["until"], row["rule"]) == ("client:10.0.0.0/24", tomorrow, "")
    assert allowances(place, "end", str(row["id"]), "--why", "over")[0] == 0
    assert allowances(place, "list")[1] == "none\n"
    code, text = allowances(place, "end", str(row["id"]), "--why", "over")
    assert (code, "not one that holds" in text) == (2, True)


def test_the_last_day_counts_and_then_it_is_over(place):
    today = datetime.now(UTC).date()
    for day in (today, today - timedelta(days=1)):
        assert allowances(place, "add", "--rule", f"r{day}", "--until", day.isoformat(), "--why", "x")[0] == 0
    assert [row["rule"] for row in json.loads(allowances(place, "list", "--json")[1])] == [f"r{today}"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--until", "2030-01-01", "--why", "x"], "everything would be allowed"),
        (["--rule", "x", "--until", "soon", "--why", "x"], "expected a day"),
        (["--rule", "x", "--until", "2030-01-01", "--why", " "], "expected a reason"),
        (["--entity", "10.0.0.7", "--until", "2030-01-01", "--why", "x"], "KIND:VALUE"),
    ],
)
def test_what_a_sensor_would_refuse_is_not_taken(place, arguments, problem):
    code, text = allowances(place, "add", *arguments)
    assert code == 2
    assert problem in text


@contextmanager
def collecting(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The store of a collector that offers allowances, and where."""
    store, address = str(tmp_path / "store"), f"tcp://127.0.0.1:{free_port()}"
    Store(store).close()
    offering = ["--set", f"collector.allow_listen='{address}'"]
    command = [*TAPIR, "collect", f"ipc://{tmp_path}/none", "--store", store, *offering]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as collector:
        try:
            until(lambda: fetched(address, "", "", False, 1.0).text is not None)
            yield store, address
        finally:
            collector.terminate()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"{CAPTURE} is not there")
def test_a_sensor_fetches_them_and_keeps_the_last_good_ones_when_the_collector_is_away(tmp_path):
    brute_force = {"brute-force-login", "brute-force-account"}
    with collecting(tmp_path) as (store, address):
        assert rules(tmp_path, address) >= brute_force
        assert allowances(store, *ADD)[0] == 0
        assert not rules(tmp_path, address) & brute_force
    assert not rules(tmp_path, address) & brute_force, "it is away now"


def test_a_running_sensor_takes_them_over(tmp_path):
    control = str(tmp_path / "control")

    def counted(name: str) -> int:
        with suppress(OSError, SettingError):
            return int((ask(control) or {"counters": {"alerting": {}}})["counters"]["alerting"].get(name, 0))
        return 0

    with collecting(tmp_path) as (store, address):
        given = {"alerting.allow_from": address, "service.control": control}
        options = [f"--set={key}='{value}'" for key, value in given.items()]
        running = [*TAPIR, "run", "--read-loop", str(ROOT / "pcaps" / "hydra-form.pcap"), "--pace", "100", "--quiet",
                   "--set=alerting.allow_from_seconds=0.2", *options]  # fmt: skip
        assert list(check_offer(offered_by(address))) == [Checked("allowances", "ok", address, "0 allowances")]
        with subprocess.Popen(running, stdout=subprocess.DEVNULL) as sensor:
            try:
                until(lambda: counted("raised") > 0)
                assert counted("allowed") == 0
                assert allowances(store, *ADD)[0] == 0
                until(lambda: counted("allowed") > 0)
            finally:
                sensor.terminate()


def test_the_check_before_a_start_says_when_nobody_answers():
    address = f"tcp://127.0.0.1:{free_port()}"
    (found,) = check_offer(offered_by(address))
    assert (found.level, found.where) == ("notice", address)
    (found,) = check_offer(offered_by("tcp://192.0.2.1:5557"))
    assert found.level == "trouble"
    assert "tapir keys trust" in found.text


def offered_by(address: str) -> Settings:
    return Settings(alerting=AlertingSettings(allow_from=address))


def rules(tmp_path: Path, address: str) -> set[str]:
    """Of the alerts that a sensor tells of the capture, which knows nothing but the list of its last run."""
    state = tmp_path / "state"
    for path in state.glob("*"):
        if path.name != FILE_NAME:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    reading = [*TAPIR, "read", str(CAPTURE), "--quiet", "--alerts", "-", "--state", str(state), "--set",
               f"alerting.allow_from='{address}'"]  # fmt: skip
    done = subprocess.run(reading, capture_output=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return {json.loads(line)["rule_id"] for line in done.stdout.splitlines()}
