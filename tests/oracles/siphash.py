"""The slow twin of the fingerprints: in: a 16-byte key and bytes; out: SipHash-2-4 of them, 64 bits.

J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF, 2012.
"""

from __future__ import annotations

_MASK = 2**64 - 1
_ROTATIONS = ((0, 1, 13, 32), (2, 3, 16, 0), (0, 3, 21, 0), (2, 1, 17, 32))


def _left(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK


def _rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        for a, b, turn, swap in _ROTATIONS:
            v[a] = (v[a] + v[b]) & _MASK
            v[b] = _left(v[b], turn) ^ v[a]
            v[a] = _left(v[a], swap) if swap else v[a]


def siphash(key: bytes, content: bytes) -> int:
    k0, k1 = (int.from_bytes(half, "little") for half in (key[:8], key[8:]))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = content + bytes(-(len(content) + 1) % 8) + bytes([len(content) & 255])
    for i in range(0, len(padded), 8):
        word = int.from_bytes(padded[i : i + 8], "little")
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def fingerprint(key: bytes, content: bytes) -> int:
    """What stands for a credential: never 0, which means that there is none."""
    return siphash(key, content) | 1 if content else 0
