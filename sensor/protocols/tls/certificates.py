"""X.509 certificates (RFC 5280, 4.1): in: one in DER; out: subject, issuer and validity.

Names are written as RFC 4514 has it, the last part first, as Zeek does. The one law: signatures are not verified, and
what cannot be read gives None.
"""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import NamedTuple

from sensor.protocols.tls.hello import MalformedError, Reader

SEQUENCE, SET, OBJECT_ID, EXPLICIT_VERSION, UTC_TIME = 0x30, 0x31, 0x06, 0xA0, 0x17
NAME_BYTES_MAX = 512
_ATTRIBUTES = {
    "550403": "CN", "550404": "SN", "550405": "serialNumber", "550406": "C", "550407": "L", "550408": "ST",
    "550409": "street", "55040a": "O", "55040b": "OU", "55040c": "title", "55042a": "GN",
    "2a864886f70d010901": "emailAddress", "0992268993f22c640119": "DC", "0992268993f22c640101": "UID",
}  # fmt: skip
_UTF16, _UTF32 = 0x1E, 0x1C


class Certificate(NamedTuple):
    """Times are seconds since 1970."""

    subject: str
    issuer: str
    not_valid_before: float
    not_valid_after: float
    self_signed: bool


@lru_cache(256)
def read_certificate(der: bytes) -> Certificate | None:
    """None when it is none, or cut. Those read lately are remembered: servers show the same again and again."""
    try:
        body = Reader(_value(Reader(_value(Reader(der), SEQUENCE)), SEQUENCE))
        kind, _ = _item(body)
        if kind == EXPLICIT_VERSION:
            _item(body)  # the serial number
        _item(body)      # the algorithm
        issuer = _value(body, SEQUENCE)
        validity = Reader(_value(body, SEQUENCE))
        before, after = _time(*_item(validity)), _time(*_item(validity))
        subject = _value(body, SEQUENCE)
        return Certificate(_name(subject), _name(issuer), before, after, bool(subject) and subject == issuer)
    except (MalformedError, ValueError, OverflowError):
        return None


def _item(reader: Reader) -> tuple[int, bytes]:
    """Tag and contents of the next item."""
    kind, length = reader.number(1), reader.number(1)
    if length & 0x80:
        if length & 0x7F > 4:
            raise MalformedError
        length = reader.number(length & 0x7F)
    return kind, reader.take(length)


def _value(reader: Reader, expected: int) -> bytes:
    kind, value = _item(reader)
    if kind != expected:
        raise MalformedError
    return value


def _time(kind: int, value: bytes) -> float:
    """UTCTime has two digits of the year: from 50 on they are of the 20th century."""
    text = value.decode("ascii")
    if kind == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    if not text.endswith("Z"):
        raise MalformedError
    parsed = datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ" if len(text) == 15 else "%Y%m%d%H%MZ")
    return parsed.replace(tzinfo=datetime.UTC).timestamp()


def _name(der: bytes) -> str:
    reader, parts = Reader(der), []
    while reader:
        several, attributes = Reader(_value(reader, SET)), []
        while several:
            pair = Reader(_value(several, SEQUENCE))
            oid = _value(pair, OBJECT_ID).hex()
            attributes.append(f"{_ATTRIBUTES.get(oid, oid)}={_escaped(*_item(pair))}")
        parts.append("+".join(attributes))
    return ",".join(reversed(parts))[:NAME_BYTES_MAX]


def _escaped(kind: int, value: bytes) -> str:
    coding = {_UTF16: "utf-16-be", _UTF32: "utf-32-be"}.get(kind, "utf-8")
    text = value.decode(coding, errors="backslashreplace" if coding == "utf-8" else "replace")
    text = "".join(f"\\{letter}" if letter in ',+"\\<>;' else letter for letter in text)
    return "".join(letter if letter.isprintable() else f"\\{ord(letter):02X}" for letter in text)
