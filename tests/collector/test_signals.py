"""Ending on request, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import select, signal, sys
from sensor.collector.signals import stop_signals
with stop_signals() as stop:
    print("ready", flush=True)
    select.select([stop], [], [])
    print("told", flush=True)
    if "stuck" in sys.argv:
        while True:
            signal.pause()
print("default again" if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL else "changed")
"""
LIMIT_SECONDS = 90


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_told(number):
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, out) == (0, b"told\ndefault again\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_ends_a_process_that_does_not_end_by_itself(number):
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "stuck"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == b"told\n"
        process.send_signal(number)
        assert process.wait(LIMIT_SECONDS) == -number
