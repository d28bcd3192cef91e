"""The life of a message: in: heads and body bytes of one stream; out: open transactions filled, handed out when both
sides are over.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.answers import read_answer, read_redirect
from sensor.protocols.http1.contents import keep_message
from sensor.protocols.http1.credentials import fingerprint, login_account
from sensor.protocols.http1.holds import held_start, release_hold
from sensor.protocols.http1.logins import argument_account, has_password
from sensor.protocols.http1.pairing import enqueue_request, enqueue_waiting, finish_if_done, finish_row, match
from sensor.protocols.http1.records import records_of, start_records
from sensor.protocols.http1.request import fill_request, is_unsafe, name_operation, note_asked, open_row, put_field
from sensor.protocols.http1.tables import (
    CLEAN_AT,
    CUT_OFF,
    SMALL_BODY_BYTES_MAX,
    Count,
    Field,
    JsonFlag,
    Method,
    Scalar,
    State,
    TunnelKind,
)
from sensor.protocols.http1.traits import Trait, path_traits, type_traits
from sensor.protocols.http1.tunnels import tell_tunnel
from sensor.schema import Anomaly, FlowFlag, Service, TransactionFlag
from sensor.structures.uid import flow_uid

_UNBOUNDED = -1


@inline_kernel
def is_client(t, stream_row):
    """Whether this stream sends requests."""
    return np.int64(t.http_flows[stream_row >> 1]["client"]) == (stream_row & 1)


@inline_kernel
def set_client(t, stream_row):
    """The stream's direction is the one that sends requests; the flow is HTTP's."""
    flow = t.http_flows[stream_row >> 1]
    if flow["client"] < 0:
        flow["client"] = stream_row & 1
        hi, lo = flow_uid(t.flows[stream_row >> 1])
        flow["uid_hi"] = hi
        flow["uid_lo"] = lo
        tracked = t.flows[stream_row >> 1]
        tracked["service"] = Service.HTTP
        if flow["client"] == 1 and tracked["flags"] & FlowFlag.ORIG_GUESSED != 0:
            tracked["flags"] = tracked["flags"] | FlowFlag.FLIPPED
        flow["misses"] = 0


@inline_kernel
def _start_body(stream, chunked, length):
    """The state behind a head: chunked, so many bytes, or no body (0)."""
    stream["body"] = 0
    stream["unknown"] = 0
    stream["known"] = 0
    if chunked:
        stream["state"] = State.CHUNK_SIZE
        stream["chunk_size"] = 0
        stream["line"] = 0
    elif length > 0:
        stream["state"] = State.LENGTH
        stream["known"] = 1
        stream["body"] = length
        stream["remaining"] = length
    else:
        stream["state"] = State.HEAD


@part_kernel
def set_lengths(t, stream_row, exact):
    """Write the body's length, or its bounds, into the stream's open row."""
    stream = t.http_streams[stream_row]
    row = t.open[stream["message"]]
    seen = np.int64(stream["body"])
    most = seen if stream["known"] != 0 else seen + stream["unknown"]
    if stream["known"] == CUT_OFF:
        most = _UNBOUNDED
    if stream["state"] == State.LENGTH:
        seen -= stream["remaining"]
    if not exact and (stream["state"] == State.CHUNK_SIZE or stream["state"] == State.CHUNK_DATA):
        most = _UNBOUNDED
    if not exact and stream["state"] == State.CLOSE:
        most = _UNBOUNDED
    if is_client(t, stream_row):
        row["request_body_len"] = seen
        row["request_body_max"] = most
        if most != seen:
            row["anomalies"] |= np.uint64(Anomaly.REQUEST_LENGTH_BOUND)
    else:
        row["response_body_len"] = seen
        row["response_body_max"] = most
        row["records"] = records_of(stream, seen)
        if most != seen:
            row["anomalies"] |= np.uint64(Anomaly.RESPONSE_LENGTH_BOUND)


@inline_kernel
def mark(t, stream_row, request_anomaly, response_anomaly):
    """Note an anomaly on the message that the stream is in, if it is in one."""
    stream = t.http_streams[stream_row]
    if stream["message"] >= 0:
        anomaly = request_anomaly if is_client(t, stream_row) else response_anomaly
        t.open[stream["message"]]["anomalies"] |= np.uint64(anomaly)


@inline_kernel
def _account_in(t, start, stop, named):
    """Fingerprint of the account that a body names, in the text of a GraphQL document too."""
    length = login_account(t.work, start, stop)
    if named and length == 0:
        length = argument_account(t.work, start, stop)
    return fingerprint(t.numbers, t.work, CLEAN_AT, length)


@part_kernel
def _note_request(t, stream, row):
    """What a request's body says of itself: who logs in, whose account is asked about, which operation is asked for."""
    start = held_start(stream)
    stop = start + np.int64(stream["hold_len"])
    named, logs_in = False, True
    if row["flags"] & TransactionFlag.LOGIN == 0:
        named, logs_in = name_operation(t, row, start, stop)
        note_asked(t, row, start, stop, named)
        traits = path_traits(t.pool, row["endpoint"])
        if not named:
            logs_in = traits & Trait.ACCOUNT == 0 and has_password(t.work, start, stop)
        if not logs_in and traits & Trait.ASKS == 0:
            return
    account = _account_in(t, start, stop, named)
    if account != 0:
        row["account"] = account
    if logs_in and (named or account != 0):
        row["flags"] = row["flags"] | TransactionFlag.LOGIN


@inline_kernel
def _wants_body(t, data, row, chunked, length):
    """Whether a request's body is looked at: a login's, a small form or JSON, a GraphQL query."""
    if not chunked and length <= 0:
        return False
    if row["flags"] & TransactionFlag.LOGIN != 0:
        return True
    field = t.numbers
    if row["flags"] & (TransactionFlag.LOGOUT | TransactionFlag.REFRESH) != 0:
        return False
    if not is_unsafe(data, field[Field.METHOD], field[Field.METHOD + 1]):
        return False
    if type_traits(t.pool, row["request_content_type"]) & (Trait.JSON | Trait.FORM) == 0:
        return False
    if not chunked and length <= SMALL_BODY_BYTES_MAX:
        return True
    return path_traits(t.pool, row["endpoint"]) & Trait.GRAPHQL != 0


@inline_kernel
def _answers_login(t, row, status):
    """Whether a response's body is looked at for a token or a refusal."""
    flags = row["flags"] & (TransactionFlag.LOGIN | TransactionFlag.REFRESH)
    if flags == 0 or t.numbers[Field.CODING + 1] != 0 or not (200 <= status < 300 or 400 <= status < 500):
        return False
    return row["account"] == 0 or row["account"] != row["user"]


@part_kernel
def end_message(t, stream_row, ts):
    """The stream's message is over; hand its transaction out if the other side is over too. The next thing is a head.
    """
    stream = t.http_streams[stream_row]
    message = np.int64(stream["message"])
    if message >= 0:
        row = t.open[message]
        set_lengths(t, stream_row, True)
        if is_client(t, stream_row):
            row["request_end_ts"] = max(ts, stream["latest"])
            row["flags"] = row["flags"] | TransactionFlag.REQUEST_DONE
            if stream["json_flags"] & JsonFlag.LOGIN != 0 and stream["hold"] > 0:
                _note_request(t, stream, row)
            stream["message"] = -1
            finish_if_done(t, message)
        else:
            row["response_end_ts"] = max(ts, stream["latest"])
            row["flags"] = row["flags"] | TransactionFlag.RESPONSE_DONE
            if stream["json_flags"] & JsonFlag.ANSWER != 0 and stream["hold"] > 0:
                start = held_start(stream)
                read_answer(t.numbers, t.work, start, start + np.int64(stream["hold_len"]), row)
            stream["message"] = -1
            if row["flags"] & TransactionFlag.REQUEST != 0:
                finish_if_done(t, message)
            elif t.links[message]["response"] == 0:
                finish_row(t, message)
    release_hold(t, stream)
    stream["json_flags"] = 0
    stream["state"] = State.HEAD


@inline_kernel
def awaits_body(t, stream_row, message):
    """Whether the stream sends this request, and nothing of its body was seen or lost yet."""
    stream = t.http_streams[stream_row]
    if stream["message"] != message or not is_client(t, stream_row) or stream["unknown"] != 0:
        return False
    if stream["state"] == State.LENGTH:
        return stream["remaining"] == stream["body"]
    return stream["state"] == State.CHUNK_SIZE and stream["body"] == 0 and stream["line"] == 0


@inline_kernel
def begin_request(t, data, stream_row, seq, head_end, ack, ts):
    """A request's head is whole: open its transaction, queue it, and see what follows."""
    stream = t.http_streams[stream_row]
    flow_row = stream_row >> 1
    set_client(t, stream_row)
    t.http_flows[flow_row]["depth"] += 1
    message = open_row(t, flow_row, seq, ack, ts)
    stream["message"] = message
    chunked = t.numbers[Field.CHUNKED] & 1 != 0
    length = t.numbers[Field.LENGTH]
    stream["json_flags"] = 0
    cut_off = False
    if message < 0:
        stream["broken"] = 1
    else:
        t.links[message]["broken"] = stream["broken"]
        stream["broken"] = 0
        fill_request(t, data, message)
        t.links[message]["head_end"] = head_end
        cut = t.numbers[Field.ANOMALIES] & (Anomaly.HEAD_TOO_LARGE | Anomaly.REQUEST_GAP) != 0
        t.links[message]["end"] = 0 if chunked or cut else head_end + max(length, 0)
        cut_off = cut and length < 0 and is_unsafe(data, t.numbers[Field.METHOD], t.numbers[Field.METHOD + 1])
        if chunked and length >= 0:
            t.open[message]["anomalies"] |= np.uint64(Anomaly.CL_TE)
        if _wants_body(t, data, t.open[message], chunked, length):
            stream["json_flags"] = JsonFlag.LOGIN
        if t.numbers[Scalar.KEEP] != 0 and keep_message(
            t, 2 * message, data, head_end - seq, length, chunked, False
        ):
            stream["json_flags"] = stream["json_flags"] | JsonFlag.KEEP
        base = head_end - seq - t.numbers[Field.URI + 1]
        http_flow = t.http_flows[flow_row]
        http_flow["base"] = min(http_flow["base"], base) if http_flow["base"] > 0 else base
        if t.links[message]["method"] == Method.HEAD:
            http_flow["heads"] = 1
        if chunked or length > 0:
            http_flow["bodies"] = 1
        enqueue_request(t, flow_row, message)
        stream["whole"] = t.links[message]["end"]
    release_hold(t, stream)
    _start_body(stream, chunked, length)
    if stream["state"] == State.HEAD:
        if cut_off:
            stream["known"] = CUT_OFF
        end_message(t, stream_row, ts)


@inline_kernel
def _interim(t, stream_row, seq, head_end):
    """1xx: the final response begins behind it."""
    first = np.int64(t.http_flows[stream_row >> 1]["first"])
    if first >= 0 and t.links[first]["ack"] == seq:
        t.links[first]["ack"] = head_end
    t.numbers[Count.INTERIM_RESPONSES] += 1
    stream = t.http_streams[stream_row]
    stream["state"] = State.HEAD
    stream["message"] = -1
    release_hold(t, stream)


@inline_kernel
def _fill_response(t, data, message, ts):
    row = t.open[message]
    row["flags"] = row["flags"] | TransactionFlag.RESPONSE
    row["response_ts"] = ts
    row["status_code"] = t.numbers[Field.STATUS]
    row["status_msg"] = put_field(t, data, Field.STATUS_MSG)
    row["response_content_type"] = put_field(t, data, Field.CONTENT_TYPE)
    row["anomalies"] |= np.uint64(t.numbers[Field.ANOMALIES])
    if t.numbers[Field.SESSION + 1] > 0:
        row["issued"] = fingerprint(t.numbers, data, t.numbers[Field.SESSION], t.numbers[Field.SESSION + 1])
    if t.numbers[Field.LOCATION + 1] > 0 and 300 <= t.numbers[Field.STATUS] < 400:
        read_redirect(t.numbers, data, row)
    if t.numbers[Field.CHUNKED] & 1 != 0 and t.numbers[Field.LENGTH] >= 0:
        row["anomalies"] |= np.uint64(Anomaly.CL_TE)
    if row["flags"] & TransactionFlag.REQUEST == 0:
        row["version"] = t.numbers[Field.VERSION]
    elif row["flags"] & TransactionFlag.REQUEST_DONE == 0:
        row["anomalies"] |= np.uint64(Anomaly.EARLY_RESPONSE)


@inline_kernel
def _response_row(t, stream_row, seq, ack, ts):
    """The open row for a response: its request's, or one of its own."""
    flow_row = stream_row >> 1
    http_flow = t.http_flows[flow_row]
    if http_flow["client"] < 0:
        set_client(t, stream_row ^ 1)
    stream = t.http_streams[stream_row]
    broken = np.int64(stream["broken"])
    stream["broken"] = 0
    request = match(t, flow_row, seq, ack, broken) if http_flow["waiting"] == 0 else -3
    if request >= 0:
        return request
    message = open_row(t, flow_row, seq, ack, ts)
    if message < 0:
        stream["broken"] = 1
        return -1
    t.links[message]["broken"] = broken
    if request == -3:
        t.links[message]["response"] = 1
        enqueue_waiting(t, flow_row, message)
    return message


@inline_kernel
def _open_tunnel(t, data, stream_row, used, head_end, ack, ts):
    """CONNECT was granted or the protocol switched: both directions are something else from here on."""
    kind = tell_tunnel(t, data, stream_row, used, head_end, ack, ts)
    end_message(t, stream_row, ts)
    other = t.http_streams[stream_row ^ 1]
    if other["message"] >= 0:
        end_message(t, stream_row ^ 1, ts)
    release_hold(t, other)
    state = State.INNER if kind == TunnelKind.CONNECT else State.OPAQUE
    t.http_streams[stream_row]["state"] = state
    other["state"] = state


@inline_kernel
def begin_response(t, data, stream_row, seq, head_end, ack, ts):
    """A response's head is whole: find its request, and see what follows."""
    stream = t.http_streams[stream_row]
    status = t.numbers[Field.STATUS]
    if 100 <= status < 200 and status != 101:
        _interim(t, stream_row, seq, head_end)
        return
    message = _response_row(t, stream_row, seq, ack, ts)
    stream["message"] = message
    t.numbers[Count.RESPONSES] += 1
    method, upgrade = np.int64(Method.OTHER), False
    json = False
    if message >= 0:
        _fill_response(t, data, message, ts)
        if status >= 400 and awaits_body(t, stream_row ^ 1, message):
            asking = t.http_streams[stream_row ^ 1]
            asking["json_flags"] = asking["json_flags"] | JsonFlag.SNIFF
        method = np.int64(t.links[message]["method"])
        upgrade = status == 101
        uncoded = t.numbers[Field.CODING + 1] == 0
        json = uncoded and type_traits(t.pool, t.open[message]["response_content_type"]) & Trait.JSON != 0
    bodiless = method == Method.HEAD or status == 204 or status == 304 or status == 101
    chunked = t.numbers[Field.CHUNKED] == 1 and not bodiless
    length = 0 if bodiless else t.numbers[Field.LENGTH]
    if t.numbers[Field.CHUNKED] == 3 and not bodiless:
        length = -1  # up to the end of the connection (RFC 9112, 6.3)
    keep = False
    if message >= 0 and t.numbers[Scalar.KEEP] != 0:
        to_end = not chunked and length < 0
        keep = keep_message(t, 2 * message + 1, data, head_end - seq, length, chunked, to_end)
    release_hold(t, stream)
    if upgrade or (method == Method.CONNECT and 200 <= status < 300):
        _start_body(stream, False, 0)
        _open_tunnel(t, data, stream_row, head_end - seq, head_end, ack, ts)
        return
    _start_body(stream, chunked, length)
    if message >= 0 and t.links[message]["response"] != 0 and not chunked and length >= 0:
        t.links[message]["end"] = head_end + length
    start_records(stream, json and not bodiless)
    if message >= 0 and not bodiless and _answers_login(t, t.open[message], status):
        stream["json_flags"] = stream["json_flags"] | JsonFlag.ANSWER
    if keep:
        stream["json_flags"] = stream["json_flags"] | JsonFlag.KEEP
    if message >= 0 and t.links[message]["response"] != 0 and stream["state"] == State.LENGTH:
        stream["json_flags"] = stream["json_flags"] | JsonFlag.SNIFF
    if stream["state"] == State.HEAD:
        if length < 0 and not bodiless:
            stream["state"] = State.CLOSE
        else:
            end_message(t, stream_row, ts)


@inline_kernel
def begin_message(t, data, stream_row, seq, head_end, ack, ts):
    """A head was parsed into `field`: go on as its kind demands."""
    if t.numbers[Field.RESPONSE] != 0:
        begin_response(t, data, stream_row, seq, head_end, ack, ts)
    else:
        begin_request(t, data, stream_row, seq, head_end, ack, ts)

