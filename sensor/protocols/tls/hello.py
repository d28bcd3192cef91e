"""Handshake messages (RFC 8446, 4; RFC 5246, 7.4): in: the bytes of one side's visible handshake; out: its hello and
its certificates.

The one law: a length that goes beyond its container ends the reading, and what was read before it stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
SERVER_NAME, GROUPS, POINT_FORMATS, SIGNATURES, ALPN = 0, 10, 11, 13, 16
PRE_SHARED_KEY, VERSIONS, KEY_SHARE = 41, 43, 51
TLS13 = 0x0304
NAME_BYTES_MAX = 255
_DRAFT, _DRAFT_WITH_SESSION = 0x7F, 22
"""TLS 1.3 of drafts before 22 named the draft as its version, and no session in the ServerHello."""
CERTIFICATES_MAX = 16


class MalformedError(Exception):
    """A length goes beyond what holds it."""


class Reader:
    """Bytes read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, length: int) -> bytes:
        if self.at + length > len(self.data):
            raise MalformedError
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        """Bytes behind a length of so many bytes."""
        return self.take(self.number(width))

    def numbers(self, width: int) -> tuple[int, ...]:
        """A vector of 16-bit numbers."""
        data = self.vector(width)
        return tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data) - 1, 2))


@dataclass
class Hello:
    """A ClientHello (`ciphers` what is offered) or ServerHello (`ciphers` the one chosen). Lists are as sent."""

    version: int
    session: bytes
    ciphers: tuple[int, ...] = ()
    extensions: list[int] = field(default_factory=list)
    server_name: str | None = None
    protocols: tuple[str, ...] = ()
    protocol_bytes: bytes = b""
    groups: tuple[int, ...] = ()
    point_formats: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    key_share: int | None = None


@dataclass
class Handshake:
    """What one side sent in clear; `malformed`: not all of it could be read."""

    client_hello: Hello | None = None
    server_hello: Hello | None = None
    certificates: list[bytes] = field(default_factory=list)
    malformed: bool = False


def read_handshake(data: bytes, datagrams: bool = False) -> Handshake:
    """The messages of one side; the first hello counts when there are several (HelloRetryRequest). With `datagrams`
    they are those of DTLS.
    """
    handshake, reader = Handshake(), Reader(data)
    try:
        while reader:
            kind = reader.number(1)
            length = reader.number(3)
            body = Reader(reader.data[reader.at : reader.at + length])  # of one that was cut: what there is
            reader.at = min(reader.at + length, len(reader.data))
            if kind == CLIENT_HELLO and handshake.client_hello is None:
                handshake.client_hello = _client_hello(body, handshake, datagrams)
            elif kind == SERVER_HELLO and handshake.server_hello is None:
                handshake.server_hello = _server_hello(body, handshake)
            elif kind == CERTIFICATE and not handshake.certificates:
                _certificates(body, handshake)
    except MalformedError:
        handshake.malformed = True
    return handshake


def _client_hello(body: Reader, handshake: Handshake, datagrams: bool) -> Hello:
    version = body.number(2)
    body.take(32)
    session = body.vector(1)
    if datagrams:
        body.vector(1)  # the cookie (RFC 6347, 4.2.1)
    hello = Hello(version, session, body.numbers(2))
    body.vector(1)  # compression methods
    _extensions(body, hello, handshake, offered=True)
    return hello


def _server_hello(body: Reader, handshake: Handshake) -> Hello:
    version = body.number(2)
    body.take(32)
    if version >> 8 == _DRAFT and version & 0xFF < _DRAFT_WITH_SESSION:
        hello = Hello(version, b"", (body.number(2),))
    else:
        hello = Hello(version, body.vector(1), (body.number(2),))
        body.number(1)
    _extensions(body, hello, handshake, offered=False)
    return hello


def _extensions(body: Reader, hello: Hello, handshake: Handshake, offered: bool) -> None:
    """Extensions may be missing altogether."""
    if not body:
        return
    try:
        extensions = Reader(body.vector(2))
        while extensions:
            kind = extensions.number(2)
            value = Reader(extensions.vector(2))
            hello.extensions.append(kind)
            _extension(kind, value, hello, offered)
    except MalformedError:
        handshake.malformed = True


def _extension(kind: int, value: Reader, hello: Hello, offered: bool) -> None:
    if kind == ALPN:
        names = Reader(value.vector(2))
        found = []
        while names:
            found.append(names.vector(1))
        hello.protocols = tuple(printable(name) for name in found[:16])
        hello.protocol_bytes = found[0] if found else b""
    elif kind == VERSIONS:
        hello.versions = value.numbers(1) if offered else (value.number(2),)
    elif kind == KEY_SHARE and not offered:
        hello.key_share = value.number(2)
    elif not offered:
        return
    elif kind == SERVER_NAME and value:
        names = Reader(value.vector(2))
        while names:
            is_host, name = names.number(1) == 0, names.vector(2)
            if is_host and hello.server_name is None:
                hello.server_name = printable(name)
    elif kind == GROUPS:
        hello.groups = value.numbers(2)
    elif kind == POINT_FORMATS:
        hello.point_formats = tuple(value.vector(1))
    elif kind == SIGNATURES:
        hello.signatures = value.numbers(2)


def _certificates(body: Reader, handshake: Handshake) -> None:
    chain = Reader(body.vector(3))
    while chain and len(handshake.certificates) < CERTIFICATES_MAX:
        handshake.certificates.append(chain.vector(3))


def printable(name: bytes) -> str:
    """Printable ASCII as it is, everything else escaped."""
    return "".join(chr(byte) if 32 < byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in name[:NAME_BYTES_MAX])
