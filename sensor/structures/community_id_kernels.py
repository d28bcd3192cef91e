"""Community ID v1, seed 0: in: addresses, ports and protocol as columns; out: 30 bytes of text a row.

https://github.com/corelight/community-id-spec. The text is "1:" and the base64 of the SHA-1 (RFC 3174) of the smaller
endpoint, the larger one, the protocol, and the ports where the protocol has them. For ICMP the ports are the type and
its counterpart; a type without a counterpart is one-way, and its endpoints stay in the order in which they came. The
one law: both directions of a flow give the same text, and so do all other tools that know Community ID.
"""

import numpy as np

from sensor._jit import Bytes, I64s, U16s, U64s, inline_kernel, kernel
from sensor.schema import Proto

TEXT_BYTES = 30
WORK_WORDS = 96
"""int64 words a caller lends to `community_ids`: SHA-1's 80-word schedule, then the 16-byte addresses as words."""

_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
_MASK = 0xFFFFFFFF
_MAPPED_IPV4 = np.uint64(0xFFFF)


@inline_kernel
def _rotate(x, bits):
    return ((x << bits) | (x >> (32 - bits))) & _MASK


@inline_kernel
def _one_way(proto, icmp_type):
    if proto == Proto.ICMP:
        return not (icmp_type == 0 or 8 <= icmp_type <= 10 or 13 <= icmp_type <= 18)
    if proto == Proto.ICMP6:
        return not (
            128 <= icmp_type <= 131 or 133 <= icmp_type <= 136 or icmp_type in (139, 140, 144, 145)
        )
    return False


@inline_kernel
def _has_ports(proto):
    return proto in (Proto.ICMP, Proto.TCP, Proto.UDP, Proto.ICMP6, Proto.SCTP)


@inline_kernel
def _put_address(work, count, hi, lo, ipv4):
    """Append an address to the message as 32-bit words; return the new count."""
    if not ipv4:
        work[count] = np.int64(hi >> np.uint64(32))
        work[count + 1] = np.int64(hi & np.uint64(_MASK))
        work[count + 2] = np.int64(lo >> np.uint64(32))
        count += 3
    work[count] = np.int64(lo & np.uint64(_MASK))
    return count + 1


@inline_kernel
def _message(work, a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto):
    """Lay the padded 64-byte message into work[:16]. The 2-byte seed shifts all that follows by half a word."""
    ipv4 = a_hi == 0 and a_lo >> np.uint64(32) == _MAPPED_IPV4 and b_hi == 0 and b_lo >> np.uint64(32) == _MAPPED_IPV4
    less = a_hi < b_hi or (a_hi == b_hi and (a_lo < b_lo or (a_lo == b_lo and a_port < b_port)))
    if less or _one_way(proto, a_port):
        count = _put_address(work, 0, a_hi, a_lo, ipv4)
        count = _put_address(work, count, b_hi, b_lo, ipv4)
        ports = (a_port << 16) | b_port
    else:
        count = _put_address(work, 0, b_hi, b_lo, ipv4)
        count = _put_address(work, count, a_hi, a_lo, ipv4)
        ports = (b_port << 16) | a_port
    proto_word = proto << 24
    length = 4 * count + 4
    carry = 0  # the seed, 0
    for i in range(count):
        word = work[i]
        work[i] = (carry << 16) | (word >> 16)
        carry = word & 0xFFFF
    work[count] = (carry << 16) | (proto_word >> 16)
    for i in range(count + 1, 16):
        work[i] = 0
    if _has_ports(proto):
        work[count + 1] = ports
        length += 4
    work[length >> 2] = 0x80000000
    work[15] = 8 * length


@inline_kernel
def _sha1(work):
    """Digest of the one block in work[:16], as five 32-bit words; work[:80] is overwritten."""
    for t in range(16, 80):
        work[t] = _rotate(work[t - 3] ^ work[t - 8] ^ work[t - 14] ^ work[t - 16], 1)
    a, b, c, d, e = 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0
    for t in range(80):
        if t < 20:
            f = ((b & c) | (~b & d)) + 0x5A827999
        elif t < 40:
            f = (b ^ c ^ d) + 0x6ED9EBA1
        elif t < 60:
            f = ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
        else:
            f = (b ^ c ^ d) + 0xCA62C1D6
        a, b, c, d, e = (_rotate(a, 5) + f + e + work[t]) & _MASK, a, _rotate(b, 30), c, d
    return (
        (a + 0x67452301) & _MASK,
        (b + 0xEFCDAB89) & _MASK,
        (c + 0x98BADCFE) & _MASK,
        (d + 0x10325476) & _MASK,
        (e + 0xC3D2E1F0) & _MASK,
    )


@inline_kernel
def _base64(work, text, position):
    """Write "1:" and the base64 of the 160 bits in work[80:85] at text[position:]."""
    text[position] = 49
    text[position + 1] = 58
    position += 2
    bits = 0
    held = 0
    for i in range(5):
        held = (held << 32) | work[80 + i]
        bits += 32
        while bits >= 6:
            bits -= 6
            text[position] = _ALPHABET[(held >> bits) & 63]
            position += 1
        held &= (1 << bits) - 1
    text[position] = _ALPHABET[(held << (6 - bits)) & 63]
    text[position + 1] = 61


@inline_kernel
def put_community_id(work, text, position, a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto):
    """Write one Community ID, TEXT_BYTES, at text[position:]; `work` is WORK_WORDS of scratch."""
    _message(work, a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto)
    work[80], work[81], work[82], work[83], work[84] = _sha1(work)
    _base64(work, text, position)


@kernel
def community_ids(
    a_hi: U64s, a_lo: U64s, b_hi: U64s, b_lo: U64s, a_port: U16s, b_port: U16s, proto: Bytes,
    n: int, work: I64s, text: Bytes, start: int,
) -> int:  # fmt: skip
    """Write the Community IDs of rows 0 to n at text[start:], TEXT_BYTES each; return the end. `work` is WORK_WORDS
    of scratch.
    """
    for i in range(n):
        put_community_id(
            work, text, start + TEXT_BYTES * i, a_hi[i], a_lo[i], b_hi[i], b_lo[i],
            np.int64(a_port[i]), np.int64(b_port[i]), np.int64(proto[i]),
        )  # fmt: skip
    return start + TEXT_BYTES * n
