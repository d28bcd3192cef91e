"""IPv4 and IPv6: lengths, options, extension headers, and what is wrong with a header."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    PadN,
)  # fmt: skip
from scapy.layers.ipsec import AH

from sensor import limits
from sensor.decode.reasons import Reason
from sensor.schema import SegmentFlag
from tests.decode.frames import ETHER, Frame, decode_one, ethernet, reason_of

V4 = {"src": "192.0.2.1", "dst": "192.0.2.2"}
V6 = {"src": "2001:db8::1", "dst": "2001:db8::2"}
TCP5 = TCP(sport=1, dport=2) / b"12345"


def test_the_columns_of_an_ipv4_header():
    row = decode_one(bytes(ETHER / IP(**V4, id=777, ttl=33) / TCP5))
    assert (row["src"], row["dst"], row["ip_id"], row["ttl"], row["ip_len"]) == ("192.0.2.1", "192.0.2.2", 777, 33, 45)
    assert row["flags"] == 0


def test_the_columns_of_an_ipv6_header():
    row = decode_one(bytes(ETHER / IPv6(**V6, hlim=44) / TCP5))
    assert (row["src"], row["dst"]) == ("2001:db8::1", "2001:db8::2")
    assert (row["ip_id"], row["ttl"], row["ip_len"]) == (0, 44, 65)
    assert row["flags"] == SegmentFlag.IPV6


def test_padding_of_a_short_frame_is_no_payload():
    short = bytes(ETHER / IP(**V4) / TCP(sport=1, dport=2))
    row = decode_one(short + bytes(60 - len(short)))
    assert (row["payload_len"], row["payload_caplen"], row["flags"]) == (0, 0, 0)


def test_options_are_skipped():
    row = decode_one(bytes(ETHER / IP(**V4, options=[IPOption_NOP()] * 40) / TCP5))
    assert (row["payload"], row["ip_len"]) == (b"12345", 85)


def test_length_0_was_left_to_the_nic_and_the_frame_counts():
    row = decode_one(bytes(ETHER / IP(**V4, len=0) / TCP(sport=1, dport=2) / bytes(3000)))
    assert (row["payload_len"], row["ip_len"], row["flags"]) == (3000, 3040, SegmentFlag.OFFLOAD)
    row = decode_one(bytes(ETHER / IPv6(**V6, plen=0) / TCP(sport=1, dport=2) / bytes(3000)))
    assert (row["payload_len"], row["ip_len"]) == (3000, 3060)
    assert row["flags"] == SegmentFlag.OFFLOAD | SegmentFlag.IPV6


@pytest.mark.parametrize("ip", [IP(**V4), IPv6(**V6)])
def test_the_snap_length_cuts_payload_but_not_its_length(ip):
    whole = bytes(ETHER / ip / TCP(sport=1, dport=2) / bytes(1000))
    row = decode_one(Frame(whole[:100], len(whole)))
    assert (row["payload_len"], row["payload_caplen"]) == (1000, 100 - (len(whole) - 1000))
    assert row["flags"] & SegmentFlag.CUT


@pytest.mark.parametrize("ip", [IP(**V4, len=9000), IPv6(**V6, plen=9000)])
def test_a_length_beyond_the_frame_is_not_believed(ip):
    row = decode_one(bytes(ETHER / ip / TCP5))
    assert (row["payload_len"], row["flags"] & SegmentFlag.CUT) == (5, 0)


@pytest.mark.parametrize("inner", [IP(**V4, len=9000), IPv6(**V6, plen=9000 - 40)])
def test_inside_a_tunnel_a_length_beyond_the_frame_means_that_the_mirror_cut_it(inner):
    row = decode_one(bytes(ETHER / IP() / inner / TCP5))
    assert row["ip_len"] == 9000
    assert row["payload_len"] == 9000 - len(bytes(inner / TCP()))
    assert row["flags"] & SegmentFlag.CUT


def test_a_jumbo_option_gives_the_length():
    hop = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=8 + 20 + 70_000)])
    row = decode_one(bytes(ETHER / IPv6(**V6, plen=0) / hop / TCP(sport=1, dport=2) / bytes(70_000)) + b"trailer")
    assert (row["payload_len"], row["ip_len"], row["flags"]) == (70_000, 70_068, SegmentFlag.IPV6)


def test_a_jumbo_option_shorter_than_its_header_is_bad():
    hop = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=7)])
    assert reason_of(bytes(ETHER / IPv6(**V6, plen=0) / hop / TCP5)) == Reason.BAD_IPV6_JUMBO


def test_extension_headers_are_walked():
    chain = (
        IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(20))])
        / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrRouting(addresses=["2001:db8::9"])
        / IPv6ExtHdrFragment(offset=0, m=0)
        / IPv6ExtHdrDestOpt()
    )
    assert decode_one(bytes(ETHER / IPv6(**V6) / chain / TCP5))["payload"] == b"12345"


def test_authentication_headers_are_walked_in_both_families():
    header = AH(nh=6, spi=1, seq=1, icv=bytes(12), payloadlen=4)
    assert decode_one(bytes(ETHER / IP(**V4, proto=51) / header / TCP5))["payload"] == b"12345"
    assert decode_one(bytes(ETHER / IPv6(**V6, nh=51) / header / TCP5))["payload"] == b"12345"


@pytest.mark.parametrize("number", [135, 139, 140])
def test_headers_of_mobility_host_identity_and_shim6_are_walked(number):
    """All of one shape (RFC 7045, section 4); without anything behind them they say so."""
    header, alone = b"\x06\x01" + bytes(14), b"\x3b\x00" + bytes(6)
    assert decode_one(bytes(ETHER / IPv6(**V6, nh=number) / (header + bytes(TCP5))))["payload"] == b"12345"
    assert reason_of(bytes(ETHER / IPv6(**V6, nh=number) / alone)) == Reason.NO_NEXT_HEADER
    assert reason_of(bytes(ETHER / IP(**V4, proto=number) / alone)) == Reason.UNKNOWN_TRANSPORT


def test_extension_headers_are_limited():
    chain = IPv6(**V6)
    for _ in range(limits.IPV6_EXTENSIONS_MAX):
        chain = chain / IPv6ExtHdrDestOpt()
    assert decode_one(bytes(ETHER / chain / TCP5))["payload"] == b"12345"
    assert reason_of(bytes(ETHER / chain / IPv6ExtHdrDestOpt() / TCP5)) == Reason.TOO_MANY_EXTENSIONS


def broken(position: int, value: int) -> bytes:
    frame = bytearray(bytes(ETHER / IP(**V4) / TCP5))
    frame[14 + position] = value
    return bytes(frame)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (bytes(ETHER / IP(**V4) / TCP5)[:33], Reason.TRUNCATED_IPV4),
        (broken(0, 0x55), Reason.BAD_IP_VERSION),
        (broken(0, 0x44), Reason.BAD_IPV4_HEADER_LENGTH),
        (broken(3, 19), Reason.BAD_IPV4_LENGTH),
        (broken(0, 0x4F)[: 14 + 40], Reason.BAD_IPV4_LENGTH),
        (ETHER / IP(**V4, proto=89) / b"ospf", Reason.UNKNOWN_TRANSPORT),
        (ETHER / IP(**V4, proto=0) / bytes(40), Reason.UNKNOWN_TRANSPORT),
        (ETHER / IP(**V4, proto=44) / bytes(40), Reason.UNKNOWN_TRANSPORT),
        (ETHER / IP(**V4, proto=50) / b"esp", Reason.ENCRYPTED),
        (bytes(ETHER / IPv6(**V6) / TCP5)[:53], Reason.TRUNCATED_IPV6),
        (ethernet(0x86DD) / IP(**V4) / bytes(40), Reason.BAD_IP_VERSION),
        (ETHER / IPv6(**V6, nh=59), Reason.NO_NEXT_HEADER),
        (ETHER / IPv6(**V6, nh=60) / b"\6", Reason.TRUNCATED_IPV6_EXTENSION),
        (ETHER / IPv6(**V6, nh=60) / b"\6\xff" / bytes(100), Reason.TRUNCATED_IPV6_EXTENSION),
        (ETHER / IPv6(**V6, nh=44) / b"\6", Reason.TRUNCATED_IPV6_EXTENSION),
    ],
)
def test_what_is_wrong_with_a_header_has_its_reason(frame, reason):
    assert reason_of(bytes(frame)) == reason


def test_a_packet_in_too_many_headers_is_given_up():
    packet = ETHER
    for _ in range(limits.LAYERS_MAX):
        packet = packet / IP(**V4)
    assert reason_of(bytes(packet / TCP5)) == Reason.TOO_MANY_LAYERS


def test_other_transports_come_out_too():
    assert decode_one(bytes(ETHER / IP(**V4) / UDP(sport=5, dport=6) / b"abc"))["payload"] == b"abc"
    assert decode_one(bytes(ETHER / IP(**V4) / ICMP() / b"abc"))["payload"] == b"abc"
    assert decode_one(bytes(ETHER / IPv6(**V6) / ICMPv6EchoRequest(data=b"abc")))["payload"] == b"abc"
