"""docs/bus.md: its code works as it stands there, and it names what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sensor import limits
from sensor.bus.publisher import BusCount, Publisher
from tests.bus.alerts import an_alert

PAGE = (Path(__file__).parents[2] / "docs" / "bus.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
LIMIT_SECONDS = 90


def test_five_lines_of_plain_pyzmq():
    plain = PROGRAMS[0]
    assert len(plain.strip().splitlines()) == 5
    assert "sensor" not in plain


@pytest.mark.parametrize("program", PROGRAMS, ids=["plain pyzmq", "Subscriber"])
def test_the_programs_print_alerts_as_they_come(program):
    with Publisher("tcp://127.0.0.1:*") as publisher:
        code = program.replace("tcp://127.0.0.1:5556", publisher.address)
        assert publisher.address in code
        with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True) as subscriber:
            try:
                publisher.wait_for_subscribers(1, LIMIT_SECONDS)
                for sequence in (1, 2):
                    publisher.publish(an_alert(sequence, title=f"number {sequence}"))
                    assert subscriber.stdout.readline().endswith(f"number {sequence}\n")
            finally:
                subscriber.kill()


def test_the_page_names_the_bounds_as_they_are():
    assert f"the last {limits.GAPS_MAX:,} gaps" in PAGE
    assert limits.SEND_QUEUE_ALERTS == limits.RECEIVE_QUEUE_ALERTS
    assert f"({limits.SEND_QUEUE_ALERTS:,} alerts at the sensor, as many again" in PAGE
    assert limits.ALERT_BYTES_MAX == 1 << 20
    assert "at most 1 MiB" in PAGE
    assert f"(`{BusCount.QUEUE_FULL.name.lower()}`)" in PAGE
