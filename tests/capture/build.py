"""Capture files made by hand: in: frames; out: the bytes of a file, in every layout the formats allow."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from sensor.errors import InputError
from tests.oracles.capture_reader import Frame

NS = 1_000_000_000
START = 1_700_000_000 * NS
SHARED = Path(__file__).parents[2].parent / "shared"


def frame(seconds: float = 0, body: bytes = b"frame", wirelen: int | None = None, link: int = 1) -> Frame:
    """A frame `seconds` after START."""
    return Frame(START + round(seconds * 1e6) * 1000, body, len(body) if wirelen is None else wirelen, link)


def pcap(frames: Iterable[Frame], order: str = "<", nano: bool = False, modified: bool = False, link: int = 1) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2CD34 if modified else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for ts, body, wirelen, _ in frames:
        fraction = ts % NS if nano else ts % NS // 1000
        parts.append(struct.pack(order + "4I", ts // NS, fraction, len(body), wirelen))
        parts.append(bytes(8) if modified else b"")
        parts.append(body)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block: type, length, body padded to 32 bits, length."""
    length = 12 + len(body) + -len(body) % 4
    return struct.pack(order + "2I", kind, length) + body + bytes(-len(body) % 4) + struct.pack(order + "I", length)


def section(order: str = "<", version: int = 1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, version, 0, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "2H", code, len(value)) + value + bytes(-len(value) % 4)


def interface(
    order: str = "<", link: int = 1, snaplen: int = 0, resolution: int | None = None, offset: int | None = None
) -> bytes:
    options = option(2, b"eth0", order)
    if resolution is not None:
        options += option(9, bytes([resolution]), order)
    if offset is not None:
        options += option(14, struct.pack(order + "q", offset), order)
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options + option(0, b"", order), order)


def enhanced(ticks: int, body: bytes, order: str = "<", number: int = 0, wirelen: int | None = None) -> bytes:
    head = struct.pack(order + "5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(body), wirelen or len(body))
    return block(6, head + body + bytes(-len(body) % 4) + option(1, b"a comment", order), order)


def simple(body: bytes, order: str = "<", wirelen: int | None = None) -> bytes:
    return block(3, struct.pack(order + "I", wirelen or len(body)) + body, order)


def obsolete(ticks: int, body: bytes, order: str = "<", number: int = 0) -> bytes:
    head = struct.pack(order + "HHIIII", number, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(body), len(body))
    return block(2, head + body, order)


def pcapng(frames: Iterable[Frame], order: str = "<") -> bytes:
    return section(order) + interface(order) + b"".join(enhanced(f.ts // 1000, f.bytes, order) for f in frames)


class Reading:
    """All that came out of a capture stage, copied out of its blocks."""

    def __init__(self, *names: Path | str, batch_frames: int = 8192) -> None:
        stage = CaptureStage(CaptureSettings(batch_frames=batch_frames), [str(name) for name in names])
        self.stage = stage
        self.frames: list[Frame] = []
        self.flags: list[int] = []
        self.block_sizes: list[int] = []
        for data, frames, *_ in stage.blocks():
            assert 0 < len(frames) <= batch_frames
            assert frames.flags.c_contiguous
            self.block_sizes.append(len(frames))
            self._take(data, frames)
        self.faults: list[InputError] = stage.faults
        self.counts = stage.counters.as_dict()

    def _take(self, data: np.ndarray, frames: np.ndarray) -> None:
        assert (frames["offset"] >= 0).all()
        assert (frames["offset"] + frames["caplen"] <= len(data)).all()
        for offset, ts, caplen, wirelen, link, flags, *_ in frames.tolist():
            self.frames.append(Frame(ts, data[offset : offset + caplen].tobytes(), wirelen, link))
            self.flags.append(flags)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def shared_captures(*patterns: str) -> Sequence[Path]:
    """Public captures beside the checkout, none when they are not there."""
    return sorted(path for pattern in patterns for path in SHARED.glob(pattern))
