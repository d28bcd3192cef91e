"""One run of a sensor, three kinds of subscribers: five lines of pyzmq, Node's zeromq, and sensor.Subscriber.

Node's package is installed beside the tests (tests/install-programs) or where Node looks for packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bus.test_documented import PROGRAMS
from tests.bus.test_stream import LIMIT_SECONDS, a_stream, alerts

TESTS = Path(__file__).parents[1]
NODE = """
const zmq = require("zeromq");
(async () => {
  const socket = new zmq.Subscriber();
  socket.connect(ADDRESS);
  socket.subscribe("alert.");
  for await (const [topic, body] of socket) console.log(JSON.parse(body.toString()).title);
})();
"""
PYTHON = {"plain pyzmq": PROGRAMS[0], "sensor.Subscriber": PROGRAMS[1]}


def has_node_zeromq() -> bool:
    if not shutil.which("node"):
        return False
    tried = subprocess.run(["node", "-e", "require('zeromq')"], cwd=TESTS, capture_output=True, timeout=60, check=False)
    return tried.returncode == 0


@pytest.mark.parametrize("client", [*PYTHON, "Node's zeromq"])
def test_each_client_receives_the_whole_run(client, tmp_path):
    with a_stream(linger_seconds=LIMIT_SECONDS) as stream:
        if client in PYTHON:
            code = PYTHON[client].replace("tcp://127.0.0.1:5556", stream.address)
            command = [sys.executable, "-u", "-c", code]
        elif has_node_zeromq():
            command = ["node", "-e", NODE.replace("ADDRESS", repr(stream.address))]
        else:
            pytest.skip("Node with its package zeromq is not installed (npm install zeromq)")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TESTS) as process:
            try:
                stream.wait_for_subscribers(1, LIMIT_SECONDS)
                for number in range(1, 101):
                    stream.put(alerts(stream, number, number, title=f"number {number}"))
                lines = [process.stdout.readline().strip() for _ in range(100)]
                titles = [line.removeprefix("high ") for line in lines]
                assert titles == [f"number {number}" for number in range(1, 101)]
            finally:
                process.kill()
