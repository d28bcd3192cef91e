"""Whether one of a few short words is in a text: in: bytes and the words, folded; out: yes or no.

For texts that are looked at once, as user agents and endpoints are. The one law: letters count in any case.
"""

import numpy as np

from sensor._jit import part_kernel
from sensor.structures.bytesearch import word_of

_ONE = np.uint64(1)
_FOLD = np.uint64(0x2020202020202020)


def folded_words(words: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Words of at most 8 characters as `has_word` takes them."""
    raw = [bytes(byte | 0x20 for byte in word.encode()) for word in words]
    return np.array([int.from_bytes(word.ljust(8, b"\0"), "little") for word in raw], np.uint64)


@part_kernel
def has_word(data, start, stop, words):
    """Whether one of the words, each of at most 8 letters and given folded, is in data[start:stop]."""
    for i in range(len(words)):
        length = 0
        while length < 8 and (words[i] >> np.uint64(8 * length)) & np.uint64(255) != 0:
            length += 1
        fold = _FOLD if length == 8 else _FOLD & ((_ONE << np.uint64(8 * length)) - _ONE)
        for position in range(start, stop - length + 1):
            if (word_of(data, position, length) | fold) == words[i]:
                return True
    return False
