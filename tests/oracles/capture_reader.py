"""Captures read slowly: in: the bytes of a pcap or pcapng file; out: its frames, and where it goes wrong.

Written for reading, from the same drafts as the kernels; shares nothing with them but the limits. The one law: frames
before the fault are given, and a fault is the offset of the record or block that cannot be used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from sensor.limits import BLOCK_BYTES_MAX, CLOCK_JUMP_NS, FRAME_BYTES_MAX, NS


class Frame(NamedTuple):
    ts: int
    bytes: bytes
    wirelen: int
    link: int


class Reading(NamedTuple):
    """`fault`: offset of what cannot be used, None when the file is whole."""

    frames: list[Frame]
    fault: int | None


class _Fault(Exception):
    pass


def read_capture(data: bytes) -> Reading:
    """Any capture, by its magic."""
    return read_pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else read_pcap(data)


def read_pcap(data: bytes) -> Reading:
    kinds = {0xA1B2C3D4: (1000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1000, 24)}
    order = next(order for order in "<>" if struct.unpack(order + "I", data[:4])[0] in kinds)
    tick_ns, head = kinds[struct.unpack(order + "I", data[:4])[0]]
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    frames, offset = [], 24
    while offset < len(data):
        if len(data) - offset < head:
            return Reading(frames, offset)
        seconds, fraction, caplen, wirelen = struct.unpack_from(order + "4I", data, offset)
        if caplen > FRAME_BYTES_MAX or len(data) - offset - head < caplen:
            return Reading(frames, offset)
        body = data[offset + head : offset + head + caplen]
        frames.append(Frame(seconds * NS + fraction * tick_ns, body, max(wirelen, caplen), link))
        offset += head + caplen
    return Reading(frames, None)


class _Interface(NamedTuple):
    link: int
    snaplen: int
    tick_seconds: Fraction
    offset_seconds: int

    def ns(self, ticks: int) -> int:
        since = min(int(ticks * self.tick_seconds * NS), 5_000_000_000 * NS)
        return since + max(-4_000_000_000, min(self.offset_seconds, 4_000_000_000)) * NS


def read_pcapng(data: bytes) -> Reading:
    frames: list[Frame] = []
    interfaces: list[_Interface] = []
    order, offset, last_ts = "", 0, 0
    try:
        while offset < len(data):
            kind = data[offset : offset + 4]
            if kind == b"\x0a\x0d\x0d\x0a" or not order:
                order = _byte_order(data[offset : offset + 16])
                interfaces = []
            _need(len(data) - offset >= 12)
            number, length = struct.unpack_from(order + "2I", data, offset)
            _need(length >= 12 and length % 4 == 0 and offset + length <= len(data))
            block = data[offset : offset + length]
            if number == 0x0A0D0D0A:
                _need(length >= 28 and struct.unpack_from(order + "H", block, 12)[0] == 1)
            elif number in (1, 2, 3, 6):
                _need({1: 20, 2: 32, 3: 16, 6: 32}[number] <= length <= BLOCK_BYTES_MAX)
                _need(struct.unpack(order + "I", block[-4:])[0] == length)
                if number == 1:
                    _need(len(interfaces) < 4096)
                    interfaces.append(_interface(block, order))
                else:
                    frames.append(_packet(number, block, order, interfaces, last_ts))
                    last_ts = frames[-1].ts
            offset += length
    except _Fault:
        return Reading(frames, offset)
    return Reading(frames, None)


def _need(condition: bool) -> None:
    if not condition:
        raise _Fault


def _byte_order(head: bytes) -> str:
    _need(len(head) == 16)
    orders = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
    _need(head[8:12] in orders)
    return orders[head[8:12]]


def _interface(block: bytes, order: str) -> _Interface:
    link, _, snaplen = struct.unpack_from(order + "HHI", block, 8)
    tick, possible, shift, offset = Fraction(1, 10**6), True, 0, 16
    while offset + 4 <= len(block) - 4:
        code, size = struct.unpack_from(order + "2H", block, offset)
        if code == 0 or offset + 4 + size > len(block) - 4:
            break
        value = block[offset + 4 : offset + 4 + size]
        if code == 9 and size >= 1:
            exponent = value[0] & 0x7F
            tick = Fraction(1, (2 if value[0] & 0x80 else 10) ** exponent)
            possible = exponent <= (62 if value[0] & 0x80 else 18)
        elif code == 14 and size >= 8:
            shift = struct.unpack(order + "q", value[:8])[0]
        offset += 4 + size + -size % 4
    _need(possible)
    return _Interface(link, snaplen, tick, shift)


def _packet(number: int, block: bytes, order: str, interfaces: list[_Interface], last_ts: int) -> Frame:
    if number == 3:
        _need(len(interfaces) > 0)
        interface = interfaces[0]
        wirelen = struct.unpack_from(order + "I", block, 8)[0]
        caplen = min(wirelen, len(block) - 16, interface.snaplen or wirelen)
        start, ts = 12, last_ts
    else:
        name = struct.unpack_from(order + ("H" if number == 2 else "I"), block, 8)[0]
        high, low, caplen, wirelen = struct.unpack_from(order + "4I", block, 12)
        _need(name < len(interfaces))
        interface = interfaces[name]
        start, ts = 28, interface.ns((high << 32) | low)
    _need(caplen <= FRAME_BYTES_MAX and start + caplen <= len(block) - 4)
    return Frame(ts, block[start : start + caplen], max(wirelen, caplen), interface.link)


def quarantined(times: list[int], limit: int) -> list[bool]:
    """Which frames of one input have an insane time."""
    verdicts: list[bool] = []
    now: int | None = None
    for i, ts in enumerate(times):
        following = times[i + 1 : i + 3]
        goes_back = [later < ts - CLOCK_JUMP_NS for later in following]
        if ts > limit:
            insane = True
        elif now is None:
            insane = bool(following) and all(goes_back)
        else:
            insane = ts > now + CLOCK_JUMP_NS and goes_back[:1] == [True]
        if not insane:
            now = ts if now is None else max(now, ts)
        verdicts.append(insane)
    return verdicts


def merged(inputs: Iterable[list[int]], limit: int) -> list[tuple[int, int]]:
    """(input, frame) in the order in which the frames of several inputs come.

    The key of a frame is the largest sane time so far; of frames before the first sane one, the time of that.
    """
    order = []
    for name, times in enumerate(inputs):
        insane = quarantined(times, limit)
        sane = [ts for ts, bad in zip(times, insane, strict=True) if not bad]
        now = sane[0] if sane else 0
        for i, (ts, bad) in enumerate(zip(times, insane, strict=True)):
            now = now if bad else max(now, ts)
            order.append((now, name, i))
    return [(name, i) for _, name, i in sorted(order)]
