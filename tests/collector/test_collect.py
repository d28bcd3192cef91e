"""`tapir collect` as a process: what it prints, when it ends and with which exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from sensor.alert import SCHEMA_VERSION
from sensor.bus.publisher import Publisher
from tests.bus.alerts import an_alert
from tests.bus.test_subscriber import RawPublisher

LIMIT_SECONDS = 90
COLLECT = [sys.executable, "-m", "sensor", "collect"]


@contextmanager
def collecting(*arguments: str, **options) -> Iterator[subprocess.Popen[bytes]]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    with subprocess.Popen([*COLLECT, *arguments], **options) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    return process.returncode, out or b"", err or b""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        yield publisher


def test_json_lines_are_the_messages_as_they_were_sent(publisher):
    alerts = [an_alert(1), an_alert(2, title="two\nlines\u2028and more"), an_alert(3)]
    with collecting(publisher.address, "--count", "3") as process:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        for alert in alerts:
            publisher.publish(alert)
        code, out, err = ended(process)
    assert (code, err) == (0, b"")
    assert out == b"".join(msgspec.json.encode(alert) + b"\n" for alert in alerts)


def test_each_line_comes_at_once(publisher):
    with collecting(publisher.address) as process:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        for sequence in (1, 2):
            publisher.publish(an_alert(sequence))
            assert json.loads(process.stdout.readline())["sequence"] == sequence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(publisher, number):
    with collecting(publisher.address) as process:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert())
        process.stdout.readline()
        process.send_signal(number)
        assert ended(process) == (0, b"", b"")


def test_a_signal_is_heard_while_alerts_keep_coming(publisher):
    with collecting(publisher.address, stdout=subprocess.DEVNULL) as process:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        process.send_signal(signal.SIGTERM)
        sequence = 0
        while process.poll() is None:
            sequence += 1
            publisher.publish(an_alert(sequence))
            assert sequence < 5_000_000
        assert process.returncode == 0


def test_time_over_is_the_end_asked_for_without_a_count_and_too_few_with_one(publisher):
    with collecting(publisher.address, "--timeout", "0.2") as process:
        assert ended(process) == (0, b"", b"")
    with collecting(publisher.address, "--timeout", "0.2", "--count", "1") as process:
        assert ended(process) == (4, b"", b"")


def test_topics_choose(publisher):
    with collecting(publisher.address, "--topic", "alert.low", "--topic", "alert.medium", "--count", "2") as process:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        for sequence, severity in enumerate(("low", "high", "medium"), 1):
            publisher.publish(an_alert(sequence, severity=severity))
        code, out, err = ended(process)
    assert (code, err) == (0, b""), "with topics chosen, numbers left out are no gap"
    assert [json.loads(line)["severity"] for line in out.splitlines()] == ["low", "medium"]


def test_several_sensors_and_what_is_missing_is_said(publisher):
    with (
        Publisher("tcp://127.0.0.1:*") as other,
        collecting(publisher.address, other.address, "--count", "3") as process,
    ):
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        other.wait_for_subscribers(1, LIMIT_SECONDS)
        other.publish(an_alert(1, sensor="tap-2"))
        publisher.publish(an_alert(1))
        publisher.publish(an_alert(4))
        code, out, err = ended(process)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert err.decode().splitlines() == [
        "tapir collect: 'tap-1': 2 alerts never arrived: 2 to 3 of epoch 1",
        "tapir collect: 3 alerts, 2 missed",
    ]


def test_a_sensor_of_another_schema_is_said_and_fails_the_run_but_not_the_other_sensors(publisher):
    raw = RawPublisher()
    with collecting(f"tcp://127.0.0.1:{raw.port}", publisher.address, "--count", "1") as process:
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        assert raw.xpub.poll(LIMIT_SECONDS * 1000)
        raw.send(b"alert.high.x.y", json.dumps({"schema_version": SCHEMA_VERSION + 1, "sensor": "tap-9"}).encode())
        first = process.stderr.readline().decode()
        publisher.publish(an_alert())
        code, out, err = ended(process)
    raw.close()
    assert first.startswith(f"tapir collect: 'tap-9' sends alerts of schema {SCHEMA_VERSION + 1}, this program reads")
    assert (code, len(out.splitlines())) == (1, 1)
    assert err == b"tapir collect: 1 alerts, 1 of another schema\n"


class TestOutput:
    def test_a_file_is_appended_to(self, publisher, tmp_path: Path):
        file = tmp_path / "alerts.jsonl"
        file.write_bytes(b"{}\n")
        with collecting(publisher.address, "--output", str(file), "--count", "1") as process:
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            publisher.publish(an_alert())
            assert ended(process) == (0, b"", b"")
        assert file.read_bytes() == b"{}\n" + msgspec.json.encode(an_alert()) + b"\n"

    def test_a_reader_that_leaves_ends_it(self, publisher):
        with collecting(publisher.address) as process:
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            process.stdout.close()
            publisher.publish(an_alert())
            assert process.wait(LIMIT_SECONDS) == 0
            assert process.stderr.read() == b""

    def test_a_full_disk_is_one_line(self, publisher):
        with collecting(publisher.address, "--output", "/dev/full") as process:
            publisher.wait_for_subscribers(1, LIMIT_SECONDS)
            publisher.publish(an_alert())
            code, _, err = ended(process)
        assert (code, err) == (3, b"tapir collect: /dev/full: cannot be written: No space left on device\n")

    def test_a_file_that_cannot_be_opened_is_one_line(self, tmp_path):
        with collecting("tcp://127.0.0.1:9", "--output", str(tmp_path / "no" / "file")) as process:
            code, _, err = ended(process)
        assert (code, len(err.splitlines())) == (3, 1)

    def test_a_bad_address_is_one_line(self):
        with collecting("127.0.0.1:5556") as process:
            code, _, err = ended(process)
        assert (code, len(err.splitlines())) == (3, 1)
        assert b"expected tcp://HOST:PORT" in err


def on_terminal(publisher: Publisher, *arguments: str, **environment: str) -> str:
    """What `tapir collect` writes to a terminal for one alert."""
    ours, its = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"} | environment
    with collecting(publisher.address, "--count", "1", *arguments, stdout=its, stderr=its, env=env) as process:
        os.close(its)
        publisher.wait_for_subscribers(1, LIMIT_SECONDS)
        publisher.publish(an_alert())
        written = b""
        try:
            while part := os.read(ours, 65_536):
                written += part
        except OSError:  # the other end of a terminal has closed
            pass
        os.close(ours)
        assert process.wait(LIMIT_SECONDS) == 0
    return written.decode()


def test_a_terminal_gets_a_table_in_colour(publisher):
    written = on_terminal(publisher)
    assert "\x1b[1;31mHIGH" in written
    assert "severity" in written
    assert "tapir collect: 1 alerts" in written
    assert "{" not in written


def test_no_color_is_respected(publisher):
    written = on_terminal(publisher, NO_COLOR="1")
    assert "HIGH" in written
    assert "\x1b[1;31m" not in written


def test_json_lines_on_a_terminal_on_request(publisher):
    assert json.loads(on_terminal(publisher, "--output", "-").splitlines()[0])["sequence"] == 1


def test_the_collector_imports_no_stage():
    """Nor anything that compiles: it runs on hosts that only collect."""
    stages = ("capture", "decode", "reassembly", "protocols", "features", "detection", "alerting", "pipeline")
    listed = "import sensor.collector.collector, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", listed], capture_output=True, check=True, text=True).stdout.split()
    assert "sensor.collector.collector" in modules
    forbidden = ("numba", *(f"sensor.{stage}" for stage in stages))
    assert [name for name in modules if name.startswith(forbidden)] == []
