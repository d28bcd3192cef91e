"""WebSocket frames read plainly (RFC 6455, 5.2): in: all bytes of one side; out: what it sent, counted.

The twin of sensor/protocols/websocket/frames_kernel.py for streams without losses: it slices whole frames from whole
bytes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

CONTROL = 8
_OPCODES = (0, 1, 2, 8, 9, 10)
_CODES = {*range(1000, 1015), *range(3000, 5000)} - {1004, 1005, 1006}


@dataclass
class Side:
    """Frames by opcode, finished messages, payload bytes of data and control frames, and what was odd."""

    frames: Counter[int] = field(default_factory=Counter)
    messages: int = 0
    data: int = 0
    control: int = 0
    frame_max: int = 0
    message_max: int = 0
    close_code: int | None = None
    faults: set[str] = field(default_factory=set)


def read_side(stream: bytes, client: bool) -> Side:
    """Up to the first bytes that are no frame."""
    side = Side()
    at, closed, inside, message = 0, False, False, 0
    while at < len(stream):
        header = _header(stream, at)
        if header is None:
            side.faults.add("unfinished")
            break
        first, length, mask, start, shortest = header
        opcode, fin = first & 15, first >= 128
        if opcode not in _OPCODES or first & 0x30 or length >= 1 << 40:
            side.faults |= {"loss", "opcode_invalid" if length < 1 << 40 else "length_invalid"}
            break
        side.faults |= {"length_invalid"} if not shortest else set()
        side.faults |= {"after_close"} if closed else set()
        if (mask is not None) != client:
            side.faults.add("unmasked" if client else "masked")
        side.frames[opcode] += 1
        whole = start + length <= len(stream)
        if opcode >= CONTROL:
            side.control += length
            side.faults |= {"control_invalid"} if length > 125 or not fin else set()
            if opcode == 8:
                _close(side, stream[start : start + min(length, 2)], mask or b"\0\0\0\0", closed, whole)
                closed = closed or whole
        else:
            if (opcode == 0) != inside:
                side.faults.add("fragment_invalid")
            message = message + length if opcode == 0 and inside else length
            inside = True
            side.data += length
            side.frame_max = max(side.frame_max, length)
            if fin and whole:
                side.messages, side.message_max, inside = side.messages + 1, max(side.message_max, message), False
        if not whole:
            side.faults.add("unfinished")
        at = start + length
    return side


def _header(stream: bytes, at: int) -> tuple[int, int, bytes | None, int, bool] | None:
    """(first byte, payload length, mask, where the payload begins, length in the fewest bytes)."""
    if at + 2 > len(stream):
        return None
    first, second = stream[at], stream[at + 1]
    short, at = second & 127, at + 2
    width = {126: 2, 127: 8}.get(short, 0)
    mask_bytes = 4 if second & 128 else 0
    if at + width + mask_bytes > len(stream):
        return None
    length = int.from_bytes(stream[at : at + width], "big") if width else short
    least = {2: 126, 8: 65_536}.get(width, 0)
    at += width
    return first, length, stream[at : at + 4] if mask_bytes else None, at + mask_bytes, length >= least


def _close(side: Side, seen: bytes, mask: bytes, again: bool, whole: bool) -> None:
    if again:
        return
    code = int.from_bytes(bytes(byte ^ key for byte, key in zip(seen, mask, strict=False)), "big")
    side.close_code = code or None
    if whole and (len(seen) == 1 or (len(seen) == 2 and code not in _CODES)):
        side.faults.add("close_invalid")
