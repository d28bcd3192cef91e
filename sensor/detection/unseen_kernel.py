"""What of a batch's messages somebody has not found clean before: in: contents, arena; out: pieces of the arena.

A piece is a start line, a header line, or a body. Each reader of pieces has a bit; a memory of hashes says which
readers found the same bytes clean before. Header lines are looked up together, but for those whose names bring
something new with every message. The one law: a piece is left out only when every reader that wants its kind found the
same bytes clean, a body below the same content type.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import CONTENT
from sensor.structures.bytesearch import copy_long, find_byte_inline, load64, match32, trailing_zeros
from sensor.structures.folding import fold_bytes
from sensor.structures.hashing import MULTIPLIER
from sensor.structures.prefetch import AHEAD, prefetch

PIECE = np.dtype(
    [
        ("row", "i8"),     # of the batch's transactions
        ("start", "i8"),   # in the arena
        ("length", "i8"),  # without the line's end
        ("hash", "u8"),
        ("kind", "u1"),    # PieceKind
        ("seen", "u1"),    # bits of the readers that found the same clean before
    ],
    align=True,
)


class PieceKind(IntEnum):
    LINE = 0    # a request's start line
    HEADER = 1  # a header line of a request; of many, the last is all the rest of the header block
    BODY = 2
    RESPONSE_LINE = 3
    RESPONSE_HEADER = 4
    RESPONSE_BODY = 5


class Progress(IntEnum):
    ROW = 0
    PIECES = 1
    BYTES = 2
    KEY0 = 3
    KEY1 = 4
    READ = 5  # of no meaning: what was read ahead


_AHEAD = 4
"""Rows ahead of which memory is asked for."""
_WARMED_ROWS = 256
"""Rows from which on the memory is read before it is searched: as a whole it comes at once, hash by hash it is waited
for with each.
"""
_LINE_BYTES = 64
LINES_MAX = 64
"""Header lines of one message that are pieces of their own."""
_ROOM = 2 * LINES_MAX + 8
_FLAGS = np.uint64(255)
_LOWER = np.uint64(0x2020202020202020)
_CONTENT = np.uint64(int.from_bytes(b"content-", "little"))
CHANGING_MAX = 255
_CHANGING = 64
_CHANGED = 16
"""What a new line adds for its name, of which a known one takes 1 away; from _CHANGING on lines go by themselves."""


@inline_kernel
def _slot(memory, hashed):
    """The first of the two places where a hash may be; the second is behind it."""
    return np.int64((hashed >> np.uint64(24)) & np.uint64((len(memory) >> 1) - 1)) * 2


@inline_kernel
def _seen(memory, hashed):
    """Bits of the readers that found what has this hash clean. What is met again moves to its first place."""
    slot = _slot(memory, hashed)
    first = memory[slot]
    if (first ^ hashed) <= _FLAGS:
        return first & _FLAGS
    second = memory[slot + 1]
    if (second ^ hashed) > _FLAGS:
        return np.uint64(0)
    memory[slot] = second
    memory[slot + 1] = first
    return second & _FLAGS


@inline_kernel
def _note(memory, hashed, flags):
    """Remember that these readers found what has this hash clean.

    What is new takes a second place, so that what comes only once drives out nothing that is met again and again.
    """
    slot = _slot(memory, hashed)
    if (memory[slot] ^ hashed) <= _FLAGS:
        memory[slot] |= flags
    elif (memory[slot + 1] ^ hashed) <= _FLAGS:
        memory[slot + 1] |= flags
    else:
        memory[slot + 1] = hashed | flags


@inline_kernel
def _hash(arena, start, length, salt, progress):
    key0, key1 = np.uint64(progress[Progress.KEY0]), np.uint64(progress[Progress.KEY1])
    return fold_bytes(key0 + np.uint64(salt), key1, arena, start, length) & ~_FLAGS


@part_kernel
def _add(arena, start, length, salt, row, kind, wants, memory, pieces, progress):
    """Add one piece unless all who want it have found it clean; returns the bits of those who have."""
    want = np.uint64(wants[kind])
    hashed = _hash(arena, start, length, salt, progress)
    seen = _seen(memory, hashed)
    if seen & want != want:
        piece = pieces[progress[Progress.PIECES]]
        piece["row"] = row
        piece["start"] = start
        piece["length"] = length
        piece["hash"] = hashed
        piece["kind"] = kind
        piece["seen"] = seen
        progress[Progress.PIECES] += 1
    return seen


@inline_kernel
def _name(arena, start):
    """Where the name of the header line that begins here, by its first eight bytes, has its number in `changing`."""
    if start + 8 > len(arena):
        return np.int64(0)
    return np.int64(((load64(arena, start) | _LOWER) * MULTIPLIER) >> np.uint64(56))


@inline_kernel
def _line_length(arena, start, end):
    """Without the carriage return."""
    return end - start - (1 if end > start and arena[end - 1] == 13 else 0)


@inline_kernel
def _is_type(arena, start, end):
    """Whether this line says of which type the body is."""
    return (
        end - start > 12 and load64(arena, start) | _LOWER == _CONTENT and arena[start + 8] | 0x20 == 0x74
        and arena[start + 12] == 0x3A
    )  # fmt: skip


@part_kernel
def _lines(arena, start, stop, left, row, kind, wants, memory, changing, pieces, progress):
    """Add the header lines in arena[start:stop] one by one, `left` at most; returns how many more may be added.

    When all of them are known, all of it is noted as known.
    """
    seen = np.uint64(wants[kind])
    position = start
    while position < stop:
        end = find_byte_inline(arena, position, stop, 10) if left > 1 else stop
        length = _line_length(arena, position, end)
        if length > 0:
            flags = _add(arena, position, length, kind, row, kind, wants, memory, pieces, progress)
            name = _name(arena, position)
            new = flags & np.uint64(wants[kind]) != np.uint64(wants[kind])
            changing[name] = min(changing[name] + _CHANGED, CHANGING_MAX) if new else max(changing[name] - 1, 0)
            seen &= flags
            left = left - 1 if new else left
        position = end + 1
    if seen == np.uint64(wants[kind]):
        _note(memory, _hash(arena, start, stop - start, kind, progress), seen)
    return left


@part_kernel
def _known(arena, start, stop, kind, wants, memory, progress):
    """Whether all lines in arena[start:stop] together are known to all who want them."""
    want = np.uint64(wants[kind])
    return stop - start < 3 or _seen(memory, _hash(arena, start, stop - start, kind, progress)) & want == want


@part_kernel
def _head(arena, head, length, row, kind, body, wants, memory, changing, pieces, progress):
    """The pieces of one head; `body`: returns the hash of its Content-Type line, 0 without one."""
    stop = head + length
    end = find_byte_inline(arena, head, stop, 10)
    if wants[kind] != 0 and end > head:
        _add(arena, head, _line_length(arena, head, end), kind, row, kind, wants, memory, pieces, progress)
    context = np.uint64(0)
    wanted = wants[kind + 1] != 0
    left = LINES_MAX
    position = first = end + 1
    base = position - 32
    mask = np.uint64(0)
    while position < stop:
        while mask == 0 and base + 64 <= len(arena) and base + 32 < stop:
            base += 32
            mask = match32(arena, base, np.uint8(10))
        end = base + trailing_zeros(mask) if mask != 0 else find_byte_inline(arena, max(base + 32, position), stop, 10)
        mask &= mask - np.uint64(1) if mask != 0 else mask
        end = min(end, stop)
        if body and _is_type(arena, position, end):
            context = _hash(arena, position, _line_length(arena, position, end), kind, progress)
        if wanted and changing[_name(arena, position)] >= _CHANGING:
            if not _known(arena, first, position, kind + 1, wants, memory, progress):
                left = _lines(arena, first, position, left, row, kind + 1, wants, memory, changing, pieces, progress)
            first = min(end + 1, stop)
            left = _lines(arena, position, first, left, row, kind + 1, wants, memory, changing, pieces, progress)
        position = end + 1
    if wanted and first < stop and not _known(arena, first, stop, kind + 1, wants, memory, progress):
        _lines(arena, first, stop, left, row, kind + 1, wants, memory, changing, pieces, progress)
    return context


@part_kernel
def _message(arena, head, head_length, body, body_length, row, kind, wants, memory, changing, pieces, progress):
    """The pieces of one message. Heads are walked for what is wanted of them, or to know what its body is."""
    heads = wants[kind] | wants[kind + 1]
    bodies = wants[kind + 2] != 0 and body_length > 1
    context = np.uint64(0)
    if head_length > 0 and (heads != 0 or bodies):
        context = _head(arena, head, head_length, row, kind, bodies, wants, memory, changing, pieces, progress)
    if bodies:
        salt = context + np.uint64(kind + 2)
        _add(arena, body, body_length, salt, row, kind + 2, wants, memory, pieces, progress)


@inline_kernel
def _ask(content, arena):
    """Ask for the memory of a request's head and of the begin of its body."""
    head = np.int64(content["request_head_offset"])
    for place in range(head, head + min(np.int64(content["request_head_len"]), 1_024), 64):
        prefetch(arena, place)
    if content["request_body_len"] > 0:
        prefetch(arena, np.int64(content["request_body_offset"]))


@part_kernel
def _warm(memory):
    """Read a word of each cache line; returns something that depends on all of them, lest they are not read."""
    read = np.uint64(0)
    for place in range(0, len(memory), 8):
        read ^= memory[place]
    return read


@kernel
def walk(
    contents: CONTENT, arena: Bytes, start: int, wants: Bytes, memory: U64s, changing: Bytes, pieces: PIECE,
    progress: I64s,
) -> int:  # fmt: skip
    """Add the pieces of rows from `start` on behind progress[PIECES]; returns the row to go on with when there is room.

    `wants` uint8[6]: by PieceKind the bits of the readers that want it. `memory` has a power of two of entries: the
    upper 56 bits of a hash, and bits of readers. `changing` uint8[256]: how often lines of a name are new.
    """
    if len(contents) - start >= _WARMED_ROWS:
        progress[Progress.READ] = np.int64(_warm(memory))
    for row in range(start, len(contents)):
        progress[Progress.ROW] = row
        if progress[Progress.PIECES] + _ROOM > len(pieces):
            return row
        if row + _AHEAD < len(contents):
            _ask(contents[row + _AHEAD], arena)
        content = contents[row]
        _message(
            arena, np.int64(content["request_head_offset"]), np.int64(content["request_head_len"]),
            np.int64(content["request_body_offset"]), np.int64(content["request_body_len"]),
            row, 0, wants, memory, changing, pieces, progress,
        )  # fmt: skip
        if wants[3] | wants[4] | wants[5] != 0:
            _message(
                arena, np.int64(content["response_head_offset"]), np.int64(content["response_head_len"]),
                np.int64(content["response_body_offset"]), np.int64(content["response_body_len"]),
                row, 3, wants, memory, changing, pieces, progress,
            )  # fmt: skip
    return len(contents)


@part_kernel
def target_of(arena, start, length):
    """(start, length) of the target in a start line: without method and version; all of a line of one word."""
    stop = start + length
    first = find_byte_inline(arena, start, stop, 32) + 1
    if first > stop:
        return start, length
    if stop - first > 9 and arena[stop - 9] == 32:
        stop -= 9
    return first, stop - first


@inline_kernel
def ask_for_piece(piece, arena):
    """Ask for the first bytes of a piece that will be read."""
    start = np.int64(piece["start"])
    prefetch(arena, start)
    if piece["length"] > _LINE_BYTES:
        prefetch(arena, start + _LINE_BYTES)


@kernel
def collect(
    pieces: PIECE, arena: Bytes, start: int, chosen: Bytes, targets: bool, text: Bytes, numbers: I64s, starts: I64s,
    progress: I64s,
) -> int:  # fmt: skip
    """Copy the chosen pieces from number `start` on into the text, a line end before and after each.

    Returns the piece to go on with. Piece numbers[k] begins at starts[k]; progress[PIECES] and [BYTES] say how many
    there are. `targets`: of start lines of requests the target alone. A piece that alone does not fit is cut.
    """
    text[0] = np.uint8(10)
    used = 1
    count = 0
    i = start
    while i < len(pieces):
        if i + AHEAD < len(pieces) and chosen[i + AHEAD] != 0:
            ask_for_piece(pieces[i + AHEAD], arena)
        if chosen[i] != 0:
            source, length = np.int64(pieces[i]["start"]), np.int64(pieces[i]["length"])
            if targets and pieces[i]["kind"] == PieceKind.LINE:
                source, length = target_of(arena, source, length)
            room = len(text) - used - 1
            if count == len(numbers) or (length > room and count > 0):
                break
            length = min(length, room)
            copy_long(arena, source, length, text, used)
            numbers[count] = i
            starts[count] = used
            count += 1
            text[used + length] = np.uint8(10)
            used += length + 1
        i += 1
    progress[Progress.PIECES] = count
    progress[Progress.BYTES] = used
    return i


@kernel
def mark_new(pieces: PIECE, wants: Bytes, bit: int, marks: Bytes) -> None:
    """marks[i] is 1 for a piece that the reader of this bit wants and has not found clean, else 0."""
    flag = np.uint64(bit)
    for i in range(len(pieces)):
        wanted = np.uint64(wants[pieces[i]["kind"]]) & flag != 0
        marks[i] = np.uint8(1) if wanted and np.uint64(pieces[i]["seen"]) & flag == 0 else np.uint8(0)


@kernel
def note_clean(pieces: PIECE, dirty: Bytes, wants: Bytes, bit: int, memory: U64s) -> None:
    """Remember for the reader of this bit every piece of a kind that it wants and that is not dirty."""
    flag = np.uint64(bit)
    for i in range(len(pieces)):
        piece = pieces[i]
        if dirty[i] != 0 or np.uint64(wants[piece["kind"]]) & flag == 0 or np.uint64(piece["seen"]) & flag != 0:
            continue
        _note(memory, piece["hash"], flag)
