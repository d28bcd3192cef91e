"""Keeping the bytes of messages for detectors: in: heads and body bytes of open transactions; out: CONTENT rows, whose
bytes lie in the arena.

Room is taken when a head is whole, by what it says of the body, so that bytes are copied once: one after another in the
fresh part of the arena, which every batch begins anew. What outlives its batch moves to an extent of the rest. The one
law: what was handed out with a row is free again when the next part is asked for and not before, and room that is not
to be had costs the bytes alone, counted.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.limits import EXTENTS, FRESH_BYTES, HEAD_BYTES_MAX, NS, RECORD_CODED_BYTES
from sensor.protocols.http1.tables import (
    EXTENT_BYTES,
    EXTENT_FIRST,
    EXTENT_OFFSET,
    EXTENT_STACK,
    FRESH,
    FRESH_LIST,
    FRESH_MAX,
    HANDED_STACK,
    NO_EXTENT,
    Count,
    Field,
    Scalar,
)
from sensor.protocols.http1.traits import Trait, type_traits
from sensor.protocols.http1.words import folded, is_token, short_word
from sensor.schema import Anomaly, Coding, ContentFlag
from sensor.structures.bytesearch import copy_long

_SIZES = len(EXTENTS)
_GZIP, _X_GZIP, _DEFLATE, _BROTLI = folded("gzip"), folded("x-gzip"), folded("deflate"), folded("br")
_ZSTD, _IDENTITY = folded("zstd"), folded("identity")
_LAYERS_MAX = 4
_FILL_NS = 1_000_000
_FIRST_BYTES = 1_024
"""Room for a body of unknown length to begin with: about what comes in its head's segment."""
_FRESH_MARGIN = FRESH_MAX // 4
_FRESH_LOW = FRESH_BYTES - FRESH_BYTES // 4
_HANDED_MIN = 256
"""Extents that must be to be had before a part is ended early for them."""


@part_kernel
def _take_extent(t, kept, length):
    """Give `kept` a free extent of at least `length` bytes; whether there was one (if not, it is counted)."""
    size = 0
    while size < _SIZES and EXTENT_BYTES[size] < length:
        size += 1
    while size < _SIZES:
        free = t.numbers[Scalar.EXTENTS_FREE + size] - 1
        if free < EXTENTS[size] >> 3:
            t.numbers[Scalar.EXTENTS_LOW] = 1
        if free >= 0:
            t.numbers[Scalar.EXTENTS_FREE + size] = free
            extent = np.int64(t.free[EXTENT_STACK + EXTENT_FIRST[size] + free])
            kept["extent"] = extent + 1
            kept["room"] = EXTENT_BYTES[size]
            kept["offset"] = EXTENT_OFFSET[size] + (extent - EXTENT_FIRST[size]) * EXTENT_BYTES[size]
            return True
        size += 1
    t.numbers[Count.EXTENTS_EXHAUSTED] += 1
    return False


@part_kernel
def _give_extent(t, extent):
    size = 0
    while extent >= EXTENT_FIRST[size + 1]:
        size += 1
    free = t.numbers[Scalar.EXTENTS_FREE + size]
    t.free[EXTENT_STACK + EXTENT_FIRST[size] + free] = extent
    t.numbers[Scalar.EXTENTS_FREE + size] = free + 1


@inline_kernel
def _take_room(t, kept_row, length):
    """Room for `length` bytes for row `kept_row`, in the fresh part of the arena if there is any."""
    kept = t.kept[kept_row]
    used, fresh = t.numbers[Scalar.FRESH_USED], t.numbers[Scalar.FRESH]
    if used > _FRESH_LOW or fresh > FRESH_MAX - _FRESH_MARGIN:
        t.numbers[Scalar.FRESH_LOW] = 1
    if used + length > FRESH_BYTES or fresh == FRESH_MAX:
        return _take_extent(t, kept, length)
    kept["extent"] = FRESH
    kept["room"] = length
    kept["offset"] = used
    t.free[FRESH_LIST + fresh] = kept_row
    t.numbers[Scalar.FRESH] = fresh + 1
    t.numbers[Scalar.FRESH_USED] = used + length
    return True


@inline_kernel
def _forget(kept):
    kept["extent"] = NO_EXTENT
    kept["head"] = 0
    kept["body"] = 0
    kept["want"] = 0


@part_kernel
def begin_part(t):
    """What was handed out with the part before is free; what is still open moves to extents."""
    for i in range(t.numbers[Scalar.EXTENTS_HANDED]):
        _give_extent(t, np.int64(t.free[HANDED_STACK + i]))
    for i in range(t.numbers[Scalar.FRESH]):
        kept = t.kept[t.free[FRESH_LIST + i]]
        if kept["extent"] != FRESH:
            continue
        offset, filled = np.int64(kept["offset"]), np.int64(kept["head"]) + np.int64(kept["body"])
        if _take_extent(t, kept, max(filled, np.int64(kept["room"]))):
            copy_long(t.arena, offset, filled, t.arena, np.int64(kept["offset"]))
        else:
            _forget(kept)
    t.numbers[Scalar.EXTENTS_HANDED] = 0
    t.numbers[Scalar.EXTENTS_LOW] = 0
    t.numbers[Scalar.FRESH] = 0
    t.numbers[Scalar.FRESH_USED] = 0
    t.numbers[Scalar.FRESH_LOW] = 0


@inline_kernel
def is_part_full(t):
    """Whether room can be had by handing out what is finished."""
    numbers = t.numbers
    if numbers[Scalar.FRESH_LOW] != 0 and numbers[Scalar.ROWS] > 0:
        return True
    return numbers[Scalar.EXTENTS_LOW] != 0 and numbers[Scalar.EXTENTS_HANDED] >= _HANDED_MIN


@part_kernel
def _coding(data, start, stop):
    """Content codings in the order in which they were applied, 4 bits each, the first lowest (RFC 9110, 8.4)."""
    coding = 0
    layers = 0
    i = start
    while i < stop:
        if not is_token(at(data, i)):
            i += 1
            continue
        begin = i
        while i < stop and is_token(at(data, i)):
            i += 1
        word = short_word(data, begin, min(i - begin, 8))
        layer = np.int64(Coding.UNKNOWN)
        if word == _GZIP or word == _X_GZIP:
            layer = np.int64(Coding.GZIP)
        elif word == _DEFLATE:
            layer = np.int64(Coding.DEFLATE)
        elif word == _BROTLI:
            layer = np.int64(Coding.BROTLI)
        elif word == _ZSTD:
            layer = np.int64(Coding.ZSTD)
        elif word == _IDENTITY:
            continue
        if layers == _LAYERS_MAX:
            return np.int64(Coding.UNKNOWN)
        coding |= layer << (4 * layers)
        layers += 1
    return coding


@inline_kernel
def _is_in_budget(t):
    """Whether the body of one more response may be kept."""
    numbers = t.numbers
    rate = numbers[Scalar.RESPONSE_RATE]
    if rate == 0:
        return True
    passed = numbers[Scalar.NOW] - numbers[Scalar.RESPONSE_FILLED]
    if passed >= _FILL_NS:
        seconds = min(np.float64(passed) / NS, 1.0)
        numbers[Scalar.RESPONSE_LEFT] = min(numbers[Scalar.RESPONSE_LEFT] + np.int64(seconds * rate), rate)
        numbers[Scalar.RESPONSE_FILLED] = numbers[Scalar.NOW]
    return numbers[Scalar.RESPONSE_LEFT] > 0


@part_kernel
def keep_message(t, kept_row, data, used, length, chunked, to_end):
    """A head of `used` bytes that ends at Field.END of data: keep of the message what is wanted; whether more of it is.

    `length`, `chunked` and `to_end` (of the stream) say what the head says of the body.
    """
    field = t.numbers
    kept = t.kept[kept_row]
    asks = kept_row & 1 == 0
    start = field[Field.END] - used
    while used > 0 and at(data, start) < 0x20:
        start += 1
        used -= 1
    wants_head = t.numbers[Scalar.REQUEST_HEAD] if asks else t.numbers[Scalar.RESPONSE_HEAD]
    want = t.numbers[Scalar.REQUEST_BODY] if asks else t.numbers[Scalar.RESPONSE_BODY]
    kind = 0 if asks else type_traits(t.pool, t.open[kept_row >> 1]["response_content_type"])
    if kind & Trait.MEDIA != 0:
        want = 0  # nothing that a detector reads
    elif not asks and want > 0 and not _is_in_budget(t):
        t.numbers[Count.BODIES_LEFT_OUT] += 1
        want = 0
    if field[Field.CODING + 1] > 0:
        kept["coding"] = _coding(data, field[Field.CODING], field[Field.CODING] + field[Field.CODING + 1])
        if kind & Trait.JSON != 0 and kept["coding"] != 0 and t.numbers[Scalar.CODED_RECORDS] != 0:
            want = max(want, RECORD_CODED_BYTES)
    if not (chunked or to_end):
        want = min(want, max(length, 0))
    head = min(used, HEAD_BYTES_MAX) if wants_head != 0 else 0
    if head + want == 0:
        return False
    if not _take_room(t, kept_row, head + (min(want, _FIRST_BYTES) if chunked or to_end else want)):
        return False
    copy_long(data, start, head, t.arena, np.int64(kept["offset"]))
    kept["head"] = head
    kept["want"] = want
    return want > 0


@part_kernel
def keep_body(t, kept_row, data, start, stop):
    """Keep data[start:stop] of a message's body as far as it is wanted; whether more of it is."""
    kept = t.kept[kept_row]
    taken = min(stop - start, np.int64(kept["want"]))
    filled = np.int64(kept["head"]) + np.int64(kept["body"])
    if filled + taken > np.int64(kept["room"]):
        offset, old = np.int64(kept["offset"]), np.int64(kept["extent"])
        if not _take_room(t, kept_row, filled + taken + min(filled, np.int64(kept["want"]) - taken)):
            kept["want"] = 0
            return False
        copy_long(t.arena, offset, filled, t.arena, np.int64(kept["offset"]))
        if old > 0:
            _give_extent(t, old - 1)
    copy_long(data, start, taken, t.arena, np.int64(kept["offset"]) + filled)
    kept["body"] += taken
    if kept_row & 1 != 0 and kept["coding"] == 0:  # coded ones have a budget of their own
        t.numbers[Scalar.RESPONSE_LEFT] -= taken
    kept["want"] -= taken
    return kept["want"] > 0


@inline_kernel
def move_response(t, request, response):
    """What was kept of a response that waited goes to its request's row."""
    if t.kept[2 * request + 1]["extent"] > 0:
        _give_extent(t, np.int64(t.kept[2 * request + 1]["extent"]) - 1)
    t.kept[2 * request + 1] = t.kept[2 * response + 1]
    _forget(t.kept[2 * response + 1])
    t.kept[2 * response + 1]["coding"] = 0
    if t.kept[2 * request + 1]["extent"] == FRESH and t.numbers[Scalar.FRESH] < FRESH_MAX:
        t.free[FRESH_LIST + t.numbers[Scalar.FRESH]] = 2 * request + 1
        t.numbers[Scalar.FRESH] += 1


@inline_kernel
def _hand_side(t, kept):
    if kept["extent"] > 0:
        t.free[HANDED_STACK + t.numbers[Scalar.EXTENTS_HANDED]] = kept["extent"] - 1
        t.numbers[Scalar.EXTENTS_HANDED] += 1
    _forget(kept)
    kept["coding"] = 0


@inline_kernel
def hand_out(t, message, row, out):
    """What was kept of an open transaction becomes row `out` of the contents."""
    content = t.contents[out]
    request, response = t.kept[2 * message], t.kept[2 * message + 1]
    flags = 0
    if row["request_body_len"] > np.int64(request["body"]):
        flags |= ContentFlag.REQUEST_CUT
    if row["response_body_len"] > np.int64(response["body"]):
        flags |= ContentFlag.RESPONSE_CUT
    if request["coding"] != 0 and request["body"] > 0:
        flags |= ContentFlag.REQUEST_CODED
    if response["coding"] != 0 and response["body"] > 0:
        flags |= ContentFlag.RESPONSE_CODED
    if row["anomalies"] & np.uint64(Anomaly.REQUEST_GAP) != 0:
        flags |= ContentFlag.REQUEST_GAP
    if row["anomalies"] & np.uint64(Anomaly.RESPONSE_GAP) != 0:
        flags |= ContentFlag.RESPONSE_GAP
    content["flags"] = flags
    content["request_head_offset"] = request["offset"]
    content["request_head_len"] = request["head"]
    content["request_body_offset"] = request["offset"] + np.int64(request["head"])
    content["request_body_len"] = request["body"]
    content["request_coding"] = request["coding"]
    content["response_head_offset"] = response["offset"]
    content["response_head_len"] = response["head"]
    content["response_body_offset"] = response["offset"] + np.int64(response["head"])
    content["response_body_len"] = response["body"]
    content["response_coding"] = response["coding"]
    _hand_side(t, request)
    _hand_side(t, response)
