"""Initial packets opened: in: a version and the client's connection id; out: keys, and the frames of a packet.

Anyone on the path can derive these keys (RFC 9001, 5.2): they hide nothing, they keep middleboxes from guessing. The
one law: what does not authenticate gives nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import NamedTuple

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import ECB
except ImportError:
    HAVE_CIPHERS = False
else:
    HAVE_CIPHERS = True

VERSION_1, VERSION_2 = 1, 0x6B3343CF
_DRAFT_29, _DRAFT_33 = 0xFF00001D, 0xFF000021
_SALT_1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")         # RFC 9001, 5.2
_SALT_2 = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")         # RFC 9369, 3.3.1
_SALT_DRAFT_29 = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")  # drafts 29 to 32
_SALT_DRAFT_23 = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")  # drafts 23 to 28
MVFST = (0xFACEB002, 0xFACEB00E)
"""Facebook's own versions, which are draft 27 by another name."""
_TAG_BYTES = 16
_SAMPLE_BYTES = 16


class Keys(NamedTuple):
    """Of one direction."""

    key: bytes
    iv: bytes
    header: bytes


def salt_of(version: int) -> bytes:
    if version == VERSION_2:
        return _SALT_2
    if version in MVFST:
        return _SALT_DRAFT_23
    if version == VERSION_1 or version >= _DRAFT_33:
        return _SALT_1
    return _SALT_DRAFT_29 if version >= _DRAFT_29 else _SALT_DRAFT_23


def _expand(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3 (RFC 8446, 7.1) for at most one block, with an empty context."""
    name = b"tls13 " + label.encode()
    message = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return hmac.digest(secret, message + b"\x01", hashlib.sha256)[:length]


@lru_cache(256)
def initial_keys(version: int, connection_id: bytes) -> tuple[Keys, Keys]:
    """Of the client and of the server; `connection_id` is the destination of the client's first Initial."""
    secret = hmac.digest(salt_of(version), connection_id, hashlib.sha256)
    prefix = "quicv2 " if version == VERSION_2 else "quic "
    client, server = (_expand(secret, label, 32) for label in ("client in", "server in"))
    return _keys(client, prefix), _keys(server, prefix)


def _keys(secret: bytes, prefix: str) -> Keys:
    return Keys(*(_expand(secret, prefix + label, length) for label, length in (("key", 16), ("iv", 12), ("hp", 16))))


def open_packet(packet: bytes, number_at: int, keys: Keys) -> bytes | None:
    """The frames of an Initial packet that ends with `packet` and whose packet number begins at `number_at`; None when
    it is not under these keys, or the library for ciphers is missing.
    """
    sample_at = number_at + 4
    sample = packet[sample_at : sample_at + _SAMPLE_BYTES]
    if not HAVE_CIPHERS or len(sample) < _SAMPLE_BYTES:
        return None
    mask = Cipher(AES(keys.header), ECB()).encryptor().update(sample)  # RFC 9001, 5.4
    first = packet[0] ^ (mask[0] & 0x0F)
    length = (first & 0x03) + 1
    number = bytes(byte ^ mask[1 + i] for i, byte in enumerate(packet[number_at : number_at + length]))
    header = bytes([first]) + packet[1:number_at] + number
    sealed = packet[number_at + length :]
    if len(sealed) < _TAG_BYTES:
        return None
    nonce = (int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
    try:
        return AESGCM(keys.key).decrypt(nonce, sealed, header)
    except InvalidTag:
        return None
