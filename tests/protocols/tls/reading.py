"""TLS connections of a capture, read by the stages up to TLS and no further: in: a file; out: rows."""

from __future__ import annotations

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
