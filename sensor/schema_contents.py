"""Contents: the bytes of the heads and bodies of a batch's transactions.

Row i belongs to row i of the batch's Transactions. Offsets are into the batch's arena, of which no bytes but those that
a row names mean anything; both are gone when the next batch is asked for. The one law: they hold secrets, and nothing
of them is stored or shown.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

CONTENT = np.dtype(
    [
        ("request_head_offset", "i8"),   # HTTP/1 bytes as sent: start line, header lines, the empty line
        ("request_body_offset", "i8"),   # without chunk framing and, where it could be undone, content coding
        ("response_head_offset", "i8"),
        ("response_body_offset", "i8"),
        ("request_head_len", "u4"),      # 0: nothing was kept
        ("request_body_len", "u4"),
        ("response_head_len", "u4"),
        ("response_body_len", "u4"),
        ("flags", "u4"),                 # ContentFlag
        ("request_coding", "u2"),        # Coding of each layer, 4 bits each, the one to be undone last lowest
        ("response_coding", "u2"),
    ],
    align=True,
)


class ContentFlag(IntEnum):
    REQUEST_CUT = 1       # more of the body went by than was kept
    RESPONSE_CUT = 2
    REQUEST_CODED = 4     # the kept body is still coded, wholly or behind what could be decoded
    RESPONSE_CODED = 8
    REQUEST_BOMB = 16     # decoding was given up: Anomaly has the same
    RESPONSE_BOMB = 32
    REQUEST_GAP = 64      # bytes of the message were lost; what follows the hole is kept next to what went before it
    RESPONSE_GAP = 128


class Coding(IntEnum):
    """Content codings (RFC 9110, 8.4.1)."""

    NONE = 0
    GZIP = 1
    DEFLATE = 2
    BROTLI = 3
    ZSTD = 4
    UNKNOWN = 15


class Wanted(NamedTuple):
    """What somebody wants kept of messages: heads or not, and so many bytes of bodies."""

    request_head: bool = False
    request_body: int = 0
    response_head: bool = False
    response_body: int = 0
