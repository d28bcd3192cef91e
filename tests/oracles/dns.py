"""One DNS message read slowly: in: bytes; out: what the kernels must find in it.

The one law: it is written for reading, from RFC 1035 and the laws of sensor/protocols/dns, not from the kernels.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from typing import Any

NAME_FIRST = {2: 0, 5: 0, 6: 0, 12: 0, 39: 0, 15: 2, 33: 6}
"""Where in the data of a type its name lies."""


class NotDnsError(Exception):
    """The bytes are no message, or end too early."""


@dataclass
class Message:
    """Names as lists of labels in lower case; `answers` (type, ttl, text), None where the type is not read."""

    trans_id: int
    response: bool
    flags: int
    questions: int
    name: list[bytes] | None = None
    qtype: int = 0
    qclass: int = 0
    answers: list[tuple[int, int, str | None]] = field(default_factory=list)
    counts: tuple[int, int, int] = (0, 0, 0)
    rcode: int = 0
    edns_bytes: int = 0
    malformed: bool = False
    ends_at: int = -1


def name_at(data: bytes, position: int) -> tuple[list[bytes], int]:
    """(labels, position behind) of a name."""
    labels: list[bytes] = []
    after, begins, jumps = -1, position, 0
    while True:
        if position >= len(data):
            raise NotDnsError
        size = data[position]
        if size >= 0xC0:
            if position + 2 > len(data) or jumps == 64:
                raise NotDnsError
            after = position + 2 if after < 0 else after
            position = int.from_bytes(data[position : position + 2], "big") & 0x3FFF
            if position >= begins:
                raise NotDnsError
            begins, jumps = position, jumps + 1
            continue
        if size > 63 or position + 1 + size > len(data):
            raise NotDnsError
        if sum(map(len, labels)) + len(labels) + size + 1 + (1 if size else 0) > 255:
            raise NotDnsError
        position += 1 + size
        if size == 0:
            return labels, after if after >= 0 else position
        labels.append(data[position - size : position].lower())


def text_of(labels: list[bytes]) -> str:
    return ".".join("".join(_shown(byte, 0x21, b".\\") for byte in label) for label in labels) or "."


def _shown(byte: int, lowest: int, odd: bytes) -> str:
    return chr(byte) if lowest <= byte <= 0x7E and byte not in odd else f"\\x{byte:02x}"


def read(data: bytes) -> Message:
    """The message; NotDnsError when its header and questions are none."""
    if len(data) < 12:
        raise NotDnsError
    trans_id, flags, questions, *counts = struct.unpack("!6H", data[:12])
    opcode = flags >> 11 & 15
    message = Message(trans_id, bool(flags & 0x8000), flags, questions, counts=tuple(counts), rcode=flags & 15)
    nothing = questions == 0 and (not message.response or (message.rcode == 0 and counts[0] == 0))
    if opcode not in (0, 2, 4, 5) or questions > 64 or nothing:
        raise NotDnsError
    position = 12
    for number in range(questions):
        if number == 0:
            message.name, position = name_at(data, position)
        else:
            position = skipped(data, position)
        if position + 4 > len(data):
            raise NotDnsError
        if number == 0:
            message.qtype, message.qclass = struct.unpack("!2H", data[position : position + 4])
        position += 4
    try:
        for number in range(sum(counts)):
            position = _record(data, position, message, number < counts[0])
    except NotDnsError:
        message.malformed = True
    else:
        message.ends_at = position
    return message


def skipped(data: bytes, position: int) -> int:
    """Behind a name, wherever its pointer leads."""
    while position < len(data):
        size = data[position]
        if size >= 0xC0:
            if position + 2 > len(data):
                break
            return position + 2
        if size > 63:
            break
        position += 1 + size
        if size == 0:
            return position
    raise NotDnsError


def _record(data: bytes, position: int, message: Message, answers: bool) -> int:
    position = skipped(data, position)
    if position + 10 > len(data):
        raise NotDnsError
    kind, size_of_payload, ttl, size = struct.unpack("!HHIH", data[position : position + 10])
    position += 10
    if position + size > len(data):
        raise NotDnsError
    if answers:
        if message.response:
            message.answers.append((kind, ttl, _data(data, position, size, kind, message)))
    elif kind == 41:
        if message.response:
            message.rcode |= ttl >> 24 << 4
        else:
            message.edns_bytes = size_of_payload
    return position + size


def _data(data: bytes, position: int, size: int, kind: int, message: Message) -> str | None:
    content = data[position : position + size]
    if kind == 1 and size == 4:
        return str(ipaddress.IPv4Address(content))
    if kind == 28 and size == 16:
        address: Any = ipaddress.IPv6Address(content)
        return str(address.ipv4_mapped or address)
    if kind in (16, 99):
        text, at = b"", 0
        while at < size:
            text += content[at + 1 : at + 1 + content[at]]
            at += 1 + content[at]
        return "".join(_shown(byte, 0x20, b"\\") for byte in text)
    if kind in NAME_FIRST and NAME_FIRST[kind] < size:
        try:
            return text_of(name_at(data, position + NAME_FIRST[kind])[0])
        except NotDnsError:
            message.malformed = True
    return None
