"""What of a batch's requests has not been looked at before: in: contents, arena; out: pieces, one after the other.

A piece is a request's target or start line, a header line, or a body; of answers too where that is asked for. Header
blocks and lines, targets and bodies that were found clean are remembered by their hash and left out.
The one law: a piece is left out only when the same bytes were found clean.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import CONTENT
from sensor.structures.bytesearch import copy_bytes, find_byte, load64
from sensor.structures.hashing import hash_bytes

PIECE = np.dtype(
    [
        ("row", "i8"),     # of the batch's transactions
        ("start", "i8"),   # in the text; its end is one byte before the next piece's start
        ("length", "i8"),
        ("hash", "u8"),
        ("block", "u8"),   # hash of the header block, 0 when the piece is no header line
        ("kind", "u1"),    # PieceKind
    ],
    align=True,
)

class PieceKind(IntEnum):
    TARGET = 0
    HEADER = 1
    BODY = 2
    LINE = 3  # a start line


class Part(IntEnum):
    """What is gathered, as bits."""

    TARGET = 1
    LINE = 2
    HEADERS = 4
    BODY = 8
    RESPONSE_HEAD = 16
    RESPONSE_BODY = 32
    NO_TOKENS = 64  # leave out the Authorization line: it differs from client to client and is no value


class Progress(IntEnum):
    ROW = 0
    PIECES = 1
    BYTES = 2
    SEED = 3


_LOWER = np.uint64(0x2020202020202020)
_AUTHORIZ = np.uint64(int.from_bytes(b"authoriz", "little"))


@inline_kernel
def _is_clean(clean, hashed):
    return clean[np.int64(hashed & np.uint64(len(clean) - 1))] == hashed


@part_kernel
def _add(arena, start, length, hashed, block, row, kind, text, pieces, progress):
    """Copy one piece behind the others, a line end after it; False when there is no room."""
    used = progress[Progress.BYTES]
    count = progress[Progress.PIECES]
    if used + length + 40 > len(text) or count >= len(pieces):
        return False
    copy_bytes(arena, start, length, text, used)
    text[used + length] = np.uint8(10)
    piece = pieces[count]
    piece["row"] = row
    piece["start"] = used
    piece["length"] = length
    piece["hash"] = hashed
    piece["block"] = block
    piece["kind"] = kind
    progress[Progress.BYTES] = used + length + 1
    progress[Progress.PIECES] = count + 1
    return True


@part_kernel
def _target(arena, head, stop):
    """(start, length) of the target in the start line that ends at `stop`."""
    first = find_byte(arena, head, stop, 32)
    if first < 0 or first >= stop:
        return head, 0
    last = stop
    if last - first > 9 and arena[last - 1] == 13:
        last -= 1
    if last - first > 9 and arena[last - 9] == 32:
        last -= 9
    return first + 1, last - first - 1


@part_kernel
def _headers(arena, start, stop, block, row, parts, clean, seed, text, pieces, progress):
    """Add the lines of a header block that are not known to be clean; False when there is no room."""
    position = start
    while position < stop:
        end = find_byte(arena, position, stop, 10)
        if end < 0:
            end = stop
        length = end - position
        token = length > 16 and parts & Part.NO_TOKENS and (load64(arena, position) | _LOWER) == _AUTHORIZ
        if length > 4 and not token:
            hashed = hash_bytes(seed, arena, position, length)
            if not _is_clean(clean, hashed):  # noqa: SIM102
                if not _add(arena, position, length, hashed, block, row, PieceKind.HEADER, text, pieces, progress):
                    return False
        position = end + 1
    return True


@part_kernel
def _piece(arena, start, length, salt, row, kind, clean, seed, text, pieces, progress):
    """Add one piece that is not known to be clean; False when there is no room."""
    if length <= 1:
        return True
    hashed = hash_bytes(seed + np.uint64(salt), arena, start, length)
    if _is_clean(clean, hashed):
        return True
    return _add(arena, start, length, hashed, np.uint64(0), row, kind, text, pieces, progress)


@part_kernel
def _head(arena, head, length, row, parts, clean, seed, text, pieces, progress):
    """The pieces of one head; False when there is no room."""
    line = find_byte(arena, head, head + length, 10)
    if parts & Part.LINE:  # noqa: SIM102
        if not _piece(arena, head, line - head, 3, row, PieceKind.LINE, clean, seed, text, pieces, progress):
            return False
    if parts & Part.TARGET:
        start, size = _target(arena, head, line)
        if not _piece(arena, start, size, 0, row, PieceKind.TARGET, clean, seed, text, pieces, progress):
            return False
    rest = head + length - line - 1
    if parts & Part.HEADERS and rest > 4:
        block = hash_bytes(seed + np.uint64(1), arena, line + 1, rest)
        if not _is_clean(clean, block):  # noqa: SIM102
            if not _headers(arena, line + 1, head + length, block, row, parts, clean, seed, text, pieces, progress):
                return False
    return True


@part_kernel
def _gather_row(content, arena, row, parts, clean, seed, text, pieces, progress):
    """The pieces of one transaction; False when there is no room for all of them."""
    length = np.int64(content["request_head_len"])
    if length > 0 and parts & (Part.TARGET | Part.LINE | Part.HEADERS):
        head = np.int64(content["request_head_offset"])
        if not _head(arena, head, length, row, parts, clean, seed, text, pieces, progress):
            return False
    size = np.int64(content["request_body_len"])
    if parts & Part.BODY and size > 1:
        start = np.int64(content["request_body_offset"])
        if not _piece(arena, start, size, 2, row, PieceKind.BODY, clean, seed, text, pieces, progress):
            return False
    length = np.int64(content["response_head_len"])
    if length > 0 and parts & Part.RESPONSE_HEAD:
        head = np.int64(content["response_head_offset"])
        both = Part.LINE | Part.HEADERS
        if not _head(arena, head, length, row, both, clean, seed, text, pieces, progress):
            return False
    size = np.int64(content["response_body_len"])
    if parts & Part.RESPONSE_BODY and size > 1:
        start = np.int64(content["response_body_offset"])
        return _piece(arena, start, size, 2, row, PieceKind.BODY, clean, seed, text, pieces, progress)
    return True


@kernel
def gather(
    contents: CONTENT, arena: Bytes, start: int, parts: int, clean: U64s, text: Bytes, pieces: PIECE, progress: I64s
) -> int:
    """Fill text and pieces (`parts`: bits of Part) from row `start` on; returns the row to go on with. `clean` has a power of two of slots.

    progress[PIECES] and [BYTES] say how many there are; the first byte of the text is a line end. A row that alone does
    not fit leaves the pieces of it that do.
    """
    seed = np.uint64(progress[Progress.SEED])
    text[0] = np.uint8(10)
    progress[Progress.PIECES] = 0
    progress[Progress.BYTES] = 1
    row = start
    while row < len(contents):
        progress[Progress.ROW] = row
        count, used = progress[Progress.PIECES], progress[Progress.BYTES]
        if not _gather_row(contents[row], arena, row, parts, clean, seed, text, pieces, progress):  # noqa: SIM102
            if count > 0:
                progress[Progress.PIECES] = count
                progress[Progress.BYTES] = used
                return row
        row += 1
    return row


@kernel
def note_clean(pieces: PIECE, count: int, suspicious: Bytes, clean: U64s) -> None:
    """Remember the pieces that were not found suspicious, and the header blocks that have none that was."""
    mask = np.uint64(len(clean) - 1)
    i = 0
    while i < count:
        piece = pieces[i]
        block = piece["block"]
        if block == np.uint64(0):
            if suspicious[i] == 0:
                clean[np.int64(piece["hash"] & mask)] = piece["hash"]
            i += 1
            continue
        row = piece["row"]
        whole = True
        while i < count and pieces[i]["row"] == row and pieces[i]["block"] == block:
            if suspicious[i] == 0:
                clean[np.int64(pieces[i]["hash"] & mask)] = pieces[i]["hash"]
            else:
                whole = False
            i += 1
        if whole:
            clean[np.int64(block & mask)] = block
