"""TLS of public captures, as TShark reads it: an analyser that shares no line with the sensor."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sensor.protocols.tls.ciphers import cipher_name
from tests.capture.build import SHARED
from tests.protocols.tls.reading import read_tls

CAPTURES = ("nDPI__default__netflix", "nDPI__default__webex", "nDPI__default__anyconnect-vpn", "nDPI__default__zattoo")
FIELDS = (
    "tcp.stream", "tls.handshake.type", "tls.handshake.extensions_server_name", "tls.handshake.ja3",
    "tls.handshake.ja3s", "tls.handshake.ciphersuite",
)  # fmt: skip
needed = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def by_tshark(path: Path) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """(server name, JA3) of the first ClientHello and (cipher, JA3S) of the first ServerHello of each connection."""
    command = ["tshark", "-2", "-n", "-r", str(path), "-Y", "tls.handshake.type in {1,2} && tcp", "-T", "json"]
    for name in FIELDS:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    asked: dict[str, tuple[str, str]] = {}
    answered: dict[str, tuple[str, str]] = {}
    for packet in json.loads(done.stdout):
        seen = packet["_source"]["layers"]
        (stream,) = seen["tcp.stream"]
        if "tls.handshake.ja3" in seen:
            asked.setdefault(stream, (seen.get(FIELDS[2], [""])[0], seen["tls.handshake.ja3"][0]))
        if "tls.handshake.ja3s" in seen:
            cipher = cipher_name(int(seen["tls.handshake.ciphersuite"][-1], 0))
            answered.setdefault(stream, (cipher, seen["tls.handshake.ja3s"][0]))
    return Counter(asked.values()), Counter(answered.values())


@needed
@pytest.mark.parametrize("name", CAPTURES)
def test_hellos_are_those_that_tshark_sees(name: str) -> None:
    path = next(iter((SHARED / "oracle" / "dev").glob(f"{name}.pcap*")), None)
    if path is None:
        pytest.skip("../shared/oracle is not there")
    rows, counts = read_tls(path)
    asked, answered = by_tshark(path)
    assert Counter((row.server_name or "", row.ja3) for row in rows if row.ja3) == asked
    assert Counter((row.cipher, row.ja3s) for row in rows if row.ja3s) == answered
    assert rows
    assert counts["kernel_fault"] == 0
    assert read_tls(path, batch_frames=7)[0] == rows
