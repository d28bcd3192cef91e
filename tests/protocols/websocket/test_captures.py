"""WebSockets of public captures, as TShark reads them: an analyser that shares no line with the sensor."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sensor.api import read
from sensor.config import CaptureSettings, Settings
from tests.capture.build import SHARED

CAPTURES = (
    "nDPI__default__tls_heur__vmess-websocket", "suricata-verify__websocket-compressed__example_websocket",
    "suricata-verify__websocket__basic_websockets", "zeek__http__websocket", "zeek__websocket__fragmented-http-reply",
    "zeek__websocket__message-too-big-status", "zeek__websocket__oversized-close-frame",
    "zeek__websocket__reply-ping-coalesced", "zeek__websocket__reply-ping-separate",
    "zeek__websocket__two-binary-fragments", "zeek__websocket__wstunnel-http", "zeek__websocket__wstunnel-ssh",
)  # fmt: skip
FIELDS = ("tcp.srcport", "websocket.opcode", "websocket.payload.close.status_code")
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
needed = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def by_tshark(path: Path) -> tuple[Counter[tuple[int, str]], set[tuple[int, int]]]:
    """Frames by (sender's port, opcode), and (sender's port, close code)."""
    command = ["tshark", "-2", "-n", "-r", str(path), "-Y", "websocket", "-T", "json"]
    for name in FIELDS:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    frames: Counter[tuple[int, str]] = Counter()
    codes = set()
    for packet in json.loads(done.stdout):
        seen = packet["_source"]["layers"]
        port = int(seen["tcp.srcport"][0])
        frames.update((port, NAMES[int(opcode)]) for opcode in seen["websocket.opcode"])
        codes |= {(port, int(number)) for number in seen.get(FIELDS[2], ())}
    return frames, codes


@needed
@pytest.mark.parametrize("name", CAPTURES)
def test_frames_are_those_that_tshark_sees(name: str) -> None:
    path = next(iter((SHARED / "oracle" / "dev").glob(f"{name}.pcap*")), None)
    if path is None:
        pytest.skip("../shared/oracle is not there")
    capture = read(path)
    frames: Counter[tuple[int, str]] = Counter()
    codes = set()
    for row in capture.websockets.to_dicts():
        for side in ("orig", "resp"):
            port = row[f"id.{side}_p"]
            frames.update({(port, opcode): row[f"{side}_{opcode}_frames"] for opcode in NAMES.values()})
            codes |= {(port, row[f"{side}_close_code"])} if row[f"{side}_close_code"] else set()
    expected, expected_codes = by_tshark(path)
    assert +frames == expected
    assert codes == expected_codes
    small = read(path, Settings(capture=CaptureSettings(batch_frames=5)))
    assert small.websockets.equals(capture.websockets)
