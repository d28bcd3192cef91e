"""Is a feed what its maker made? In: its bytes, its checksum or signature; out: nothing, or a FeedError.

Signatures are Ed25519, bare or as minisign writes them (https://jedisct1.github.io/minisign/). The one law: what cannot
be checked is not accepted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from sensor.intel.formats import FeedError

_KEY_BYTES, _SIGNATURE_BYTES, _MINISIGN_KEY, _MINISIGN_SIGNATURE = 32, 64, 42, 74


def check_sum(octets: bytes, listed: bytes) -> None:
    """`listed` holds the SHA-256 in hex digits, as sha256sum writes it or alone."""
    found = re.findall(rb"\b[0-9a-fA-F]{64}\b", listed)
    if not found:
        raise FeedError("checksum: no SHA-256 where it should be")
    if hashlib.sha256(octets).hexdigest().encode() not in {each.lower() for each in found}:
        raise FeedError("checksum: the feed has another SHA-256 than its maker says")


def check_signature(octets: bytes, signature: bytes, public_key: str) -> None:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise FeedError("signature_url needs cryptography: pip install 'tapir-sensor[feeds]'") from None
    key, key_id = _key(public_key)
    signed, signature_id, prehashed = _signature(signature)
    if key_id and signature_id and key_id != signature_id:
        raise FeedError("signature: made with another key")
    message = hashlib.blake2b(octets, digest_size=64).digest() if prehashed else octets
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed, message)
    except InvalidSignature:
        raise FeedError("signature: does not fit the feed and the key") from None


def _key(text: str) -> tuple[bytes, bytes]:
    """(key, its id or nothing)"""
    raw = _decoded(text.rpartition("\n")[2])
    if len(raw) == _MINISIGN_KEY and raw[:2] == b"Ed":
        return raw[10:], raw[2:10]
    if len(raw) != _KEY_BYTES:
        raise FeedError("public_key: expected a key of minisign, or 32 bytes in Base64")
    return raw, b""


def _signature(octets: bytes) -> tuple[bytes, bytes, bool]:
    """(signature, id of its key or nothing, whether the message is hashed before)"""
    if len(octets) == _SIGNATURE_BYTES:
        return octets, b"", False
    lines = [line for line in octets.decode("ascii", "replace").splitlines() if line.strip()]
    body = next((line for line in lines if not line.startswith(("untrusted comment:", "trusted comment:"))), "")
    raw = _decoded(body)
    if len(raw) == _MINISIGN_SIGNATURE and raw[:2] in (b"Ed", b"ED"):
        return raw[10:], raw[2:10], raw[:2] == b"ED"
    if len(raw) != _SIGNATURE_BYTES:
        raise FeedError("signature: expected one of minisign, or 64 bytes")
    return raw, b"", False


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
