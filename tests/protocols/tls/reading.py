"""TLS connections of a capture, read by the stages up to TLS and no further, and as TShark sees them: in: a file; out:
rows.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings, DecodeSettings, ProtocolSettings, ReassemblySettings
from sensor.decode.stage import DecodeStage
from sensor.protocols.tls.stage import TlsStage
from sensor.reassembly.stage import ReassemblyStage
from sensor.tls import TlsConnection

NO_BYTES = np.zeros(0, np.uint8)


def read_tls(path: Path, batch_frames: int = 8_192) -> tuple[list[TlsConnection], dict[str, int]]:
    """The rows, and what the stage counted."""
    capture = CaptureStage(CaptureSettings(batch_frames=batch_frames), [str(path)])
    decode, reassembly = DecodeStage(DecodeSettings()), ReassemblyStage(ReassemblySettings(flows_max=4_096))
    tls, rows = TlsStage(ProtocolSettings(), reassembly.flows), []
    for block in capture.blocks():
        segments, datagrams = decode.process(block.data, block.frames)
        for part in reassembly.process(block.data, datagrams, segments):
            rows += tls.process(block.data, datagrams, reassembly.pages, part.chunks)
    for part in reassembly.finish():
        rows += tls.process(NO_BYTES, NO_BYTES, reassembly.pages, part.chunks)
    return rows, tls.counters.as_dict()


def datagrams_by_tshark(path: Path, shown: str, layer: str) -> tuple[Counter[tuple[str, str]], int]:
    """(server name, JA3) of the first ClientHello of each UDP connection among the packets `shown`, and how many
    connections have a ServerHello; `layer`: what TShark calls the protocol.
    """
    stream, kind = "udp.stream", f"{layer}.handshake.type"
    name, ja3 = f"{layer}.handshake.extensions_server_name", f"{layer}.handshake.ja3"
    fields = [part for field in (stream, kind, name, ja3) for part in ("-e", field)]
    command = ["tshark", "-2", "-n", "-r", str(path), "-Y", f"{shown} && {kind} in {{1,2}}", "-T", "json", *fields]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    asked: dict[str, tuple[str, str]] = {}
    answered = set()
    for packet in json.loads(done.stdout):
        seen = packet["_source"]["layers"]
        if ja3 in seen:
            asked.setdefault(seen[stream][0], (seen.get(name, [""])[0], seen[ja3][0]))
        if "2" in seen[kind]:
            answered.add(seen[stream][0])
    return Counter(asked.values()), len(answered)
