"""DNS messages: what the kernels read of them is what a plain reader and dpkt do, however broken they are."""

from __future__ import annotations

import random
import struct

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.dns import Lookups
from sensor.protocols.dns.tables import ANSWERS_PER_ROW, Count
from sensor.schema_dns import LookupFlag
from tests.oracles import dns as plain
from tests.protocols.dns.messages import (
    AAAA,
    CNAME,
    MX,
    NS,
    PTR,
    SRV,
    TXT,
    A,
    Record,
    address,
    looked_up,
    name,
    query,
    response,
    udp,
)

RECORDS: list[Record] = [
    (b"\xc0\x0c", CNAME, 60, name("cdn.example.net")),
    (b"\xc0\x0c", A, 300, address("192.0.2.1")),
    (b"\xc0\x0c", AAAA, 299, address("2001:db8::1")),
    (b"\xc0\x0c", MX, 5, b"\0\x0a" + name("mail.example.org")),
    (b"\xc0\x0c", SRV, 5, b"\0\1\0\2\0\x50" + name("sip.example.org")),
    (b"\xc0\x0c", TXT, 5, b"\x05v=spf\x03 -\n"),
    (b"\xc0\x0c", PTR, 5, b"\xc0\x0c"),
    (b"\xc0\x0c", NS, 5, b"\x02ns\xc0\x10"),
    (b"\xc0\x0c", 65, 5, b"\0\1\0"),
]


def the_row(lookups: Lookups) -> np.void:
    (row,) = lookups.rows
    return row


def test_a_question_and_its_answer() -> None:
    asked, told = query("www.Example.org", edns=1232), response("www.example.org", RECORDS)
    lookups, stage = looked_up([udp(asked), udp(told, 5, back=True)])
    row = the_row(lookups)
    assert lookups.query(row) == "www.example.org"
    assert (row["trans_id"], row["qtype"], row["qclass"], row["rcode"], row["rtt"]) == (1, A, 1, 0, 5_000_000)
    assert (row["query_bytes"], row["response_bytes"], row["edns_bytes"]) == (len(asked), len(told), 1232)
    assert row["flags"] == sum((LookupFlag.ASKED, LookupFlag.ANSWERED, LookupFlag.RD, LookupFlag.RA))
    assert lookups.answered(row) == [
        "cdn.example.net", "192.0.2.1", "2001:db8::1", "mail.example.org", "sip.example.org",
        "TXT 11 v=spf -\\x0a", "www.example.org", "ns.example.org", "<unknown type=65>",
    ]  # fmt: skip
    assert stage.counters.as_dict()["lookups"] == 1


def test_names_are_those_of_dpkt() -> None:
    """An analyser that shares no line with the sensor."""
    told = response("www.example.org", RECORDS[:3])
    theirs = dpkt.dns.DNS(told)
    lookups, _ = looked_up([udp(told, back=True)])
    row = the_row(lookups)
    assert lookups.query(row) == theirs.qd[0].name
    assert lookups.answers["ttl"].tolist() == [answer.ttl for answer in theirs.an]
    assert lookups.answers["type"].tolist() == [answer.type for answer in theirs.an]
    assert lookups.answered(row)[0] == theirs.an[0].cname


@pytest.mark.parametrize(
    "rest",
    [
        b"\xc0\x0c", b"\xc0\x10", b"\xc0\xff", b"\x01a\xc0\x0c", b"\x40" + b"a" * 64, b"\x3f", b"",
        b"\x01a" * 128 + b"\0",
    ],
    ids=["itself", "forward", "behind the end", "round and round", "label too long", "cut", "nothing", "too long"],
)
def test_a_name_that_is_none_is_no_message(rest: bytes) -> None:
    lookups, stage = looked_up([udp(struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + rest + b"\0\1\0\1")])
    assert len(lookups.rows) == 0
    assert stage.counters[Count.MALFORMED] == 1


def test_a_chain_of_pointers_ends() -> None:
    chain = b"".join(struct.pack("!H", 0xC000 | (12 + 2 * i)) for i in range(200))
    message = struct.pack("!6H", 1, 0x8180, 0, 1, 0, 0) + chain + struct.pack("!HHIH", CNAME, 1, 0, 2) + b"\xc1\x90"
    lookups, _ = looked_up([udp(message, back=True)])
    assert all(not lookups.answered(row) or lookups.answered(row) == ["<unknown type=5>"] for row in lookups.rows)


def test_odd_bytes_are_escaped() -> None:
    lookups, _ = looked_up([udp(query("A\x00\xff.b c.\\.org"))])
    assert lookups.query(the_row(lookups)) == "a\\x00\\xff.b\\x20c.\\x5c.org"
    root, _ = looked_up([udp(query("", NS))])
    assert root.query(the_row(root)) == "."


def test_of_very_many_answers_the_first_are_listed() -> None:
    records = [(b"\xc0\x0c", A, 1, address(f"192.0.2.{i}")) for i in range(100)]
    lookups, _ = looked_up([udp(response("a.org", records), back=True)])
    row = the_row(lookups)
    assert (row["answers"], row["answer_count"]) == (ANSWERS_PER_ROW, 100)
    assert row["flags"] & LookupFlag.CUT
    assert not row["flags"] & LookupFlag.MALFORMED


def test_text_of_answers_has_an_end() -> None:
    records = [(b"\xc0\x0c", TXT, 1, b"\xff" + b"\x01" * 255) for _ in range(5)]
    lookups, _ = looked_up([udp(response("a.org", records, TXT), back=True)])
    row = the_row(lookups)
    assert sum(map(len, lookups.answered(row))) < 4_096 + 5 * len("TXT 1020 ")
    assert row["flags"] & LookupFlag.CUT


def test_the_upper_bits_of_the_rcode() -> None:
    message = bytearray(response("a.org"))
    message[11] = 1
    message += b"\0" + struct.pack("!HHIH", 41, 512, 1 << 24, 0)
    lookups, _ = looked_up([udp(bytes(message), back=True)])
    assert the_row(lookups)["rcode"] == 16


def as_read(payload: bytes) -> tuple[Lookups, np.void | None]:
    lookups, _ = looked_up([udp(payload, back=bool(len(payload) > 2 and payload[2] & 0x80))])
    return lookups, (lookups.rows[0] if len(lookups.rows) else None)




def check(payload: bytes) -> None:
    """The kernels and the plain reader agree on these bytes."""
    lookups, row = as_read(payload)
    try:
        message = plain.read(payload)
    except plain.NotDnsError:
        assert row is None
        return
    assert row is not None
    shown = plain.text_of(message.name) if message.name is not None else ""
    assert (lookups.query(row), row["trans_id"]) == (shown, message.trans_id)
    assert (row["qtype"], row["qclass"]) == (message.qtype, message.qclass)
    if message.response:
        listed = message.answers[:ANSWERS_PER_ROW]
        own = lookups.answers[int(row["answer"]) : int(row["answer"]) + int(row["answers"])]
        assert own["type"].tolist() == [kind for kind, _, _ in listed]
        assert own["ttl"].tolist() == [ttl for _, ttl, _ in listed]
        assert (row["rcode"], row["answer_count"]) == (message.rcode, message.counts[0])
        if not row["flags"] & LookupFlag.CUT:
            told = [text.split(" ", 2)[2] if text.startswith("TXT ") else text for text in lookups.answered(row)]
            assert told == [f"<unknown type={kind}>" if text is None else text for kind, _, text in listed]
            assert bool(row["flags"] & LookupFlag.MALFORMED) == message.malformed
    else:
        assert row["edns_bytes"] == message.edns_bytes
        assert bool(row["flags"] & LookupFlag.MALFORMED) == message.malformed


SEEDS = [query("www.example.org", edns=1232), response("www.example.org", RECORDS), response("x.org", rcode=3)]


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_cut_anywhere(seed: bytes) -> None:
    for length in range(len(seed) + 1):
        check(seed[:length])


def test_mutated_messages() -> None:
    chance = random.Random(4)
    for _ in range(1_500):
        message = bytearray(chance.choice(SEEDS))
        for _ in range(chance.choice((1, 1, 2, 5))):
            message[chance.randrange(len(message))] = chance.choice((0, 1, 12, 0xC0, 0xFF, chance.randrange(256)))
        check(bytes(message))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes(payload: bytes) -> None:
    check(payload)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 0xFFFF), st.integers(0, 3), st.integers(0, 3), st.binary(max_size=200))
def test_random_bytes_behind_a_header(flags: int, questions: int, answers: int, rest: bytes) -> None:
    check(struct.pack("!6H", 7, flags, questions, answers, 0, 0) + rest)
