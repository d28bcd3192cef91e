"""The other way round: in: frames; out: Initial packets, sealed as a client or a server seals them (RFC 9001, 5)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from sensor.protocols.quic.protection import VERSION_2, Keys, initial_keys

CLIENT_ID = bytes.fromhex("8394c8f03e515708")
CLIENT_HELLO = bytes.fromhex(
    "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e0000"
    "0b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e0005000501000000000033002600240 "
    "01d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e04030503060302030"
    "80408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f08"
    "8394c8f03e51570806048000ffff".replace(" ", "")
)
"""Of RFC 9001, A.2: example.com, ALPN alpn."""
SERVER_HELLO = bytes.fromhex(
    "020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c940d8969"
    "0b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"
)
"""Of RFC 9001, A.3."""


def varint(number: int) -> bytes:
    width = next(width for width in range(4) if number < 1 << (8 * (1 << width) - 2))
    return (number | width << (8 * (1 << width) - 2)).to_bytes(1 << width, "big")


def crypto(data: bytes, offset: int = 0) -> bytes:
    """A CRYPTO frame."""
    return b"\x06" + varint(offset) + varint(len(data)) + data


def seal(
    frames: bytes, number: int = 2, version: int = 1, to: bytes = CLIENT_ID, sender: bytes = b"", token: bytes = b"",
    keys: Keys | None = None, number_bytes: int = 4,
) -> bytes:  # fmt: skip
    """An Initial packet; of the client unless other keys are given."""
    used = keys or initial_keys(version, to)[0]
    first = 0xC0 | (0x10 if version == VERSION_2 else 0) | number_bytes - 1
    header = bytes([first]) + version.to_bytes(4, "big") + bytes([len(to)]) + to + bytes([len(sender)]) + sender
    header += varint(len(token)) + token
    length = number_bytes + len(frames) + 16
    header += (length | 0x4000).to_bytes(2, "big") + number.to_bytes(number_bytes, "big")
    nonce = (int.from_bytes(used.iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(used.key).encrypt(nonce, frames, header)
    sample = sealed[4 - number_bytes : 20 - number_bytes]
    mask = Cipher(AES(used.header), ECB()).encryptor().update(sample)
    hidden = bytes(a ^ b for a, b in zip(header[-number_bytes:], mask[1:], strict=False))
    return bytes([header[0] ^ (mask[0] & 0x0F)]) + header[1:-number_bytes] + hidden + sealed


def padded(frames: bytes, length: int = 1_162) -> bytes:
    return frames.ljust(length, b"\0")
