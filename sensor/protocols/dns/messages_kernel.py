"""One DNS message (RFC 1035, 4): in: its bytes; out: the question it has, and the records behind it.

The one law: a message is read to where it makes sense, and what was read of it stays.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.dns.names_kernel import put_name, put_text, read_name, skip_name, u16
from sensor.protocols.dns.tables import (
    ANSWERS_PER_ROW,
    NAME_BYTES,
    RECORD_BYTES_MIN,
    TEXT_BYTES_PER_ROW,
    Scalar,
)
from sensor.schema_dns import LookupFlag, Type
from sensor.structures.hashing import hash_bytes

HEADER_BYTES = 12
RESPONSE = 0x80
_OPCODES = 0b110101  # query, status, notify, update
_QUESTIONS_MAX = 64
_NAME_SEED = np.uint64(0x7461706972646E73)
_MAPPED = np.uint64(0xFFFF00000000)


@inline_kernel
def is_header(data, start):
    """Whether a header of DNS begins here: 12 bytes, a known opcode, a question or what answers one."""
    first = at(data, start + 2)
    if (_OPCODES >> ((first >> 3) & 15)) & 1 == 0:
        return False
    questions = u16(data, start + 4)
    return 0 < questions <= _QUESTIONS_MAX or (questions == 0 and first & RESPONSE != 0)


@inline_kernel
def flags_of(first, second):
    """LookupFlag of the two bytes of flags."""
    flags = LookupFlag.RD if first & 1 != 0 else 0
    flags |= LookupFlag.TC if first & 2 != 0 else 0
    flags |= LookupFlag.AA if first & 4 != 0 else 0
    flags |= LookupFlag.RA if second & 0x80 != 0 else 0
    flags |= LookupFlag.RESERVED if second & 0x40 != 0 else 0
    flags |= LookupFlag.AD if second & 0x20 != 0 else 0
    flags |= LookupFlag.CD if second & 0x10 != 0 else 0
    return flags


@part_kernel
def read_questions(t, data, start, stop):
    """Read the first question behind a header, and pass the others: the name goes to `scratch`.

    Returns (position behind them, that behind the first); -1 when they cannot be read.
    """
    questions = u16(data, start + 4)
    t.numbers[Scalar.NAME_LENGTH] = 0
    t.numbers[Scalar.NAME_HASH] = 0
    position = start + HEADER_BYTES
    if questions == 0:
        return position, position
    position, length = read_name(data, start, position, stop, t.scratch, 0)
    if position < 0 or position + 4 > stop:
        return np.int64(-1), np.int64(-1)
    t.numbers[Scalar.NAME_LENGTH] = length
    t.numbers[Scalar.NAME_HASH] = np.int64(hash_bytes(_NAME_SEED, t.scratch, 0, length))
    position += 4
    first = position
    for _ in range(1, questions):
        position = skip_name(data, position, stop)
        if position < 0 or position + 4 > stop:
            return np.int64(-1), np.int64(-1)
        position += 4
    return position, first


@part_kernel
def count_records(data, start, position, stop):
    """Position behind all records, -1 when they cannot be read to their end."""
    for _ in range(u16(data, start + 6) + u16(data, start + 8) + u16(data, start + 10)):
        position = skip_name(data, position, stop)
        if position < 0 or position + RECORD_BYTES_MIN - 1 > stop:
            return -1
        position += RECORD_BYTES_MIN - 1 + u16(data, position + 8)
        if position > stop:
            return -1
    return position


@inline_kernel
def _word(data, position):
    word = np.uint64(0)
    for i in range(8):
        word = word << np.uint64(8) | np.uint64(at(data, position + i))
    return word


@inline_kernel
def _name_at(kind):
    """Where in a record's data the name lies that stands for it; -1 when none does."""
    if kind == Type.MX:
        return 2
    if kind == Type.SRV:
        return 6
    names = kind == Type.CNAME or kind == Type.PTR or kind == Type.NS or kind == Type.SOA or kind == Type.DNAME
    return 0 if names else -1


@part_kernel
def _put_strings(data, position, stop, texts, place, text_stop):
    """The character strings of a TXT record, one behind the other; returns the end."""
    while position < stop:
        size = min(at(data, position), stop - position - 1)
        place = put_text(data, position + 1, size, text_stop, False, texts, place)
        position += 1 + size
    return place


@inline_kernel
def _list_answer(t, row, data, start, stop, position, size, text_stop):
    """A row of `answers` for the record whose type lies `position` - 10 and whose data from there."""
    kind = u16(data, position - 10)
    answer = t.answers[t.numbers[Scalar.ANSWERS]]
    t.numbers[Scalar.ANSWERS] += 1
    answer["type"] = kind
    answer["ttl"] = u16(data, position - 6) << 16 | u16(data, position - 4)
    answer["bytes"] = size
    answer["hi"] = answer["lo"] = np.uint64(0)
    answer["start"], answer["length"] = -1, 0
    begin = t.numbers[Scalar.TEXTS]
    end, name_at = begin, _name_at(kind)
    if kind == Type.A and size == 4:
        answer["lo"] = _MAPPED | np.uint64(u16(data, position) << 16 | u16(data, position + 2))
        return
    if kind == Type.AAAA and size == 16:
        answer["hi"], answer["lo"] = _word(data, position), _word(data, position + 8)
        return
    if kind == Type.TXT or kind == Type.SPF:
        end = _put_strings(data, position, position + size, t.texts, begin, text_stop)
    elif 0 <= name_at < size:
        after, length = read_name(data, start, position + name_at, stop, t.scratch, NAME_BYTES)
        if after < 0:
            row["flags"] = row["flags"] | LookupFlag.MALFORMED
            return
        end = put_name(t.scratch, NAME_BYTES, length, text_stop, t.texts, begin)
    else:
        return
    if end + 4 > text_stop:
        row["flags"] = row["flags"] | LookupFlag.CUT
    answer["start"], answer["length"] = begin, end - begin
    t.numbers[Scalar.TEXTS] = end


@inline_kernel
def _note_edns(row, data, position, response):
    """An OPT record, whose type lies at `position` (RFC 6891, 6.1.2)."""
    if response:
        row["rcode"] = row["rcode"] | at(data, position + 4) << 4
        return
    row["edns_bytes"] = u16(data, position + 2)
    if at(data, position + 6) & 0x80 != 0:
        row["flags"] = row["flags"] | LookupFlag.DNSSEC_OK


@part_kernel
def read_records(t, row, data, start, position, stop, response):
    """Note what the records behind the questions say: the answers of a response, EDNS. False when they end too early.
    """
    answers = u16(data, start + 6)
    first, text_stop = t.numbers[Scalar.ANSWERS], t.numbers[Scalar.TEXTS] + TEXT_BYTES_PER_ROW
    for number in range(answers + u16(data, start + 8) + u16(data, start + 10)):
        position = skip_name(data, position, stop)
        if position < 0 or position + RECORD_BYTES_MIN - 1 > stop:
            return False
        size = u16(data, position + 8)
        if position + RECORD_BYTES_MIN - 1 + size > stop:
            return False
        if number >= answers:
            if u16(data, position) == Type.OPT:
                _note_edns(row, data, position, response)
        elif response and t.numbers[Scalar.ANSWERS] - first < ANSWERS_PER_ROW:
            _list_answer(t, row, data, start, stop, position + 10, size, text_stop)
        elif response:
            row["flags"] = row["flags"] | LookupFlag.CUT
        position += RECORD_BYTES_MIN - 1 + size
    return True
