"""Counting the records of a JSON body while it streams by: in: body bytes; out: the stream's `records`.

A record is an object that is an element of an array and does not itself lie in such an object; a body that is one object without any is
one record. The one law: the state between two bytes is a few integers, so the count does not depend on where segments were cut.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.tables import JSON_BYTES_MAX, JsonFlag

_QUOTE, _BACKSLASH = 0x22, 0x5C
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = 0x7B, 0x7D, 0x5B, 0x5D
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
    """Records in a body of `body` bytes: counted, and in proportion where the body was not read to its end; -1 when not JSON."""
    if stream["json_flags"] & JsonFlag.ACTIVE == 0:
        return -1
    records = np.int64(stream["records"]) if stream["records"] > 0 else np.int64(stream["documents"])
    scanned = stream["json_scanned"]
    if stream["records"] > 0 and 0 < scanned < body:
        return np.int64(np.float64(records) * np.float64(body) / np.float64(scanned) + 0.5)
    return records


@part_kernel
def count_records(stream, data, start, stop):
    """Advance the stream's JSON state over data[start:stop], up to JSON_BYTES_MAX of a body."""
    stop = min(stop, start + JSON_BYTES_MAX - stream["json_scanned"])
    stream["json_scanned"] += stop - start
    flags = np.int64(stream["json_flags"])
    depth = np.int64(stream["json_depth"])
    record = np.int64(stream["json_record"])
    records = np.int64(stream["records"])
    kinds = stream["json_kinds"]
    for i in range(start, stop):
        byte = at(data, i)
        if flags & JsonFlag.STRING != 0:
            if flags & JsonFlag.ESCAPE != 0:
                flags &= ~JsonFlag.ESCAPE
            elif byte == _BACKSLASH:
                flags |= JsonFlag.ESCAPE
            elif byte == _QUOTE:
                flags &= ~JsonFlag.STRING
        elif byte == _QUOTE:
            flags |= JsonFlag.STRING
        elif byte == _OPEN_OBJECT or byte == _OPEN_ARRAY:
            in_array = depth > 0 and (kinds >> np.uint64(depth - 1)) & np.uint64(1) != 0
            if byte == _OPEN_OBJECT and depth == 0:
                stream["documents"] += 1
            elif byte == _OPEN_OBJECT and record == 0 and in_array:
                records += 1
                record = depth + 1
            if depth >= _DEPTH_MAX:
                flags |= JsonFlag.STOPPED
                break
            bit = np.uint64(1) << np.uint64(depth)
            kinds = kinds | bit if byte == _OPEN_ARRAY else kinds & ~bit
            depth += 1
        elif byte == _CLOSE_OBJECT or byte == _CLOSE_ARRAY:
            if record == depth:
                record = 0
            depth = max(depth - 1, 0)
    stream["json_flags"] = np.uint8(flags)
    stream["json_depth"] = depth
    stream["json_record"] = record
    stream["records"] = records
    stream["json_kinds"] = kinds
