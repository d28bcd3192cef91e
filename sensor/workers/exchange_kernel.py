"""What goes between processes: in: chunks, or the transactions that a worker read from them; out: copies in memory
that all of them share.

A flow's chunks all go to one worker. Workers have string pools of their own, so a row on its way names its strings by
numbers of TEXT, which are put into the pool of whoever takes the rows. The one law: taken together in the order of
their keys, the rows of all workers stand as if one of them had read all chunks.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U32s, inline_kernel, kernel, part_kernel
from sensor.schema import CHUNK, CONTENT, FLOW, TRANSACTION, ChunkKind, ChunkSource, Service
from sensor.structures.bytesearch import copy_bytes, copy_long
from sensor.structures.string_pool import PoolTables
from sensor.structures.string_pool_kernels import ENTRY, intern_clean

TEXT = np.dtype([("start", "i8"), ("length", "i8")], align=True)


class Out(IntEnum):
    """How far a worker has filled what it hands over."""

    ROWS = 0
    ARENA = 1
    ARENA_END = 2
    TEXTS = 3
    TEXTS_END = 4
    TEXT_BYTES = 5
    TEXT_BYTES_END = 6
    CHUNK = 7          # the chunk that the row before came from
    PART = 8           # codes are good within a part only
    REJECTED = 9       # strings, and rows' bytes, that found no room


@kernel
def deal(
    chunks: CHUNK, start: int, data: Bytes, datagrams: Bytes, pages: Bytes, flows: FLOW, dealt: CHUNK, places: I64s,
    counts: I64s, payload: Bytes,
) -> int:  # fmt: skip
    """Copy chunks[start:] to the hands of len(counts) workers, their bytes to `payload`; the chunk to go on from.

    Each hand has an equal part of `dealt`, and in `places` which chunk it was; what no parser would look at is left
    out.
    """
    hand = len(dealt) // len(counts)
    counts[:] = 0
    used = 0
    for i in range(start, len(chunks)):
        chunk = chunks[i]
        flow = np.int64(chunk["stream"]) >> 1
        if flows[flow]["service"] >= Service.NOT_HTTP:
            continue
        worker = flow % len(counts)
        row = worker * hand + counts[worker]
        has_bytes = chunk["kind"] == ChunkKind.DATA
        if counts[worker] == hand or (has_bytes and used + chunk["length"] > len(payload)):
            return i
        dealt[row] = chunk
        places[row] = i
        counts[worker] += 1
        if has_bytes:
            buffer = data
            if chunk["source"] != ChunkSource.BLOCK:
                buffer = pages if chunk["source"] == ChunkSource.PAGES else datagrams
            copy_long(buffer, chunk["offset"], chunk["length"], payload, used)
            dealt[row]["offset"] = used
            dealt[row]["source"] = ChunkSource.BLOCK
            used += chunk["length"]
    return len(chunks)


@kernel
def run_end(dealt: CHUNK, places: I64s, start: int, stop: int, last: I64s) -> int:
    """Where the run of chunks from `start` on ends: before a flow has two chunks of one time in it with a chunk of
    another worker between them, so that flow and time tell the place of a row. `last` is worked in, an item a flow.
    """
    for i in range(start, stop):
        flow = np.int64(dealt[i]["stream"]) >> 1
        before = last[flow] - 1
        if start <= before < i and dealt[before]["now"] == dealt[i]["now"] and places[i] - places[before] != i - before:
            return i
        last[flow] = i + 1
    return stop


@inline_kernel
def _number(code, entries, strings, marks, texts, text_bytes, out):
    """Number of a string in what is handed over; 0 when it is absent or finds no room."""
    if code == 0:
        return 0
    if marks[code] >> 32 == out[Out.PART]:
        return marks[code] & 0xFFFFFFFF
    length = np.int64(entries[code]["length"])
    if out[Out.TEXTS] == out[Out.TEXTS_END] or out[Out.TEXT_BYTES] + length > out[Out.TEXT_BYTES_END]:
        out[Out.REJECTED] += 1
        return 0
    number = out[Out.TEXTS]
    texts[number]["start"] = out[Out.TEXT_BYTES]
    texts[number]["length"] = length
    copy_bytes(strings, entries[code]["start"], length, text_bytes, out[Out.TEXT_BYTES])
    out[Out.TEXTS] += 1
    out[Out.TEXT_BYTES] += length
    marks[code] = out[Out.PART] << 32 | number
    return number


@inline_kernel
def _moved(arena, offset, length, out_arena, out):
    """Copy bytes of a message behind those of others; where they lie then."""
    place = out[Out.ARENA]
    if length > 0:
        copy_bytes(arena, offset, length, out_arena, place)
        out[Out.ARENA] += length
    return place


@part_kernel
def _take_bytes(content, arena, out_arena, out):
    """Copy what was kept of a transaction; nothing of it, counted, when it finds no room."""
    request_head, request_body = np.int64(content["request_head_len"]), np.int64(content["request_body_len"])
    response_head, response_body = np.int64(content["response_head_len"]), np.int64(content["response_body_len"])
    if out[Out.ARENA] + request_head + request_body + response_head + response_body > out[Out.ARENA_END]:
        out[Out.REJECTED] += 1
        content["request_head_len"] = content["request_body_len"] = 0
        content["response_head_len"] = content["response_body_len"] = 0
        return
    content["request_head_offset"] = _moved(arena, content["request_head_offset"], request_head, out_arena, out)
    content["request_body_offset"] = _moved(arena, content["request_body_offset"], request_body, out_arena, out)
    content["response_head_offset"] = _moved(arena, content["response_head_offset"], response_head, out_arena, out)
    content["response_body_offset"] = _moved(arena, content["response_body_offset"], response_body, out_arena, out)


@kernel
def pack(
    rows: TRANSACTION, contents: CONTENT, arena: Bytes, entries: ENTRY, strings: Bytes, marks: I64s, dealt: CHUNK,
    places: I64s, run_stop: int, flows: FLOW, out_rows: TRANSACTION, out_contents: CONTENT, out_arena: Bytes,
    texts: TEXT, text_bytes: Bytes, keys: I64s, out: I64s,
) -> None:  # fmt: skip
    """Add the rows of a part to what is handed over: numbers for their codes, their bytes, and the place of the chunk
    that finished each: the next one, from that of the row before on, of its time and flow.
    """
    out[Out.PART] += 1
    for i in range(len(rows)):
        row = rows[i]
        place = out[Out.CHUNK]
        while place < run_stop and not (
            dealt[place]["now"] == row["now"] and flows[np.int64(dealt[place]["stream"]) >> 1]["serial"] == row["flow"]
        ):
            place += 1
        if place == run_stop:  # no chunk of its own: in the order of packet time
            place = out[Out.CHUNK]
            while place < run_stop - 1 and dealt[place]["now"] < row["now"]:
                place += 1
        out[Out.CHUNK] = place
        to = out[Out.ROWS]
        keys[to] = places[place]
        out_rows[to] = row
        copy = out_rows[to]
        copy["method"] = _number(row["method"], entries, strings, marks, texts, text_bytes, out)
        copy["host"] = _number(row["host"], entries, strings, marks, texts, text_bytes, out)
        copy["uri"] = _number(row["uri"], entries, strings, marks, texts, text_bytes, out)
        copy["endpoint"] = _number(row["endpoint"], entries, strings, marks, texts, text_bytes, out)
        copy["user_agent"] = _number(row["user_agent"], entries, strings, marks, texts, text_bytes, out)
        copy["referrer"] = _number(row["referrer"], entries, strings, marks, texts, text_bytes, out)
        copy["request_content_type"] = _number(
            row["request_content_type"], entries, strings, marks, texts, text_bytes, out
        )
        copy["response_content_type"] = _number(
            row["response_content_type"], entries, strings, marks, texts, text_bytes, out
        )
        copy["status_msg"] = _number(row["status_msg"], entries, strings, marks, texts, text_bytes, out)
        copy["auth_scheme"] = _number(row["auth_scheme"], entries, strings, marks, texts, text_bytes, out)
        copy["subject_name"] = _number(row["subject_name"], entries, strings, marks, texts, text_bytes, out)
        out_contents[to] = contents[i]
        _take_bytes(out_contents[to], arena, out_arena, out)
        out[Out.ROWS] = to + 1


@kernel
def intern_texts(pool: PoolTables, texts: TEXT, first: int, stop: int, text_bytes: Bytes, codes: U32s) -> None:
    """Put texts[first:stop] into the pool; codes[number] says where."""
    for number in range(first, stop):
        text = texts[number]
        codes[number] = intern_clean(pool, text_bytes, text["start"], text["length"])


@kernel
def merge(
    order: I64s, rows: TRANSACTION, contents: CONTENT, codes: U32s, out_rows: TRANSACTION, out_contents: CONTENT
) -> None:
    """The rows that `order` names, one after the other, with the codes of their strings."""
    for i in range(len(order)):
        out_rows[i] = rows[order[i]]
        out_contents[i] = contents[order[i]]
        row = out_rows[i]
        row["method"] = codes[np.int64(row["method"])]
        row["host"] = codes[np.int64(row["host"])]
        row["uri"] = codes[np.int64(row["uri"])]
        row["endpoint"] = codes[np.int64(row["endpoint"])]
        row["user_agent"] = codes[np.int64(row["user_agent"])]
        row["referrer"] = codes[np.int64(row["referrer"])]
        row["request_content_type"] = codes[np.int64(row["request_content_type"])]
        row["response_content_type"] = codes[np.int64(row["response_content_type"])]
        row["status_msg"] = codes[np.int64(row["status_msg"])]
        row["auth_scheme"] = codes[np.int64(row["auth_scheme"])]
        row["subject_name"] = codes[np.int64(row["subject_name"])]
