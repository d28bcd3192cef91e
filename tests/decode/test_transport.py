"""TCP, UDP, ICMP and SCTP: columns, lengths, and headers that are wrong or cut."""

import communityid
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.sctp import SCTP, SCTPChunkData

from sensor.decode.reasons import Reason
from sensor.schema import Proto, SegmentFlag, TcpFlag
from tests.decode.frames import ETHER, Frame, decode_one, reason_of

OPTIONS = [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]


def test_the_columns_of_a_tcp_header():
    header = TCP(sport=40000, dport=443, seq=2**32 - 1, ack=2**31, flags="SAEC", window=65535, options=OPTIONS)
    row = decode_one(bytes(ETHER / IP() / header / b"payload"))
    assert (row["proto"], row["src_port"], row["dst_port"]) == (Proto.TCP, 40000, 443)
    assert (row["seq"], row["ack"], row["window"]) == (2**32 - 1, 2**31, 65535)
    assert row["tcp_flags"] == TcpFlag.SYN | TcpFlag.ACK | TcpFlag.ECE | TcpFlag.CWR
    assert (row["payload"], row["payload_len"]) == (b"payload", 7)


def test_checksums_are_not_demanded():
    assert decode_one(bytes(ETHER / IP(chksum=1) / TCP(chksum=1) / b"x"))["payload"] == b"x"


def test_a_tcp_header_of_which_only_options_are_cut_still_counts():
    whole = bytes(ETHER / IP() / TCP(seq=9, options=OPTIONS) / bytes(500))
    row = decode_one(Frame(whole[: 14 + 20 + 20], len(whole)))
    assert (row["seq"], row["payload_len"], row["payload_caplen"], row["flags"]) == (9, 500, 0, SegmentFlag.CUT)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (bytes(ETHER / IP(len=39) / TCP())[:53], Reason.TRUNCATED_TCP),
        (ETHER / IP() / TCP(dataofs=4) / b"x", Reason.BAD_TCP_HEADER_LENGTH),
        (ETHER / IP() / TCP(dataofs=6), Reason.BAD_TCP_HEADER_LENGTH),
        (ETHER / IP(proto=17) / b"1234567", Reason.TRUNCATED_UDP),
        (ETHER / IP() / UDP(len=7), Reason.BAD_UDP_LENGTH),
        (ETHER / IP(proto=1) / b"1234567", Reason.TRUNCATED_ICMP),
        (ETHER / IP(proto=132) / b"12345678901", Reason.TRUNCATED_SCTP),
    ],
)
def test_what_is_wrong_with_a_header_has_its_reason(frame, reason):
    assert reason_of(bytes(frame)) == reason


def test_udp_ends_where_its_length_says_unless_that_is_0_or_beyond_the_packet():
    assert decode_one(bytes(ETHER / IP() / UDP(len=10) / b"abcd"))["payload"] == b"ab"
    assert decode_one(bytes(ETHER / IP() / UDP(len=0) / b"abcd"))["payload"] == b"abcd"
    assert decode_one(bytes(ETHER / IP() / UDP(len=99) / b"abcd"))["payload"] == b"abcd"


def test_columns_that_only_tcp_has_are_0_elsewhere():
    rows = [
        decode_one(bytes(ETHER / IP() / header)) for header in (UDP(), ICMP(), SCTP() / SCTPChunkData(data=b"x"))
    ]
    assert {row[name] for row in rows for name in ("seq", "ack", "window", "tcp_flags")} == {0}


def test_sctp_has_ports():
    row = decode_one(bytes(ETHER / IP() / SCTP(sport=36412, dport=2905) / SCTPChunkData(data=b"x")))
    assert (row["proto"], row["src_port"], row["dst_port"]) == (Proto.SCTP, 36412, 2905)


@pytest.mark.parametrize("kind", range(256))
@pytest.mark.parametrize("family", [4, 6])
def test_icmp_ports_are_those_of_community_id(family, kind):
    ip = IP(proto=1) if family == 4 else IPv6(nh=58)
    row = decode_one(bytes(ETHER / ip / bytes([kind, 3, 0, 0, 0, 0, 0, 0])))
    module = communityid.icmp if family == 4 else communityid.icmp6
    assert (row["src_port"], row["dst_port"]) == module.get_port_equivalents(kind, 3)[:2]
