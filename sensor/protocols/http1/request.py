"""From a request's head to an open transaction: in: where its parts lie; out: a row with pool codes, and how the body
is framed.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1 import words
from sensor.protocols.http1.asked import is_mutation, only_reads, read_ids
from sensor.protocols.http1.credentials import (
    basic_user,
    fingerprint,
    is_basic,
    scheme_length,
    session_cookie,
)
from sensor.protocols.http1.logins import is_login_operation
from sensor.protocols.http1.operations import operation
from sensor.protocols.http1.pairing import lose_first
from sensor.protocols.http1.proxies import true_client
from sensor.protocols.http1.redact import clean
from sensor.protocols.http1.tables import CLEAN_AT, OPEN_STACK, Count, Field, Method, Scalar
from sensor.protocols.http1.targets import read_query
from sensor.protocols.http1.tokens import token_place, use_token
from sensor.protocols.http1.traits import SESSION_FLAGS, Trait, path_traits
from sensor.protocols.http1.uri import template
from sensor.protocols.http1.words import literal, put_word, short_word
from sensor.schema import TRANSACTION, Anomaly, FlowFlag, TokenFlag, TransactionFlag
from sensor.structures.bytesearch import copy_bytes, word_of
from sensor.structures.client_stack import ORDER_BITS, tcp_part
from sensor.structures.prefetch import prefetch
from sensor.structures.records import new_row
from sensor.structures.string_pool_kernels import expect, intern, is_printable

_COOKIE = literal("cookie")
_API_KEY = literal("api-key")
_QUERY = literal("query")
_NUMBER_SIGN = 0x23
_NEW_ROW = new_row(
    TRANSACTION, object_number=-1, page=-1, records=-1, request_messages=-1, response_messages=-1, grpc_status=-1
)


@part_kernel
def _code(pool, data, start, length, scratch):
    return np.uint32(intern(pool, data, start, length, scratch))


@inline_kernel
def put(t, data, start, length):
    """Pool code of data[start:start+length]."""
    return _code(t.pool, data, start, length, t.work)


@inline_kernel
def put_field(t, data, name):
    return put(t, data, t.numbers[name], t.numbers[name + 1])


@inline_kernel
def _put_literal(t, word, length):
    put_word(t.work, CLEAN_AT, word, length)
    return put(t, t.work, CLEAN_AT, length)


@inline_kernel
def put_clean(t, data, start, length):
    """Pool code of a target or referrer, its secrets replaced."""
    cleaned = clean(data, start, length, t.work, CLEAN_AT, t.numbers[Scalar.SHOW_SECRETS] != 0)
    if cleaned < 0:
        return put(t, data, start, length)
    return put(t, t.work, CLEAN_AT, cleaned)


@part_kernel
def open_row(t, flow_row, seq, ack, ts):
    """An open transaction on this flow, its client the side that sends requests; -1 when none is left."""
    http_flow = t.http_flows[flow_row]
    if t.numbers[Scalar.OPEN_FREE] == 0 and http_flow["first"] >= 0:
        lose_first(t, flow_row)
    if t.numbers[Scalar.OPEN_FREE] == 0:
        t.numbers[Count.OPEN_EXHAUSTED] += 1
        return -1
    t.numbers[Scalar.OPEN_FREE] -= 1
    message = np.int64(t.free[OPEN_STACK + t.numbers[Scalar.OPEN_FREE]])
    t.numbers[Scalar.OPEN_USED] = max(t.numbers[Scalar.OPEN_USED], message + 1)
    link = t.links[message]
    link["seq"] = seq
    link["head_end"] = seq
    link["end"] = 0
    link["ack"] = ack
    link["next"] = -1
    link["flow"] = http_flow["flow"]
    link["method"] = Method.OTHER
    link["response"] = 0
    link["upgrade"] = 0
    link["broken"] = 0
    link["lost"] = 0
    t.open[message] = _NEW_ROW[0]
    row = t.open[message]
    flow = t.flows[np.int64(http_flow["flow"])]
    row["ts"] = ts
    row["uid_hi"] = http_flow["uid_hi"]
    row["uid_lo"] = http_flow["uid_lo"]
    if http_flow["client"] == 0:
        row["client_hi"], row["client_lo"], row["client_port"] = flow["orig_hi"], flow["orig_lo"], flow["orig_port"]
        row["server_hi"], row["server_lo"], row["server_port"] = flow["resp_hi"], flow["resp_lo"], flow["resp_port"]
    else:
        row["client_hi"], row["client_lo"], row["client_port"] = flow["resp_hi"], flow["resp_lo"], flow["resp_port"]
        row["server_hi"], row["server_lo"], row["server_port"] = flow["orig_hi"], flow["orig_lo"], flow["orig_port"]
    row["peer_hi"], row["peer_lo"] = row["client_hi"], row["client_lo"]
    row["flow"] = flow["serial"]
    row["vlan"] = flow["vlan"]
    row["tunnel"] = flow["tunnel"]
    row["tunnel_id"] = flow["tunnel_id"]
    row["proto"] = flow["proto"]
    row["trans_depth"] = http_flow["depth"]
    if flow["flags"] & FlowFlag.MIDSTREAM != 0 and http_flow["depth"] <= 1:
        row["anomalies"] = np.uint64(Anomaly.MIDSTREAM)
    return message


@inline_kernel
def _stands_for(t, data, start, length, mark, row):
    """The columns of whom a token, whose fingerprint the row has, stands for."""
    name, name_len = use_token(t, data, start, length, row)
    if t.numbers[Scalar.SHOW_NAMES] != 0:
        row["subject_name"] = put(t, t.work, name, name_len)
    row["token_flags"] = row["token_flags"] | mark


@inline_kernel
def _authorization(t, data, row):
    """Authorization: Basic names a user; whatever else there is stands for one: returns where that is."""
    field = t.numbers
    start, length = field[Field.AUTHORIZATION], field[Field.AUTHORIZATION + 1]
    name = scheme_length(data, start, start + length)
    value = start + name
    while value < start + length and at(data, value) == 0x20:
        value += 1
    if name > 0:
        for i in range(name):
            t.work[CLEAN_AT + i] = np.uint8(words.lower(at(data, start + i)))
        row["auth_scheme"] = put(t, t.work, CLEAN_AT, name)
    if is_basic(data, start, name):
        user = basic_user(data, value, start + length, t.work)
        row["user"] = fingerprint(t.numbers, t.work, 0, user)
        row["account"] = row["user"]
        row["subject"] = row["user"]
        row["flags"] = row["flags"] | TransactionFlag.LOGIN
        if field[Scalar.SHOW_NAMES] != 0:
            copy_bytes(t.work, 0, user, t.work, CLEAN_AT)
            row["subject_name"] = put(t, t.work, CLEAN_AT, user)
        return value, 0
    return value, start + length - value


@inline_kernel
def _credential(t, data, row):
    """Who asks: the first of Authorization, an API-key header, a session cookie, and a token in the target.

    Returns (start, length, TokenFlag) of what stands for somebody, whose fingerprint the row has then; length 0: none.
    """
    field = t.numbers
    if field[Field.AUTHORIZATION + 1] > 0:
        start, length = _authorization(t, data, row)
        if length > 0:
            row["user"] = fingerprint(t.numbers, data, start, length)
        return start, length, 0
    start, length, mark = field[Field.API_KEY], field[Field.API_KEY + 1], 0
    word, size = _API_KEY, 7
    if length == 0 and field[Field.COOKIE + 1] > 0:
        start, length = session_cookie(data, field[Field.COOKIE], field[Field.COOKIE] + field[Field.COOKIE + 1])
        word, size, mark = _COOKIE, 6, np.int64(TokenFlag.COOKIE)
    if length == 0 and field[Scalar.SECRET_LEN] > 0:
        start, length = field[Scalar.SECRET], field[Scalar.SECRET_LEN]
        word, size, mark = _QUERY, 5, np.int64(TokenFlag.IN_URL)
    if length > 0:
        row["auth_scheme"] = _put_literal(t, word, size)
        row["user"] = fingerprint(t.numbers, data, start, length)
    return start, length, mark


@inline_kernel
def _read_target(t, data, row, uri, uri_len):
    """The columns of the request target: the text, its template, and what it asks for."""
    field = t.numbers
    row["uri"] = put_clean(t, data, uri, uri_len)
    end = template(data, uri, uri + uri_len, t.work, CLEAN_AT, field)
    row["endpoint"] = put(t, t.work, CLEAN_AT, end - CLEAN_AT)
    if field[Scalar.QUERY] + 1 < uri + uri_len and read_query(field, data, field[Scalar.QUERY] + 1, uri + uri_len):
        row["flags"] = row["flags"] | TransactionFlag.URL_SECRET
    row["object_id"] = np.uint64(field[Scalar.OBJECT_ID])
    row["object_number"] = field[Scalar.OBJECT_NUMBER]
    row["page"] = field[Scalar.PAGE]


@inline_kernel
def _method_kind(data, start, length):
    if length == 4 and word_of(data, start, 4) == words.HTTP_METHOD_HEAD:
        return Method.HEAD
    if length == 7 and word_of(data, start, 7) == words.HTTP_METHOD_CONNECT:
        return Method.CONNECT
    return Method.OTHER


@inline_kernel
def is_unsafe(data, start, length):
    """POST, PUT, PATCH: methods that carry a form."""
    return length >= 3 and short_word(data, start, 1) == np.uint64(0x70)


@inline_kernel
def fill_request(t, data, message):
    """Everything the head says, into the open row."""
    field = t.numbers
    row = t.open[message]
    link = t.links[message]
    uri, uri_len = field[Field.URI], field[Field.URI + 1]
    method, method_len = field[Field.METHOD], field[Field.METHOD + 1]
    row["flags"] = TransactionFlag.REQUEST
    row["anomalies"] |= np.uint64(field[Field.ANOMALIES])
    if not is_printable(data, uri, uri_len):
        row["anomalies"] |= np.uint64(Anomaly.NONASCII_URI)
    row["version"] = field[Field.VERSION]
    expect(t.pool, data, uri, uri_len)
    row["method"] = put(t, data, method, method_len)
    _read_target(t, data, row, uri, uri_len)
    token, token_len, mark = _credential(t, data, row)
    if token_len > 0:
        prefetch(t.tokens, token_place(t, row["user"]))
    row["host"] = put_field(t, data, Field.HOST)
    row["user_agent"] = put_field(t, data, Field.USER_AGENT)
    row["referrer"] = put_clean(t, data, field[Field.REFERRER], field[Field.REFERRER + 1])
    row["request_content_type"] = put_field(t, data, Field.CONTENT_TYPE)
    flow = t.flows[link["flow"]]
    tcp = tcp_part(np.int64(flow["stack"]), np.int64(flow["ttl"]))
    if len(t.proxies) > 0:
        true_client(t.proxies, field, data, t.http_flows[link["flow"]], row)
        if row["client_lo"] != row["peer_lo"] or row["client_hi"] != row["peer_hi"]:
            tcp = 0
    row["stack"] = np.uint64((tcp << ORDER_BITS) | field[Field.ORDER])
    cut = field[Field.ANOMALIES] & (Anomaly.HEAD_TOO_LARGE | Anomaly.REQUEST_GAP) != 0
    if field[Field.VERSION] == 11 and field[Field.HOST + 1] == 0 and not cut:
        row["anomalies"] |= np.uint64(Anomaly.HOST_MISSING)
    link["method"] = _method_kind(data, method, method_len)
    link["upgrade"] = 1 if field[Field.UPGRADE] != 0 or link["method"] == Method.CONNECT else 0
    if token_len > 0:
        _stands_for(t, data, token, token_len, mark, row)
    if is_unsafe(data, method, method_len):
        row["flags"] = row["flags"] | (path_traits(t.pool, row["endpoint"]) & SESSION_FLAGS)
    t.numbers[Count.REQUESTS] += 1


@inline_kernel
def name_operation(t, row, start, stop):
    """Join the operation that the body at work[start:stop] names to the endpoint, if it names one; whether it does, and
    whether that is a login.
    """
    entry = t.pool.entries[np.int64(row["endpoint"])]
    begin, length = np.int64(entry["start"]), np.int64(entry["length"])
    graphql = path_traits(t.pool, row["endpoint"]) & Trait.GRAPHQL != 0
    name, name_len = operation(t.work, start, stop, graphql)
    if name_len > 0:
        copy_bytes(t.pool.bytes, begin, length, t.work, CLEAN_AT)
        t.work[CLEAN_AT + length] = np.uint8(_NUMBER_SIGN)
        copy_bytes(t.work, name, name_len, t.work, CLEAN_AT + length + 1)
        row["endpoint"] = put(t, t.work, CLEAN_AT, length + 1 + name_len)
    named = name_len > 0 or graphql
    return named, named and is_login_operation(t.work, name, name + name_len, t.work, start, stop)


@inline_kernel
def note_asked(t, row, start, stop, operation_named):
    """The objects that the body at work[start:stop] asks for, where the target names none."""
    if row["object_id"] != 0:
        return
    entry = t.pool.entries[np.int64(row["endpoint"])]
    begin, length = np.int64(entry["start"]), np.int64(entry["length"])
    if operation_named and not is_mutation(t.work, start, stop):
        read_ids(t.numbers, t.work, start, stop, 2)
    elif not operation_named and only_reads(t.pool.bytes, begin, begin + length):
        read_ids(t.numbers, t.work, start, stop, 1)
    else:
        return
    row["object_id"] = np.uint64(t.numbers[Scalar.OBJECT_ID])
    row["object_number"] = t.numbers[Scalar.OBJECT_NUMBER]
