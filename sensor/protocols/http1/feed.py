"""The loop of HTTP/1: in: bytes of a stream in order; out: its messages begun, filled and ended.

The one law: what a stream's bytes mean depends on the bytes and on what the other stream has shown up to then, never on
how they were cut into segments; and what was lost costs the messages it lay in and nothing else.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.limits import HEAD_BYTES_MAX
from sensor.protocols.http1.bodiless import drop_body, refuse_body
from sensor.protocols.http1.body import body_bytes, chunk_end, chunk_size, stop_counting, stop_reading, trailer
from sensor.protocols.http1.cut_lines import CUT_TARGET, forget_endpoint, read_cut_line
from sensor.protocols.http1.head import INCOMPLETE, looks_like_head, parse_head
from sensor.protocols.http1.holds import has_end, held_start, hold_bytes, release_hold
from sensor.protocols.http1.messages import awaits_body, begin_message, end_message, is_client, mark, set_lengths
from sensor.protocols.http1.pairing import drop_first, finish_row, match, note_hole
from sensor.protocols.http1.proxies import skip_proxy_header
from sensor.protocols.http1.settle import resolve_waiting
from sensor.protocols.http1.start import reset_flow
from sensor.protocols.http1.tables import (
    LATE_MISSES,
    MISSES_MAX,
    Count,
    Field,
    Handover,
    JsonFlag,
    Scalar,
    State,
    Waits,
)
from sensor.protocols.http1.tunnels import hello_at, leave_to_tls, look_inside
from sensor.protocols.http2.frames import begins_with_frames, begins_with_settings, is_preface, may_be_preface
from sensor.schema import Anomaly, ChunkKind, FlowFlag, Service

_CR, _LF, _H = 13, 10, 0x48


@inline_kernel
def _is_unbroken(t, stream_row):
    """Whether the flow was seen from its handshake on, and nothing of it was lost."""
    if t.flows[stream_row >> 1]["flags"] & FlowFlag.MIDSTREAM != 0:
        return False
    return t.http_streams[stream_row]["broken"] == 0 and t.http_streams[stream_row ^ 1]["broken"] == 0


@inline_kernel
def _miss(t, stream_row):
    """Bytes that are not HTTP where a message could begin: after too many the flow is somebody else's."""
    flow = t.http_flows[stream_row >> 1]
    flow["misses"] += 1
    if flow["misses"] >= MISSES_MAX and flow["client"] < 0 and _is_unbroken(t, stream_row):
        t.flows[stream_row >> 1]["service"] = Service.NOT_HTTP
        t.numbers[Count.NOT_HTTP_FLOWS] += 1
        reset_flow(t, stream_row >> 1)


@inline_kernel
def suppose_waiting(flow):
    """The rest of a head is not read, but no packet was lost: the client's manner is as good as seen."""
    if flow["waits"] == Waits.UNKNOWN and flow["ahead"] == 0:
        flow["waits"] = Waits.EACH


@part_kernel
def lose_framing(t, stream_row):
    """The end of the present message is not known any more: look for the next head."""
    stream = t.http_streams[stream_row]
    stop_counting(stream)
    release_hold(t, stream)
    stream["state"] = State.SYNC
    stream["broken"] = max(stream["broken"], 1)


@part_kernel
def _end_lost_message(t, stream_row, ts):
    """A new head was found while the end of the message before it was unknown."""
    stream = t.http_streams[stream_row]
    t.numbers[Count.RESYNCHRONISED] += 1
    if stream["message"] >= 0:
        end_message(t, stream_row, ts)
    stream["state"] = State.HEAD


@part_kernel
def hand_over(t, stream_row, how, position, held):
    """What follows is HTTP/2's: the caller goes on from `position`, where `held` bytes before it count already."""
    t.numbers[Scalar.HANDOVER] = how
    t.numbers[Scalar.HANDOVER_AT] = position
    t.numbers[Scalar.HANDOVER_HELD] = held
    t.numbers[Scalar.HANDOVER_MESSAGE] = -1
    release_hold(t, t.http_streams[stream_row])
    release_hold(t, t.http_streams[stream_row ^ 1])


@inline_kernel
def _speaks_http2(t, stream_row, data, position, stop):
    """Whether frames of HTTP/2 begin where no head of HTTP/1 does; if so they are handed over."""
    if at(data, position) != 0 or t.http_flows[stream_row >> 1]["client"] >= 0:
        return False
    stream = t.http_streams[stream_row]
    if _is_unbroken(t, stream_row):
        begins = stream["state"] == State.INIT and begins_with_settings(data, position, stop)
        if begins:
            hand_over(t, stream_row, Handover.SETTINGS, position, 0)
        return begins
    if not begins_with_frames(data, position, stop):
        return False
    hand_over(t, stream_row, Handover.FRAMES, position, 0)
    return True


@inline_kernel
def _head(t, stream_row, data, position, stop, seq, ack, ts, final):
    """Bytes at which a head begins or goes on; returns the position behind what was used.

    `final`: a ChunkKind when nothing more will come, so that what is on hold is all there is of it.
    """
    lost = final == ChunkKind.GAP
    stream = t.http_streams[stream_row]
    held = np.int64(stream["hold_len"]) if stream["hold"] > 0 else 0
    buffer, begin, end = data, position, min(stop, position + HEAD_BYTES_MAX)
    final = final != 0 or end < stop
    if held > 0:
        taken = hold_bytes(t, stream, data, position, stop - position)
        begin = held_start(stream)
        buffer, end = t.work, begin + held + taken
        seq, ack, ts = stream["hold_seq"], stream["hold_ack"], stream["hold_ts"]
        final = final or taken < stop - position
        if not final and not has_end(t.work, max(begin, begin + held - 3), end):
            return stop
    if is_preface(buffer, begin, end):
        hand_over(t, stream_row, Handover.PREFACE, position, held)
        return stop
    result = parse_head(buffer, begin, end, final, t.numbers)
    if result < 0 and may_be_preface(buffer, begin, end):
        result = INCOMPLETE
    client = np.int64(t.http_flows[stream_row >> 1]["client"])
    if result == INCOMPLETE and not final:
        if held == 0 and client == stream_row & 1 ^ 1 and at(data, position) != _H:  # a body that no answer may have
            lose_framing(t, stream_row)
        elif held == 0:
            stream["hold_seq"], stream["hold_ack"], stream["hold_ts"] = seq, ack, ts
            if hold_bytes(t, stream, data, position, stop - position) < stop - position:
                lose_framing(t, stream_row)
        return stop
    line = 0
    if lost and result == INCOMPLETE:
        line = read_cut_line(buffer, begin, end, client, client == (stream_row & 1), t.numbers)
        result = end if line != 0 else result
    asks = t.numbers[Field.RESPONSE] == 0
    if result < 0 or (client >= 0 and asks != (client == (stream_row & 1))):
        lose_framing(t, stream_row)
        _miss(t, stream_row)
        return stop
    used = result - begin
    cut = final and result == end
    if cut:
        gap_anomaly = Anomaly.REQUEST_GAP if t.numbers[Field.RESPONSE] == 0 else Anomaly.RESPONSE_GAP
        too_large = held + stop - position > HEAD_BYTES_MAX
        if too_large or t.numbers[Field.VERSION] != 9 or t.numbers[Field.RESPONSE] != 0:
            t.numbers[Field.ANOMALIES] |= Anomaly.HEAD_TOO_LARGE if too_large else gap_anomaly
    switched = t.numbers[Field.RESPONSE] != 0 and t.numbers[Field.STATUS] == 101 and t.numbers[Field.UPGRADE] == 2
    request = match(t, stream_row >> 1, seq, ack, np.int64(stream["broken"])) if switched else -1
    if request < 0:
        begin_message(t, buffer, stream_row, seq, seq + used, ack, ts)
    if switched:
        hand_over(t, stream_row, Handover.UPGRADE, position + used - held, 0)
        t.numbers[Scalar.HANDOVER_MESSAGE] = request
        return stop
    if cut:
        if line == CUT_TARGET:
            forget_endpoint(t, stream_row >> 1)
        if used >= HEAD_BYTES_MAX:
            suppose_waiting(t.http_flows[stream_row >> 1])
        lose_framing(t, stream_row)
        return stop
    return position + used - held


@inline_kernel
def _speaks_tls(t, stream_row, data, position, stop, seq, ack, ts):
    """Whether TLS begins where no head does, on a flow that is not HTTP's; if so it is left to TLS."""
    if t.http_flows[stream_row >> 1]["client"] >= 0:
        return False
    begin = hello_at(data, position, stop)
    if begin < 0:
        return False
    leave_to_tls(t, stream_row, at(data, begin + 5), seq + begin - position, ack, ts)
    reset_flow(t, stream_row >> 1)
    return True


@inline_kernel
def _find_head(t, stream_row, data, position, stop, seq, ack, ts):
    """At a segment's start, before anything is known or after a loss: is this a head? False when it is not."""
    stream = t.http_streams[stream_row]
    kind = looks_like_head(data, position, stop)
    flow = t.http_flows[stream_row >> 1]
    client = np.int64(flow["client"])
    if flow["misses"] >= LATE_MISSES and client < 0 and _is_unbroken(t, stream_row):
        kind = 0  # what somebody else's protocol carries: the text of a mail, of a file, of a database
    fresh = stream["state"] == State.INIT
    if kind == 4:
        kind = 1 if fresh else 0
    wanted = 3 if client < 0 else (1 if client == (stream_row & 1) else 2)
    if kind == 0 and (
        _speaks_http2(t, stream_row, data, position, stop)
        or _speaks_tls(t, stream_row, data, position, stop, seq, ack, ts)
    ):
        return False
    if kind == 0 or (kind < 3 and wanted < 3 and kind != wanted) or (kind == 3 and not fresh):
        if fresh:
            stream["state"] = State.SYNC
        _miss(t, stream_row)
        return False
    if fresh:
        if t.flows[stream_row >> 1]["flags"] & FlowFlag.MIDSTREAM != 0:
            stream["broken"] = 1
        stream["state"] = State.HEAD
    else:
        _end_lost_message(t, stream_row, ts)
    return True


@inline_kernel
def feed(t, stream_row, data, position, stop, seq, ack, ts, final):
    """Bytes in order: work through every message they touch. `final`: none, but a head on hold is not going to grow, as
    a chunk of that kind says.
    """
    stream = t.http_streams[stream_row]
    if final != 0:
        stop = position
    else:
        stream["delivered"] = seq + stop - position
    origin = seq - position
    ended = ts  # of a message that ends in here
    if stream["state"] == State.INIT and final == 0:
        position = skip_proxy_header(data, position, stop, t.http_flows[stream_row >> 1])
        if position == stop:
            return
    if (stream["state"] == State.SYNC or stream["state"] == State.INIT) and final == 0 and not _find_head(
        t, stream_row, data, position, stop, origin + position, ack, ts
    ):
        if t.numbers[Scalar.HANDOVER] != 0 or t.flows[stream_row >> 1]["service"] == Service.SSL:
            return
        stream["unknown"] += stop - position
        t.numbers[Count.SKIPPED_BYTES] += stop - position
        return
    while position < stop or final != 0:
        state = np.int64(stream["state"])
        if state == State.HEAD:
            if stream["hold"] == 0:  # line breaks behind the last message belong to none (RFC 9112, 2.2)
                while position < stop and (at(data, position) == _CR or at(data, position) == _LF):
                    position += 1
                if position == stop and final == 0:
                    return
            position = _head(t, stream_row, data, position, stop, origin + position, ack, ts, final)
            if final != 0:
                return
        elif state == State.LENGTH and stream["json_flags"] & JsonFlag.SNIFF != 0:
            stream["json_flags"] = np.uint8(np.int64(stream["json_flags"]) & ~JsonFlag.SNIFF)
            later = stream["message"] >= 0 and ack > t.links[stream["message"]]["ack"]
            kind = looks_like_head(data, position, stop) if later else 0
            if kind == 1 and awaits_body(t, stream_row, np.int64(stream["message"])):
                refuse_body(t, stream_row)
                ended = 0
            elif kind == 2 and not is_client(t, stream_row):
                drop_body(t, stream_row)
        elif state == State.LENGTH or state == State.CHUNK_DATA:
            taken = min(stream["remaining"], stop - position)
            body_bytes(t, stream_row, data, position, position + taken)
            stream["remaining"] -= taken
            position += taken
            if state == State.CHUNK_DATA:
                stream["body"] += taken
                if stream["remaining"] == 0:
                    stream["state"] = State.CHUNK_END
            elif stream["remaining"] == 0:
                end_message(t, stream_row, ended)
                ended = ts
        elif state == State.CHUNK_SIZE:
            position = chunk_size(t, stream_row, data, position, stop)
            if stream["state"] == State.SYNC:
                lose_framing(t, stream_row)
        elif state == State.CHUNK_END:
            position = chunk_end(t, stream_row, data, position, stop)
            if stream["state"] == State.SYNC:
                lose_framing(t, stream_row)
        elif state == State.TRAILER:
            position = trailer(t, stream_row, data, position, stop, ts)
        elif state == State.CLOSE:
            body_bytes(t, stream_row, data, position, stop)
            stream["body"] += stop - position
            return
        elif state == State.OPAQUE:
            t.numbers[Count.TUNNEL_BYTES] += stop - position
            return
        elif state == State.INNER:
            look_inside(t, stream_row, data, position, stop)
        else:
            stream["unknown"] += stop - position
            t.numbers[Count.SKIPPED_BYTES] += stop - position
            return


@part_kernel
def gap(t, stream_row, length, seq, ts):
    """Bytes that nobody saw: sizes stay right where framing allows, else the next head is looked for."""
    stream = t.http_streams[stream_row]
    stream["delivered"] = seq + length
    state = np.int64(stream["state"])
    if state == State.OPAQUE:
        t.numbers[Count.TUNNEL_BYTES] += length
        return
    if state == State.INNER:
        stream["state"] = State.SYNC
        return
    mark(t, stream_row, Anomaly.REQUEST_GAP, Anomaly.RESPONSE_GAP)
    if stream["message"] >= 0:
        row = t.open[stream["message"]]
        within = min(length, stream["remaining"]) if state == State.LENGTH else length
        if is_client(t, stream_row):
            row["request_missing_bytes"] += within
        else:
            row["response_missing_bytes"] += within
    stop_reading(t, stream_row)
    if state == State.CLOSE:
        stream["body"] += length
    elif (state == State.LENGTH or state == State.CHUNK_DATA) and length <= stream["remaining"]:
        stream["remaining"] -= length
        if state == State.CHUNK_DATA:
            stream["body"] += length
            if stream["remaining"] == 0:
                stream["state"] = State.CHUNK_END
        elif stream["remaining"] == 0:
            end_message(t, stream_row, ts)
    elif state == State.LENGTH:
        note_hole(t, stream_row, seq + stream["remaining"])
        stream["remaining"] = 0
        end_message(t, stream_row, ts)
        stream["broken"] = 2
        lose_framing(t, stream_row)
    elif state == State.INIT:
        stream["state"] = State.SYNC
        joined = t.flows[stream_row >> 1]["flags"] & FlowFlag.MIDSTREAM != 0
        stream["broken"] = 1 if joined else 2
        stream["whole"] = 0 if joined else seq
    else:
        stream["unknown"] += length
        if state == State.HEAD and stream["hold"] == 0:
            note_hole(t, stream_row, seq)
            stream["broken"] = 2
        lose_framing(t, stream_row)


@part_kernel
def leave_unfinished(t, stream_row):
    """Nothing more will come from this side: its message, if one is open, is unfinished."""
    stream = t.http_streams[stream_row]
    message = np.int64(stream["message"])
    if message < 0:
        return
    mark(t, stream_row, Anomaly.REQUEST_UNFINISHED, Anomaly.RESPONSE_UNFINISHED)
    set_lengths(t, stream_row, False)


@inline_kernel
def stop_message(t, stream_row):
    """The connection ends: a request that was refused before its body is whole, any other message is unfinished."""
    message = np.int64(t.http_streams[stream_row]["message"])
    if message >= 0 and t.open[message]["status_code"] >= 400 and awaits_body(t, stream_row, message):
        refuse_body(t, stream_row)
        end_message(t, stream_row, 0)
    else:
        leave_unfinished(t, stream_row)


@part_kernel
def finish_messages(t, flow_row):
    """The flow is over: hand out everything that is open."""
    flow = t.http_flows[flow_row]
    resolve_waiting(t, flow_row, True)
    if flow["client"] >= 0:
        server = t.http_streams[2 * flow_row + 1 - np.int64(flow["client"])]
        client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
        answering = np.int64(server["message"])
        asking = np.int64(client["message"])
        server["message"] = -1
        if answering >= 0:
            if asking == answering:
                client["message"] = -1
            finish_row(t, answering)
        while flow["first"] >= 0:
            drop_first(t, flow_row)
        asking = np.int64(client["message"])
        if asking >= 0:
            client["message"] = -1
            finish_row(t, asking)
