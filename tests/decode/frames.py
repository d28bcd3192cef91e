"""What these tests share: frames as a batch, capture files as frames, rows as dicts, and the twin beside the stage."""

from __future__ import annotations

import gzip
import ipaddress
import lzma
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scapy.layers.l2 import Dot3, Ether

from sensor.config import DecodeSettings
from sensor.decode.reasons import Reason
from sensor.decode.stage import DecodeStage
from sensor.schema import FRAME, SegmentFlag
from tests.oracles.capture_reader import read_capture
from tests.oracles.decode import Decoder

SHARED = Path(__file__).parents[3] / "shared"
COLUMNS = (
    "payload_caplen", "payload_len", "ip_len", "seq", "ack", "tunnel_id", "src_port", "dst_port", "vlan", "window",
    "ip_id", "proto", "tcp_flags", "tunnel", "ttl", "flags",
)  # fmt: skip
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}  # given, or scapy would ask the network
ETHER = Ether(**MACS)
DOT3 = Dot3(**MACS)


def ethernet(ethertype: int) -> Ether:
    return Ether(**MACS, type=ethertype)


class Frame(NamedTuple):
    data: bytes
    wirelen: int
    ts: int = 1_000_000_000
    link: int = 1


def batch(frames: Iterable[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """The block and its FRAME index."""
    block, rows = bytearray(), []
    for frame in frames:
        rows.append((len(block), frame.ts, len(frame.data), frame.wirelen, frame.link, 0, 0))
        block += frame.data
    return np.frombuffer(bytearray(block), np.uint8), np.array(rows, FRAME)


def address(high: int, low: int) -> str:
    whole = ipaddress.IPv6Address(int(high) << 64 | int(low))
    return str(whole.ipv4_mapped or whole)


def readable(segments: Any, block: np.ndarray) -> list[dict[str, Any]]:
    """Rows as dicts, addresses as text, the payload's bytes instead of its offset."""
    rows = []
    for row in segments.rows:
        source = segments.datagrams if row["flags"] & SegmentFlag.REBUILT else block
        start, length = int(row["payload_offset"]), int(row["payload_caplen"])
        assert 0 <= start <= start + length <= len(source)
        rows.append(
            {name: int(row[name]) for name in (*COLUMNS, "frame", "ts")}
            | {"src": address(row["src_hi"], row["src_lo"]), "dst": address(row["dst_hi"], row["dst_lo"])}
            | {"payload": source[start : start + length].tobytes()}
        )
    return rows


def decode(
    *frames: bytes | Frame, settings: DecodeSettings | None = None, link: int = 1
) -> tuple[list[dict[str, Any]], Counter]:
    """Readable rows and the reasons (other than DECODED) of a batch through a new stage."""
    stage = DecodeStage(settings or DecodeSettings())
    whole = [frame if isinstance(frame, Frame) else Frame(frame, len(frame), link=link) for frame in frames]
    block, index = batch(whole)
    rows = readable(stage.process(block, index), block)
    counted = Counter({reason: stage.counters[reason] for reason in Reason if stage.counters[reason]})
    assert counted.total() == len(frames)
    assert counted.pop(Reason.DECODED, 0) == len(rows)
    return rows, counted


def decode_one(frame: bytes | Frame, **more: Any) -> dict[str, Any]:
    """The row of a frame that must give one."""
    rows, reasons = decode(frame, **more)
    assert not reasons
    return rows[0]


def reason_of(frame: bytes | Frame, **more: Any) -> Reason:
    """The reason of a frame that must not give a row."""
    rows, reasons = decode(frame, **more)
    assert not rows
    return next(iter(reasons))


def twin_rows(frames: Iterable[Frame], decoder: Decoder) -> tuple[list[dict[str, Any]], Counter]:
    """What the slow twin makes of them, in the form of `readable`."""
    rows, reasons = [], Counter()
    for i, frame in enumerate(frames):
        result = decoder.decode(*frame)
        if isinstance(result, Reason):
            reasons[result] += 1
            continue
        row = {name: int(result[name]) for name in COLUMNS}
        row |= {"frame": i, "ts": frame.ts, "payload": result["payload"]}
        row |= {name: address(*np.frombuffer(result[name], ">u8")) for name in ("src", "dst")}
        rows.append(row)
    return rows, reasons


def assert_like_twin(frames: list[Frame], batches: int = 1) -> None:
    """Stage and twin agree on every column of every row, every reason and every datagram, in batches of any size."""
    stage, decoder = DecodeStage(DecodeSettings()), Decoder()
    expected, reasons = twin_rows(frames, decoder)
    rows: list[dict[str, Any]] = []
    step = max(1, -(-len(frames) // batches))
    for first in range(0, len(frames), step):
        block, index = batch(frames[first : first + step])
        part = readable(stage.process(block, index), block)
        rows += [row | {"frame": row["frame"] + first} for row in part]
    for row, wanted in zip(rows, expected, strict=False):
        assert row == wanted
    assert {reason: stage.counters[reason] for reason in Reason if stage.counters[reason]} == {
        **reasons, **({Reason.DECODED: len(expected)} if expected else {}),
    }  # fmt: skip
    assert {name: stage.fragments[name] for name in decoder.fragment_counts} == decoder.fragment_counts


def capture_frames(path: Path) -> list[Frame]:
    """Frames of a pcap or pcapng file (also .xz or .gz) up to the first fault."""
    opened = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    with opened(path, "rb") as file:
        return [Frame(data, wirelen, ts, link) for ts, data, wirelen, link in read_capture(file.read()).frames]
