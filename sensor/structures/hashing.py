"""Hashes of what traffic chooses: in: words or bytes and two random words; out: 64 bits.

`mix` and `hash_bytes` spread keys over tables and are keyed at random per process. `siphash` is SipHash-2-4 (Aumasson
and Bernstein, 2012) and makes the fingerprints that leave the process: without the key nobody can test a guess against
one.
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.structures.bytesearch import load64, word_of

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_K1 = np.uint64(0xBF58476D1CE4E5B9)
_K2 = np.uint64(0x94D049BB133111EB)


@inline_kernel
def mix(hashed, word):
    """Fold one word into a running hash."""
    x = (hashed ^ word) * _K1
    x ^= x >> np.uint64(32)
    x *= MULTIPLIER
    return x ^ (x >> np.uint64(29))


@inline_kernel
def finish(hashed):
    """Spread the entropy over all 64 bits (splitmix64's finaliser)."""
    x = (hashed ^ (hashed >> np.uint64(30))) * _K1
    x = (x ^ (x >> np.uint64(27))) * _K2
    return x ^ (x >> np.uint64(31))


@inline_kernel
def hash_bytes(seed, data, start, length):
    """Hash of data[start:start+length]; equal bytes give equal hashes under one seed.

    Two words at a time in two lanes, because a multiplication takes longer than it takes to start the next.
    """
    even = seed ^ (np.uint64(length) * MULTIPLIER)
    odd = seed + _K2
    position = start
    stop = start + length
    while position + 16 <= stop:
        even = (even ^ load64(data, position)) * _K1
        odd = (odd ^ load64(data, position + 8)) * _K2
        even ^= even >> np.uint64(32)
        odd ^= odd >> np.uint64(29)
        position += 16
    if position + 8 <= stop:
        even = mix(even, load64(data, position))
        position += 8
    if position < stop:
        odd = mix(odd, word_of(data, position, stop - position))
    return finish(mix(even, odd))


@inline_kernel
def _rotate(x, bits):
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@inline_kernel
def _sip_round(v0, v1, v2, v3):
    v0 += v1
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 += v3
    v3 = _rotate(v3, 16) ^ v2
    v0 += v3
    v3 = _rotate(v3, 21) ^ v0
    v2 += v1
    v1 = _rotate(v1, 17) ^ v2
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@inline_kernel
def siphash(key0, key1, data, start, length):
    """SipHash-2-4 of data[start:start+length] under the 128-bit key (key0, key1)."""
    v0 = key0 ^ np.uint64(0x736F6D6570736575)
    v1 = key1 ^ np.uint64(0x646F72616E646F6D)
    v2 = key0 ^ np.uint64(0x6C7967656E657261)
    v3 = key1 ^ np.uint64(0x7465646279746573)
    whole = length - length % 8
    position = 0
    while position <= whole:
        if position < whole:
            word = load64(data, start + position)
        else:
            word = word_of(data, start + whole, length - whole) | (np.uint64(length & 255) << np.uint64(56))
        v3 ^= word
        v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
        v0 ^= word
        position += 8
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3

