"""The tables by which plain data is told: in: nothing; out: classes of bytes, and words by their hash.

The words are those that patterns, grammars and lists of files are made of (plain_words.py), and the names of headers
whose values say nothing. The one law: both tables are the same in every run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor.detection.injection.plain_kernel import NAME_START, SLOTS, Byte, Word
from sensor.detection.injection.plain_words import ALONE, HARD, RIGHTS, SOFT, STARTS

_SINGLE = b".,:/?&=-_!@"
_PARTED = frozenset((0xC0, 0xC1, 0xC2, 0xCA, 0xE2, 0xEF, *range(0xCE, 0xE2), *range(0xE3, 0xEE)))
"""Lead bytes of letters that are read as other characters, and of alphabets whose words are in no table here."""


_OPAQUE = (
    "authorization proxy-authorization if-none-match if-modified-since if-unmodified-since etag date traceparent"
    " sec-websocket-key content-length"
)
_LINKS = "referer origin"
_LAWS = "host connection content-type content-range request-range range if lock-token x-filename x-file-name"


def byte_classes() -> npt.NDArray[np.uint8]:
    """uint8[256]: Byte of each byte."""
    classes = np.full(256, Byte.MARK, np.uint8)
    classes[ord("a") : ord("z") + 1] = Byte.LOWER
    classes[ord("A") : ord("Z") + 1] = Byte.UPPER
    classes[ord("0") : ord("9") + 1] = Byte.DIGIT
    classes[[ord(" "), ord("+")]] = Byte.SPACE
    classes[list(_SINGLE)] = Byte.SINGLE
    classes[0xC3:0xF0] = Byte.LEAD
    classes[list(_PARTED)] = Byte.MARK
    classes[0x80:0xC0] = Byte.INNER
    classes[ord('"')] = Byte.QUOTE
    classes[list(b"{}[]")] = Byte.OPEN
    classes[ord("%")] = Byte.PERCENT
    classes[ord("'")] = Byte.APOSTROPHE
    return classes


def _hash(word: str, value: int = 0xCBF29CE484222325) -> int:
    for letter in word.encode():
        value = (value ^ (letter | 0x20)) * 0x100000001B3 & ((1 << 64) - 1)
    return value


def word_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """(hashes, Word) by slot: a word is at its hash modulo SLOTS, or in the next slots."""
    lists = ((SOFT, Word.SOFT), (ALONE, Word.ALONE), (STARTS, Word.START), (HARD, Word.HARD), (RIGHTS, Word.RIGHT))
    words = {_hash(word): kind for text, kind in lists for word in text.split()}
    words |= {_hash(name, NAME_START): Word.HEADER for name in _OPAQUE.split()}
    words |= {_hash(name, NAME_START): Word.LAW for name in _LAWS.split()}
    words |= {_hash(name, NAME_START): Word.LINK for name in _LINKS.split()}
    hashes, kinds = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint8)
    for hashed, kind in words.items():
        slot = hashed % SLOTS
        while hashes[slot]:
            slot = (slot + 1) % SLOTS
        hashes[slot], kinds[slot] = hashed, kind
    return hashes, kinds
