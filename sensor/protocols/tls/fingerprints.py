"""Fingerprints of hellos: in: a Hello; out: JA3, JA3S (MD5 of fields as sent) and JA4 (sorted, so that a shuffle of
extensions changes nothing).

JA3 after github.com/salesforce/ja3; JA4 for TLS clients after github.com/FoxIO-LLC/ja4, whose other methods have
another licence and are not here. The one law: GREASE values (RFC 8701) count nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sensor.protocols.tls.hello import ALPN, SERVER_NAME, Hello

_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_JA4_DTLS_VERSIONS = {0xFEFC: "d3", 0xFEFD: "d2", 0xFEFF: "d1"}
_NOTHING = "000000000000"


def is_grease(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _real(numbers: Iterable[int]) -> list[int]:
    return [number for number in numbers if not is_grease(number)]


def _dashed(numbers: Iterable[int]) -> str:
    return "-".join(map(str, numbers))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ja3(hello: Hello) -> str:
    """Of a ClientHello, 32 hexadecimal digits."""
    lists = (hello.ciphers, hello.extensions, hello.groups)
    fields = [str(hello.version), *(_dashed(_real(numbers)) for numbers in lists), _dashed(hello.point_formats)]
    return _md5(",".join(fields))


def ja3s(hello: Hello) -> str:
    """Of a ServerHello, 32 hexadecimal digits."""
    return _md5(f"{hello.version},{_dashed(hello.ciphers)},{_dashed(hello.extensions)}")


def _ja4_protocol(first: bytes) -> str:
    """First and last character of the first protocol offered; of its hexadecimal form when they are not alphanumeric.
    """
    if not first:
        return "00"
    ends = (first[0], first[-1])
    if all(chr(byte).isascii() and chr(byte).isalnum() for byte in ends):
        return "".join(map(chr, ends))
    text = first.hex()
    return text[0] + text[-1]


def _ja4_hash(numbers: Iterable[int], behind: Iterable[int] = ()) -> str:
    text = ",".join(f"{number:04x}" for number in sorted(numbers))
    rest = ",".join(f"{number:04x}" for number in behind)
    if not text:
        return _NOTHING
    return hashlib.sha256((f"{text}_{rest}" if rest else text).encode()).hexdigest()[:12]


def ja4(hello: Hello, transport: str = "t") -> str:
    """Of a ClientHello over TCP (`transport` t), QUIC (q) or of DTLS (d), whose later versions have smaller numbers."""
    ciphers, extensions = _real(hello.ciphers), _real(hello.extensions)
    newest, names = (min, _JA4_DTLS_VERSIONS) if transport == "d" else (max, _JA4_VERSIONS)
    version = newest(_real(hello.versions), default=hello.version)
    head = (
        f"{transport}{names.get(version, '00')}{'d' if SERVER_NAME in extensions else 'i'}"
        f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}{_ja4_protocol(hello.protocol_bytes)}"
    )
    hashed = [number for number in extensions if number not in (SERVER_NAME, ALPN)]
    return f"{head}_{_ja4_hash(ciphers)}_{_ja4_hash(hashed, _real(hello.signatures))}"
