"""Questions and answers put together: in: messages; out: a lookup for each question, with its answer or without.

A question waits for the message with its id in its flow that has its name (or none, as some errors do). The one law:
lookups leave in order of `now`, whatever the batches: who waits too long is told before what came later is read.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.dns.messages_kernel import (
    HEADER_BYTES,
    RESPONSE,
    count_records,
    flags_of,
    is_header,
    read_questions,
    read_records,
)
from sensor.protocols.dns.names_kernel import put_name, u16
from sensor.protocols.dns.tables import (
    ANSWERS,
    ANSWERS_PER_ROW,
    NAME_BYTES,
    NAME_TEXT_BYTES,
    ROWS,
    TEXT_BYTES,
    TEXT_BYTES_PER_ROW,
    TIMEOUT_NS,
    Count,
    Scalar,
)
from sensor.schema import Proto, Service
from sensor.schema_dns import LookupFlag
from sensor.structures.bytesearch import copy_bytes
from sensor.structures.hash_table import find_row, following, home, insert, remove, row_of, same_tag
from sensor.structures.hashing import finish, mix
from sensor.structures.uid import flow_uid

_PORTS = (53, 5353, 5355)


@inline_kernel
def has_room(t):
    """Whether two lookups can be told: one that gives way, and one that is answered."""
    return (
        t.numbers[Scalar.ROWS] + 2 <= ROWS
        and t.numbers[Scalar.ANSWERS] + ANSWERS_PER_ROW <= ANSWERS
        and t.numbers[Scalar.TEXTS] + 2 * NAME_TEXT_BYTES + TEXT_BYTES_PER_ROW <= TEXT_BYTES
    )


@inline_kernel
def _key(serial, asker, trans_id):
    """Of a flow, the direction that asks, and an id."""
    return finish(mix(np.uint64(2 * serial + asker), np.uint64(trans_id)))


@part_kernel
def _forget(t, place):
    """Take a question out of the index and of the order in which they came."""
    remove(t.slots, find_row(t.slots, t.hashes[place], place))
    before, after = np.int64(t.order[2 * place + 1]), np.int64(t.order[2 * place])
    if before >= 0:
        t.order[2 * before] = after
    else:
        t.numbers[Scalar.FIRST] = after
    if after >= 0:
        t.order[2 * after + 1] = before
    else:
        t.numbers[Scalar.LAST] = before
    t.free[t.numbers[Scalar.FREE]] = place
    t.numbers[Scalar.FREE] += 1


@part_kernel
def _put_query(t, row, names, place, length):
    begin = t.numbers[Scalar.TEXTS]
    row["query"] = begin
    end = put_name(names, place, length, begin + NAME_TEXT_BYTES, t.texts, begin)
    row["query_length"] = end - begin
    t.numbers[Scalar.TEXTS] = end


@part_kernel
def _tell_unanswered(t, now):
    """The question that waits for longest is told as it is."""
    place = t.numbers[Scalar.FIRST]
    number = t.numbers[Scalar.ROWS]
    t.rows[number] = t.pending[place]
    row = t.rows[number]
    _put_query(t, row, t.names, place * NAME_BYTES, np.int64(row["query_length"]))
    row["answer"] = t.numbers[Scalar.ANSWERS]
    row["now"] = now
    _forget(t, place)
    t.numbers[Scalar.ROWS] += 1
    t.counts[Count.LOOKUPS] += 1
    t.counts[Count.UNANSWERED] += 1


@part_kernel
def expire(t, now):
    """Tell the questions that have waited long enough at packet time `now`; False when there is no room for all."""
    while t.numbers[Scalar.FIRST] >= 0:
        deadline = t.pending[t.numbers[Scalar.FIRST]]["now"] + TIMEOUT_NS
        if deadline > now:
            return True
        if not has_room(t):
            return False
        _tell_unanswered(t, deadline)
    return True


@part_kernel
def _find(t, serial, asker, trans_id, qtype):
    """Row of the question that waits with this id and, where a name was read, with it and this type; -1 when none."""
    hashed = _key(serial, asker, trans_id)
    length, name_hash = t.numbers[Scalar.NAME_LENGTH], np.uint64(t.numbers[Scalar.NAME_HASH])
    position = home(t.slots, hashed)
    while t.slots[position] != 0:
        if same_tag(t.slots[position], hashed):
            place = row_of(t.slots[position])
            row = t.pending[place]
            alike = length == 0 or (row["name_hash"] == name_hash and row["qtype"] == qtype)
            if alike and t.hashes[place] == hashed and row["flow"] == serial and row["trans_id"] == trans_id:
                return place
        position = following(t.slots, position)
    return -1


@part_kernel
def _begin(t, row, stream_row, response, ts, now, trans_id, opcode, qtype, qclass):
    """What a message and its flow say of a lookup, whichever comes first."""
    flow = t.flows[stream_row >> 1]
    if (stream_row & 1 == 0) != response:
        row["client_hi"], row["client_lo"], row["client_port"] = flow["orig_hi"], flow["orig_lo"], flow["orig_port"]
        row["server_hi"], row["server_lo"], row["server_port"] = flow["resp_hi"], flow["resp_lo"], flow["resp_port"]
    else:
        row["client_hi"], row["client_lo"], row["client_port"] = flow["resp_hi"], flow["resp_lo"], flow["resp_port"]
        row["server_hi"], row["server_lo"], row["server_port"] = flow["orig_hi"], flow["orig_lo"], flow["orig_port"]
    uid_hi, uid_lo = flow_uid(flow)
    row["uid_hi"], row["uid_lo"], row["flow"] = uid_hi, uid_lo, flow["serial"]
    row["ts"], row["now"], row["rtt"] = ts, now, -1
    row["proto"], row["vlan"], row["tunnel"], row["tunnel_id"] = (
        flow["proto"], flow["vlan"], flow["tunnel"], flow["tunnel_id"],
    )  # fmt: skip
    row["trans_id"], row["qtype"], row["qclass"], row["opcode"] = trans_id, qtype, qclass, opcode
    row["name_hash"] = np.uint64(t.numbers[Scalar.NAME_HASH])
    row["query_length"] = t.numbers[Scalar.NAME_LENGTH]
    row["query"] = row["answer"] = row["query_bytes"] = row["response_bytes"] = 0
    row["answers"] = row["answer_count"] = row["authority_count"] = row["additional_count"] = 0
    row["queries"] = row["rcode"] = row["edns_bytes"] = row["flags"] = 0


@inline_kernel
def _note_end(t, row, cut):
    """The records of a message end too early."""
    row["flags"] = row["flags"] | (LookupFlag.CUT if cut else LookupFlag.MALFORMED)
    t.counts[Count.MALFORMED] += 0 if cut else 1


@part_kernel
def _ask(t, stream_row, data, start, position, stop, size, ts, now, qtype, qclass):
    """A question: it waits, unless it does already."""
    trans_id = u16(data, start)
    serial = t.flows[stream_row >> 1]["serial"]
    asker = stream_row & 1
    place = _find(t, serial, asker, trans_id, qtype)
    if place >= 0:
        t.pending[place]["queries"] = min(np.int64(t.pending[place]["queries"]) + 1, 65_535)
        return
    if t.numbers[Scalar.FREE] == 0:
        _tell_unanswered(t, now)
        t.counts[Count.EVICTED] += 1
    t.numbers[Scalar.FREE] -= 1
    place = np.int64(t.free[t.numbers[Scalar.FREE]])
    row = t.pending[place]
    first, second = at(data, start + 2), at(data, start + 3)
    _begin(t, row, stream_row, False, ts, now, trans_id, (first >> 3) & 15, qtype, qclass)
    row["query_bytes"] = size
    row["queries"] = 1
    flags = flags_of(first, second) | LookupFlag.ASKED
    row["flags"] = flags | LookupFlag.QUESTIONS if u16(data, start + 4) > 1 else flags
    if not read_records(t, row, data, start, position, stop, False):
        _note_end(t, row, size > stop - start)
    copy_bytes(t.scratch, 0, t.numbers[Scalar.NAME_LENGTH], t.names, place * NAME_BYTES)
    t.hashes[place] = _key(serial, asker, trans_id)
    slot = home(t.slots, t.hashes[place])
    while t.slots[slot] != 0:
        slot = following(t.slots, slot)
    insert(t.slots, slot, t.hashes[place], place)
    last = t.numbers[Scalar.LAST]
    t.order[2 * place], t.order[2 * place + 1] = -1, last
    if last >= 0:
        t.order[2 * last] = place
    else:
        t.numbers[Scalar.FIRST] = place
    t.numbers[Scalar.LAST] = place


@part_kernel
def _answer(t, stream_row, data, start, position, stop, size, ts, now, qtype, qclass):
    """An answer: told with its question, or without."""
    number = t.numbers[Scalar.ROWS]
    row = t.rows[number]
    trans_id = u16(data, start)
    place = _find(t, t.flows[stream_row >> 1]["serial"], 1 - (stream_row & 1), trans_id, qtype)
    first, second = at(data, start + 2), at(data, start + 3)
    if place >= 0:
        t.rows[number] = t.pending[place]
        _put_query(t, row, t.names, place * NAME_BYTES, np.int64(row["query_length"]))
        row["rtt"] = max(ts - row["ts"], np.int64(0))
        row["now"] = now
        _forget(t, place)
    else:
        _begin(t, row, stream_row, True, ts, now, trans_id, (first >> 3) & 15, qtype, qclass)
        _put_query(t, row, t.scratch, 0, t.numbers[Scalar.NAME_LENGTH])
        row["flags"] = LookupFlag.QUESTIONS if u16(data, start + 4) > 1 else 0
    row["flags"] = row["flags"] | flags_of(first, second) | LookupFlag.ANSWERED
    row["rcode"] = second & 15
    row["response_bytes"] = size
    row["answer_count"], row["authority_count"] = u16(data, start + 6), u16(data, start + 8)
    row["additional_count"] = u16(data, start + 10)
    row["answer"] = t.numbers[Scalar.ANSWERS]
    if not read_records(t, row, data, start, position, stop, True):
        _note_end(t, row, size > stop - start)
    row["answers"] = t.numbers[Scalar.ANSWERS] - np.int64(row["answer"])
    t.numbers[Scalar.ROWS] += 1
    t.counts[Count.LOOKUPS] += 1


@inline_kernel
def _says_nothing(data, start):
    """A response without a question that tells neither an error nor an answer."""
    return at(data, start + 3) & 15 == 0 and u16(data, start + 6) == 0


@part_kernel
def read_message(t, stream_row, data, start, stop, size, ts, now):
    """One message of `size` bytes, as far as it is there: data[start:stop]; False when it is none. Needs room for two
    lookups.
    """
    if stop - start < HEADER_BYTES or not is_header(data, start):
        return False
    position, behind_first = read_questions(t, data, start, stop)
    if position < 0:
        return False
    flow = t.flows[stream_row >> 1]
    response = at(data, start + 2) & RESPONSE != 0
    if u16(data, start + 4) == 0 and _says_nothing(data, start):
        return False
    named = flow["proto"] == Proto.TCP or flow["resp_port"] in _PORTS or flow["orig_port"] in _PORTS
    if flow["service"] != Service.DNS and not named and count_records(data, start, position, stop) != stop:
        return False
    flow["service"] = Service.DNS
    t.counts[Count.MESSAGES] += 1
    qtype = u16(data, behind_first - 4) if behind_first > start + HEADER_BYTES else 0
    qclass = u16(data, behind_first - 2) if behind_first > start + HEADER_BYTES else 0
    if response:
        _answer(t, stream_row, data, start, position, stop, size, ts, now, qtype, qclass)
    else:
        _ask(t, stream_row, data, start, position, stop, size, ts, now, qtype, qclass)
    return True
