"""Which pieces are plain data, in which no judge could find anything: in: pieces; out: those that must be searched.

One pass over the bytes: a text of letters, digits and single separators, in which no word stands that attacks are made
of, no two that together make a phrase of SQL or a path, and no run that may be base64. Around it the syntax of JSON, of
targets and forms. The one law: what a judge would find something in is never plain.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.unseen_kernel import PIECE, PieceKind, ask_for_piece, target_of
from sensor.structures.prefetch import AHEAD


class Byte(IntEnum):
    """What a byte is in a text."""

    MARK = 0      # not plain
    LOWER = 1
    UPPER = 2
    DIGIT = 3
    SPACE = 4
    SINGLE = 5    # punctuation: not next to another
    LEAD = 6      # first byte of a letter in UTF-8
    INNER = 7     # a further byte of it
    QUOTE = 8
    OPEN = 9      # brackets of JSON
    PERCENT = 10
    APOSTROPHE = 11


class Word(IntEnum):
    """What a word means for a text."""

    NONE = 0
    SOFT = 1    # together with another, or a number behind it, it may be a phrase
    ALONE = 2   # it may be a command when a text begins with it; else soft
    START = 3   # of a path or of a name of a system: enough before a slash or an underscore; else soft
    HARD = 4    # one is enough
    RIGHT = 5   # one is enough, also as a name: it may give rights
    HEADER = 6  # name of a header that holds no value
    LAW = 7     # name of a header that may break a law of the protocol
    LINK = 8    # name of a header that holds a link


class Sort(IntEnum):
    """Of a text."""

    TARGET = 0
    FORM = 1
    VALUE = 2
    JSON = 3


SLOTS = 4_096
_FNV_START = np.uint64(0xCBF29CE484222325)
_FNV = np.uint64(0x100000001B3)
NAME_START = 0x84222325CBF29CE4
"""Where the hash of a header's name begins, so that it is no word's."""
_NEAR = 2
"""Plain words between two soft ones that do not part them."""
_RUN_MAX = 128
_EQUALS, _COLON, _AMPERSAND, _SLASH, _QUESTION, _COMMA = 0x3D, 0x3A, 0x26, 0x2F, 0x3F, 0x2C
_MINUS, _UNDERSCORE, _DOT, _AT, _BLANK = 0x2D, 0x5F, 0x2E, 0x40, 0x20
_HTTPS = tuple(b"https")
_SESS = int.from_bytes(b"sess", "big")
"""Part of the names of sessions: an id in a link has its meaning together with where the link is."""


@inline_kernel
def _word(hashed, hashes, kinds):
    slot = np.int64(hashed & np.uint64(SLOTS - 1))
    while hashes[slot] != 0:
        if hashes[slot] == hashed:
            return np.int64(kinds[slot])
        slot = (slot + 1) & (SLOTS - 1)
    return np.int64(0)


@inline_kernel
def _is_coded(run, uppers, lowers, digits):
    """Whether a run of letters and digits may be base64 of text or of an object."""
    return run >= 6 and lowers > 0 and ((digits > 0 and uppers > 0) or (uppers > 3 and run >= 10))


@inline_kernel
def _kind_at(arena, position, stop, classes):
    """Byte at this position, SPACE at the end."""
    return np.int64(classes[arena[np.uint64(position)]]) if position < stop else np.int64(Byte.SPACE)


@inline_kernel
def _is_end(kind):
    return kind == Byte.SPACE or kind == Byte.QUOTE or kind == Byte.PERCENT


@inline_kernel
def _is_bad(word, near, opens, kind, byte):
    """Whether a word is more than plain, by what is near and behind it; `opens`: a text begins with it."""
    if word == Word.ALONE and opens and (_is_end(kind) or byte == _AMPERSAND):
        return True
    if word == Word.START and (byte == _SLASH or byte == _UNDERSCORE):
        return True
    return word == Word.HARD or (word != Word.NONE and near > 0)


@inline_kernel
def _may_stand(kind, before, after):
    """Whether a byte of a letter beyond ASCII, or an apostrophe, stands where text has it."""
    if kind == Byte.INNER:
        return before == Byte.LEAD or before == Byte.INNER
    if kind == Byte.APOSTROPHE:
        return before <= Byte.UPPER and after <= Byte.UPPER and after != Byte.MARK
    return kind == Byte.LEAD


@part_kernel
def _is_single(byte, before, after, value, path):
    """Whether punctuation stands where plain text has it. `value`: not in a path or name; `path`: before the query."""
    letters = before <= Byte.UPPER and after <= Byte.UPPER and before > 0 and after > 0
    digits = before == Byte.DIGIT and after == Byte.DIGIT
    if byte == _MINUS or byte == _UNDERSCORE:
        return before != Byte.SINGLE and after != Byte.SINGLE
    if byte == _COMMA:
        return before != Byte.SINGLE and after != Byte.SINGLE and before != Byte.QUOTE
    if byte == _DOT:
        return digits or letters or (before <= Byte.DIGIT and _is_end(after))
    if byte == _COLON:
        return digits
    if byte == _AT:
        return before <= Byte.DIGIT and after <= Byte.DIGIT
    if byte == _SLASH:
        return digits or (path and before <= Byte.SPACE and (after <= Byte.SPACE or after == Byte.SINGLE))
    if byte == _EQUALS:
        return not value and before <= Byte.DIGIT
    if byte == _QUESTION and path:
        return before != Byte.SINGLE and after <= Byte.UPPER
    if byte == _AMPERSAND:
        return before <= Byte.DIGIT and after <= Byte.UPPER
    return before <= Byte.UPPER and _is_end(after)


@part_kernel
def _plain(arena, start, stop, sort, classes, hashes, kinds):
    """Whether arena[start:stop] is plain."""
    json, path = sort == Sort.JSON, sort == Sort.TARGET
    value = sort == Sort.VALUE  # in a value of a form or a header
    inside = not json           # in a string, or in a text
    near = letters = 0          # plain words until a soft one is no longer near; letters of the present word
    hashed = _FNV_START
    run = uppers = lowers = digits = 0  # of the present run of letters and digits
    doubt = False               # the present string is plain only if it is a name
    dotted = at = False         # the present word has a dot between letters, an at sign
    begin = start               # of the present value or name
    simple = True               # it is letters, digits, - and _ so far
    recent = np.int64(0)        # the last four letters
    before = np.int64(Byte.SPACE)
    position = start
    while position <= stop:
        kind = _kind_at(arena, position, stop, classes)
        byte = np.int64(arena[np.uint64(position)]) if position < stop else np.int64(_BLANK)
        if kind == Byte.LOWER or kind == Byte.UPPER:
            hashed = (hashed ^ np.uint64(byte | 0x20)) * _FNV
            letters += 1
            run += 1
            recent = ((recent << 8) | byte | 0x20) & 0xFFFFFFFF
            if recent == _SESS or (byte | 0x20 == 0x78 and before == Byte.DIGIT):
                return False
            if kind == Byte.UPPER:
                uppers += 1
            else:
                lowers += 1
            before = kind
            position += 1
            continue
        width = 1
        if kind == Byte.PERCENT:
            if stop - position < 3 or arena[np.uint64(position + 1)] != 0x32 or arena[np.uint64(position + 2)] != 0x30:
                return False
            kind, width = np.int64(Byte.SPACE), 3
        if letters > 1:
            word = _word(hashed, hashes, kinds)
            if word == Word.RIGHT:
                return False
            if _is_bad(word, near, position - letters == begin, kind, byte):
                if json and inside:
                    doubt = True
                elif value or path or byte != _EQUALS or not simple or position - letters != begin:
                    return False
            near = _NEAR + 1 if word != Word.NONE else near - 1 if near > 0 else 0
        elif letters == 1 and near > 0:
            near -= 1
        if kind == Byte.DIGIT:
            if near > 0 and not (json and inside):
                return False
            doubt = doubt or near > 0
            digits += 1
            run += 1
            letters = 0
            hashed = _FNV_START
            before = kind
            position += 1
            continue
        tail = dotted and not at and kind != Byte.SINGLE
        if tail or _is_coded(run, uppers, lowers, digits):
            if not json or not inside:
                return False
            doubt = True
        if run > _RUN_MAX:
            return False
        run = uppers = lowers = digits = letters = 0
        hashed = _FNV_START
        if kind != Byte.SINGLE:
            dotted = at = False
        if position == stop:
            break
        if kind == Byte.QUOTE:
            if not json:
                return False
            if inside and doubt:
                if not simple or position + 1 >= stop or arena[np.uint64(position + 1)] != _COLON:
                    return False
                doubt = False
            inside = not inside
            near, simple, begin = 0, True, position + 1
        elif kind == Byte.SPACE:
            simple = simple and not inside
            if begin == position:
                begin += width
        elif kind == Byte.OPEN:
            if not json or inside:
                return False
            near = 0
        elif not inside:
            if byte != _COMMA and byte != _COLON and byte != _MINUS and byte != _DOT and byte > _BLANK:
                return False
            kind = np.int64(Byte.SPACE)
        elif kind == Byte.SINGLE:
            if json and (byte == _AMPERSAND or byte == _EQUALS):
                return False
            if not _is_single(byte, before, _kind_at(arena, position + 1, stop, classes), value or json, path):
                return False
            letters_around = before <= Byte.UPPER and _kind_at(arena, position + 1, stop, classes) <= Byte.UPPER
            dotted = dotted or (byte == _DOT and letters_around)
            at = at or byte == _AT
            simple = simple and (byte == _MINUS or byte == _UNDERSCORE)
            if byte == _EQUALS or byte == _AMPERSAND or byte == _QUESTION:
                value = byte == _EQUALS
                path = path and value
                near, simple, begin = 0, True, position + 1
            if byte == _EQUALS or byte == _AMPERSAND or byte == _QUESTION or byte == _COMMA or byte == _SLASH:
                if dotted and not at:
                    return False
                dotted = at = False
        elif not _may_stand(kind, before, _kind_at(arena, position + 1, stop, classes)):
            return False
        else:
            simple = simple and kind != Byte.APOSTROPHE
        before = kind
        position += width
    return inside != json


@part_kernel
def _plain_line(arena, start, length, classes, hashes, kinds):
    """Whether the target of a start line is plain."""
    first, size = target_of(arena, start, length)
    if size < 1 or arena[np.uint64(first)] != _SLASH:
        return False
    return size == 1 or _plain(arena, first + 1, first + size, Sort.TARGET, classes, hashes, kinds)


@inline_kernel
def _path_of(arena, first, stop, classes):
    """Where the path of the link arena[first:stop] begins, behind its slash, -1 when it is not of the usual form."""
    mark = first
    while mark < stop and classes[arena[np.uint64(mark)]] == Byte.LOWER:
        mark += 1
    http = mark - first == 4 or (mark - first == 5 and arena[np.uint64(mark - 1)] == _HTTPS[4])
    for i in range(4):
        http = http and arena[np.uint64(first + i)] == _HTTPS[i]
    if not http or stop - mark < 5 or arena[np.uint64(mark)] != _COLON:
        return -1
    if arena[np.uint64(mark + 1)] != _SLASH or arena[np.uint64(mark + 2)] != _SLASH:
        return -1
    position = mark + 3
    while position < stop:
        byte = np.int64(arena[np.uint64(position)])
        if byte == _SLASH:
            return position + 1 if position > mark + 3 else -1
        letter = Byte.LOWER <= np.int64(classes[byte]) <= Byte.DIGIT
        if not letter and byte != _DOT and byte != _MINUS and byte != _COLON:
            return -1
        position += 1
    return -1


@part_kernel
def _plain_header(arena, start, length, classes, hashes, kinds):
    """Whether a header line is plain, or of a name whose values are not looked at."""
    stop = start + length
    colon = start
    hashed = np.uint64(NAME_START)
    while colon < stop and arena[np.uint64(colon)] != _COLON:
        hashed = (hashed ^ np.uint64(np.int64(arena[np.uint64(colon)]) | 0x20)) * _FNV
        colon += 1
    if colon - start > 63 or colon == stop:
        return False
    word = _word(hashed, hashes, kinds)
    if word == Word.HEADER:
        return True
    if word == Word.LAW:
        return False
    first = colon + 1
    while first < stop and (arena[np.uint64(first)] == 0x20 or arena[np.uint64(first)] == 9):
        first += 1
    if first == stop:
        return False
    if word == Word.LINK:
        path = _path_of(arena, first, stop, classes)
        if path > 0:
            return path == stop or _plain(arena, path, stop, Sort.TARGET, classes, hashes, kinds)
    if classes[arena[np.uint64(first)]] == Byte.SINGLE:
        return False
    return _plain(arena, first, stop, Sort.VALUE, classes, hashes, kinds)


@kernel
def choose(
    pieces: PIECE, arena: Bytes, wants: Bytes, bit: int, classes: Bytes, hashes: U64s, kinds: Bytes, chosen: Bytes
) -> None:
    """chosen[i] is 1 for a piece of which this reader wants the kind, which it has not seen and which is not plain.

    `classes` uint8[256]: Byte of each byte; `hashes` and `kinds`: Word of each word, at its hash or behind.
    """
    flag = np.uint64(bit)
    for i in range(len(pieces)):
        if i + AHEAD < len(pieces):
            ask_for_piece(pieces[i + AHEAD], arena)
        piece = pieces[i]
        kind = np.int64(piece["kind"])
        chosen[i] = np.uint8(0)
        if np.uint64(wants[kind]) & flag == 0 or np.uint64(piece["seen"]) & flag != 0:
            continue
        start, length = np.int64(piece["start"]), np.int64(piece["length"])
        if kind == PieceKind.LINE:
            plain = _plain_line(arena, start, length, classes, hashes, kinds)
        elif kind == PieceKind.HEADER:
            plain = _plain_header(arena, start, length, classes, hashes, kinds)
        else:
            first = arena[np.uint64(start)]
            sort = Sort.JSON if first == 0x7B or first == 0x5B else Sort.FORM
            plain = classes[first] != Byte.SINGLE and _plain(arena, start, start + length, sort, classes, hashes, kinds)
        chosen[i] = np.uint8(0) if plain else np.uint8(1)
