"""Packets that passed an interface, an alert about them, and the packets again, from the sensor's own folder."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.capture.network import cable, inside, needs_namespaces
from tests.cli.test_evidence import tapir
from tests.service.test_run import manager, running, told

SERVER = "import http.server as s; s.test(s.SimpleHTTPRequestHandler, port=8000, bind='10.77.0.2')"


@needs_namespaces
def test_an_alert_of_a_live_capture_has_its_packets(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with cable("tapir-proof") as wire, manager(tmp_path) as listening:
        with inside(wire.far_space):
            command = [sys.executable, "-u", "-c", SERVER]
            serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path)
        try:
            assert serving.stdout is not None
            serving.stdout.readline()
            arguments = (wire.near, "--state", str(state), "--alerts", str(tmp_path / "alerts.jsonl"), "--quiet",
                         "--set", "evidence.enabled=true")  # fmt: skip
            with inside(wire.near_space), running(tmp_path, *arguments) as process:
                told(listening, "READY=1")
                with socket.create_connection(("10.77.0.2", 8000)) as client:
                    client.sendall(b"GET /notify HTTP/1.0\r\nHost: far\r\nAuthorization: Basic dTpw\r\n\r\n")
                    while client.recv(4096):
                        pass
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=300)
        finally:
            serving.kill()
            serving.communicate()
    alerts = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    alert = next(each for each in alerts if each["rule_id"] == "cleartext-basic-auth")
    shown = tapir("explain", alert["alert_id"], "--state", str(state), folder=tmp_path).stdout
    assert "GET far/notify" in shown.replace("http://", "")
    assert "raised" in shown
    folder = state / "evidence"
    assert folder.stat().st_mode & 0o777 == 0o700
    content = (folder / f"{alert['alert_id']}.pcap").read_bytes()
    assert b"GET /notify HTTP/1.0" in content
    assert b"Basic dTpw" not in shown.encode()
