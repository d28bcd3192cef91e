"""One DTLS connection while its handshake is read (RFC 6347, RFC 9147): in: datagrams of both directions; out: what
each side sent in clear.

Messages come in fragments, in any order and again. The one law: bytes of a message count once, the first copy of each,
and a message is read when it is whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sensor.protocols.tls.hello import CERTIFICATE, CLIENT_HELLO, SERVER_HELLO, Handshake, read_handshake

MESSAGE_BYTES_MAX = 16_384
MESSAGES_MAX = 16
"""Of one side: an older handshake has at most five."""
RECORDS_MAX = 32
_RECORD_BYTES, _FRAGMENT_BYTES = 13, 12
_ALERT, _HANDSHAKE = 21, 22
_UNIFIED_MASK, _UNIFIED = 0xE0, 0x20
_READ = (CLIENT_HELLO, SERVER_HELLO, CERTIFICATE)


@dataclass
class _Message:
    kind: int
    data: bytearray
    missing: int
    seen: bytearray

    def add(self, offset: int, part: bytes) -> None:
        for i, byte in enumerate(part, offset):
            if not self.seen[i]:
                self.data[i], self.seen[i] = byte, 1
                self.missing -= 1


@dataclass
class DtlsConnection:
    """`client`: direction of who sent the ClientHello, -1 while unknown; `sealed[direction]`: it sent encrypted
    records; `alert`: description of the last alert in clear, -1 when none; `opened`: messages that were read.
    """

    client: int = -1
    sealed: list[bool] = field(default_factory=lambda: [False, False])
    handshakes: list[Handshake] = field(default_factory=lambda: [Handshake(), Handshake()])
    opened: int = 0
    alert: int = -1
    quic_version: None = None
    transport: str = "d"
    _newest: bool = False
    _messages: list[dict[int, _Message]] = field(default_factory=lambda: [{}, {}])

    @property
    def is_over(self) -> bool:
        """Whether nothing in clear can come: of DTLS 1.3 once both sides encrypt; before, parts may still be late."""
        return all(self.sealed) and self._newest

    def read(self, direction: int, datagram: bytes) -> None:
        """One datagram of a direction: records until one is cut off or none."""
        start = 0
        for _ in range(RECORDS_MAX):
            if start >= len(datagram):
                return
            if datagram[start] & _UNIFIED_MASK == _UNIFIED:  # DTLS 1.3, encrypted
                self.sealed[direction] = self._newest = True
                return
            header = datagram[start : start + _RECORD_BYTES]
            if len(header) < _RECORD_BYTES or header[1] != 0xFE:
                return
            start += _RECORD_BYTES
            length = int.from_bytes(header[11:13], "big")
            self._record(direction, header, datagram[start : start + length])
            start += length

    def _record(self, direction: int, header: bytes, content: bytes) -> None:
        if header[3:5] != b"\0\0":  # an epoch behind the first one
            self.sealed[direction] = True
        elif header[0] == _ALERT and len(content) == 2:
            self.alert = content[1]
        elif header[0] == _HANDSHAKE:
            at = 0
            while at + _FRAGMENT_BYTES <= len(content):
                at = self._fragment(direction, content, at)

    def _fragment(self, direction: int, content: bytes, at: int) -> int:
        """Returns the position behind it."""
        kind, length = content[at], int.from_bytes(content[at + 1 : at + 4], "big")
        number = int.from_bytes(content[at + 4 : at + 6], "big")
        offset = int.from_bytes(content[at + 6 : at + 9], "big")
        end = at + _FRAGMENT_BYTES + int.from_bytes(content[at + 9 : at + 12], "big")
        part = content[at + _FRAGMENT_BYTES : end]
        messages = self._messages[direction]
        if kind in _READ and length <= MESSAGE_BYTES_MAX and offset + len(part) <= length:
            message = messages.get(number)
            if message is None and len(messages) < MESSAGES_MAX:
                message = messages[number] = _Message(kind, bytearray(length), length, bytearray(length))
            if message and message.missing and (message.kind, len(message.data)) == (kind, length):
                message.add(offset, part)
                if message.missing == 0:
                    self._message(direction, message)
        return end

    def _message(self, direction: int, message: _Message) -> None:
        """Take over what a whole message says, unless one before it said it."""
        header = bytes([message.kind]) + len(message.data).to_bytes(3, "big")
        read, known = read_handshake(header + message.data, datagrams=True), self.handshakes[direction]
        self.opened += 1
        known.malformed |= read.malformed
        known.client_hello = known.client_hello or read.client_hello
        known.server_hello = known.server_hello or read.server_hello
        known.certificates = known.certificates or read.certificates
        if read.client_hello:
            self.client = direction
        elif read.server_hello:
            self.client = 1 - direction
