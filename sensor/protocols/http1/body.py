"""Reading bodies: in: bytes of a stream that is behind a head; out: the position behind what was used, the message
ended when it is over.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.answers import ANSWER_BYTES_MAX
from sensor.protocols.http1.contents import keep_body
from sensor.protocols.http1.escapes import hex_value
from sensor.protocols.http1.holds import hold_bytes
from sensor.protocols.http1.messages import end_message, is_client, mark
from sensor.protocols.http1.records import count_records
from sensor.protocols.http1.tables import LOGIN_BODY_BYTES_MAX, JsonFlag, State
from sensor.protocols.http1.words import is_hex
from sensor.schema import Anomaly

_CR, _LF, _SP, _HT, _SEMI = 13, 10, 32, 9, 59
_CHUNK_MAX = 1 << 48
_LINE_MAX = 8_192


@inline_kernel
def body_bytes(t, stream_row, data, start, stop):
    """Body bytes that somebody wants to look at."""
    stream = t.http_streams[stream_row]
    flags = stream["json_flags"]
    if flags & JsonFlag.KEEP != 0:
        message = np.int64(stream["message"])
        response = 0 if is_client(t, stream_row) else 1
        if message < 0 or not keep_body(t, 2 * message + response, data, start, stop):
            stream["json_flags"] = np.int64(stream["json_flags"]) & ~JsonFlag.KEEP
    if flags & JsonFlag.ACTIVE != 0 and flags & JsonFlag.STOPPED == 0:
        count_records(stream, data, start, stop)
    if flags & (JsonFlag.LOGIN | JsonFlag.ANSWER) != 0:
        most = LOGIN_BODY_BYTES_MAX if flags & JsonFlag.LOGIN != 0 else ANSWER_BYTES_MAX
        if stream["hold_len"] < most:
            hold_bytes(t, stream, data, start, min(stop - start, most - np.int64(stream["hold_len"])))


@inline_kernel
def keeps_behind_gap(t, stream_row):
    """Whether what comes behind lost bytes of a body is of use: not when it is coded."""
    message = np.int64(t.http_streams[stream_row]["message"])
    response = 0 if is_client(t, stream_row) else 1
    return message >= 0 and t.kept[2 * message + response]["coding"] == 0


@inline_kernel
def stop_counting(stream):
    """Bytes of the body are lost: its records are counted no further."""
    if stream["json_flags"] & JsonFlag.ACTIVE != 0:
        stream["json_flags"] = stream["json_flags"] | JsonFlag.STOPPED


@inline_kernel
def stop_reading(t, stream_row):
    """Bytes of the body are lost: what comes behind them is kept only if it is not coded."""
    stream = t.http_streams[stream_row]
    stop_counting(stream)
    if stream["json_flags"] & JsonFlag.KEEP != 0 and not keeps_behind_gap(t, stream_row):
        stream["json_flags"] = np.int64(stream["json_flags"]) & ~JsonFlag.KEEP


@part_kernel
def chunk_size(t, stream_row, data, start, stop):
    """The line with a chunk's size, byte by byte (RFC 9112, 7.1); extensions are passed over. `line` counts its bytes.
    """
    stream = t.http_streams[stream_row]
    i = start
    while i < stop:
        byte = at(data, i)
        i += 1
        if byte == _LF:
            if stream["line"] == 0 or stream["remaining"] < 0:
                mark(t, stream_row, Anomaly.CHUNK_INVALID, Anomaly.CHUNK_INVALID)
                stream["state"] = State.SYNC
                return i
            stream["remaining"] = stream["chunk_size"]
            stream["state"] = State.CHUNK_DATA if stream["chunk_size"] > 0 else State.TRAILER
            stream["line"] = 0
            return i
        if stream["line"] == 0:
            stream["chunk_size"] = 0
            stream["remaining"] = 0 if is_hex(byte) else -1
        if stream["remaining"] == 0:
            if is_hex(byte):
                stream["chunk_size"] = min(stream["chunk_size"] * 16 + hex_value(byte), _CHUNK_MAX)
            else:
                stream["remaining"] = 1 if byte == _CR or byte == _SEMI or byte == _SP or byte == _HT else -1
        stream["line"] += 1
        if stream["chunk_size"] >= _CHUNK_MAX or stream["line"] > _LINE_MAX or stream["remaining"] < 0:
            mark(t, stream_row, Anomaly.CHUNK_INVALID, Anomaly.CHUNK_INVALID)
            stream["state"] = State.SYNC
            return i
    return i


@part_kernel
def chunk_end(t, stream_row, data, start, stop):
    """The line break behind a chunk's data."""
    stream = t.http_streams[stream_row]
    i = start
    while i < stop:
        byte = at(data, i)
        if byte == _LF:
            stream["state"] = State.CHUNK_SIZE
            stream["line"] = 0
            stream["chunk_size"] = 0
            return i + 1
        if byte != _CR:
            mark(t, stream_row, Anomaly.CHUNK_INVALID, Anomaly.CHUNK_INVALID)
            stream["state"] = State.SYNC
            return i
        i += 1
    return i


@part_kernel
def trailer(t, stream_row, data, start, stop, ts):
    """Trailer lines up to the empty one, which ends the message."""
    stream = t.http_streams[stream_row]
    i = start
    while i < stop:
        byte = at(data, i)
        i += 1
        if byte == _LF:
            if stream["line"] == 0:
                end_message(t, stream_row, ts)
                return i
            stream["line"] = 0
        elif byte != _CR:
            stream["line"] += 1
    return i
