"""Counting the records of a JSON body while it streams by: in: body bytes; out: the stream's `records`.

A record is an object that is an element of an array and does not itself lie in such an object; a body that is one
object without any is one record. Sixty-four bytes are looked at together: masks of quotes, backslashes and brackets,
and the running exclusive-or of the quotes tells what lies in strings (Langdale and Lemire, Parsing Gigabytes of JSON
per Second, 2019). The one law: the state between two bytes is a few integers, so the count does not depend on where
segments were cut.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.tables import JSON_BYTES_MAX, JsonFlag
from sensor.structures.bytesearch import json_masks64, trailing_zeros

_QUOTE, _BACKSLASH = 0x22, 0x5C
_OPEN_OBJECT, _CLOSE_OBJECT = 0x7B, 0x7D
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_DEPTH_MAX = 60


@inline_kernel
def start_records(stream, active):
    """A new body; `active` when its records are to be counted."""
    stream["json_flags"] = JsonFlag.ACTIVE if active else 0
    stream["json_scanned"] = 0
    stream["json_kinds"] = np.uint64(0)
    stream["json_depth"] = 0
    stream["json_record"] = 0
    stream["records"] = 0
    stream["documents"] = 0


@inline_kernel
def records_of(stream, body):
    """Records in a body of `body` bytes: counted, and in proportion where the body was not read to its end; -1 when not
    JSON.
    """
    if stream["json_flags"] & JsonFlag.ACTIVE == 0:
        return -1
    records = np.int64(stream["records"]) if stream["records"] > 0 else np.int64(stream["documents"])
    scanned = stream["json_scanned"]
    if stream["records"] > 0 and 0 < scanned < body:
        return np.int64(np.float64(records) * np.float64(body) / np.float64(scanned) + 0.5)
    return records


@inline_kernel
def _masks(data, position, stop):
    """Where quotes, backslashes, opening and closing brackets are in the next 64 bytes, and how many of those count."""
    if stop - position >= 64:
        quotes, escapes, opens, closes = json_masks64(data, position)
        return quotes, escapes, opens, closes, 64
    width = stop - position
    if stop >= 64:
        quotes, escapes, opens, closes = json_masks64(data, stop - 64)
        shift = np.uint64(64 - width)
        return quotes >> shift, escapes >> shift, opens >> shift, closes >> shift, width
    quotes, escapes, opens, closes = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(width):
        byte = at(data, position + i)
        bit = np.uint64(1) << np.uint64(i)
        if byte == _QUOTE:
            quotes |= bit
        elif byte == _BACKSLASH:
            escapes |= bit
        elif byte | 0x20 == _OPEN_OBJECT:
            opens |= bit
        elif byte | 0x20 == _CLOSE_OBJECT:
            closes |= bit
    return quotes, escapes, opens, closes, width


@inline_kernel
def _escaped(escapes, carried):
    """Bits of the bytes that a backslash before them escapes; `carried` says that one did at the end of the last 64."""
    escaped = np.uint64(carried)
    left = escapes & ~escaped
    while left != 0:
        bit = left & (~left + _ONE)
        escaped |= bit << _ONE
        left &= ~(bit | (bit << _ONE))
    return escaped


@inline_kernel
def _ends_in_escape(escapes, escaped, width):
    """Whether the last byte is a backslash that escapes what follows."""
    last = np.uint64(1) << np.uint64(width - 1)
    return escapes & ~escaped & last != 0


@inline_kernel
def _turns(quotes):
    """The running exclusive-or of the quotes: set where a byte is in a string, if the first one was not."""
    mask = quotes
    for shift in (1, 2, 4, 8, 16, 32):
        mask ^= mask << np.uint64(shift)
    return mask


@inline_kernel
def _note(stream, depth, record, kinds, records, documents):
    """Where the state between two bytes stands."""
    stream["json_depth"], stream["json_record"], stream["json_kinds"] = depth, record, kinds
    stream["records"], stream["documents"] = records, documents


@part_kernel
def count_records(stream, data, start, stop):
    """Advance the stream's JSON state over data[start:stop], up to JSON_BYTES_MAX of a body; nesting that is too deep
    ends the count.
    """
    stop = min(stop, start + JSON_BYTES_MAX - stream["json_scanned"])
    stream["json_scanned"] += max(stop - start, 0)
    flags = np.int64(stream["json_flags"])
    inside = _ALL if flags & JsonFlag.STRING != 0 else np.uint64(0)
    carried = flags & JsonFlag.ESCAPE != 0
    depth, record = np.int64(stream["json_depth"]), np.int64(stream["json_record"])
    kinds = np.uint64(stream["json_kinds"])
    records, documents = np.int64(stream["records"]), np.int64(stream["documents"])
    position = start
    while position < stop:
        quotes, escapes, opens, closes, width = _masks(data, position, stop)
        if escapes != 0 or carried:
            escaped = _escaped(escapes, carried)
            quotes &= ~escaped
            carried = _ends_in_escape(escapes, escaped, width)
        turns = _turns(quotes)
        strings = turns ^ inside
        inside ^= ~(turns >> np.uint64(63)) + _ONE
        opens &= ~strings
        brackets = opens | (closes & ~strings)
        while brackets != 0:
            bit = brackets & (~brackets + _ONE)
            if opens & bit == 0:
                record = 0 if record == depth else record
                depth = max(depth - 1, 0)
            else:
                if depth >= _DEPTH_MAX:
                    _note(stream, depth, record, kinds, records, documents)
                    stream["json_flags"] = stream["json_flags"] | JsonFlag.STOPPED
                    return
                is_object = at(data, position + trailing_zeros(bit)) == _OPEN_OBJECT
                if is_object and depth == 0:
                    documents += 1
                elif is_object and record == 0 and (kinds >> np.uint64(depth - 1)) & _ONE != 0:
                    records += 1
                    record = depth + 1
                level = _ONE << np.uint64(depth)
                kinds = kinds & ~level if is_object else kinds | level
                depth += 1
            brackets ^= bit
        position += width
    _note(stream, depth, record, kinds, records, documents)
    flags &= ~(JsonFlag.STRING | JsonFlag.ESCAPE)
    if inside != 0:
        flags |= JsonFlag.STRING
    if carried:
        flags |= JsonFlag.ESCAPE
    stream["json_flags"] = np.uint8(flags)
