"""Every link type gives the same segment for the same packet inside it."""

import struct

import pytest
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q
from scapy.layers.ppp import HDLC, PPP, PPPoE, PPPoED

from sensor.decode.reasons import Reason
from tests.decode.frames import DOT3, ETHER, decode, decode_one, ethernet, reason_of

PACKET = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1234, dport=80, seq=7) / b"hello"
PACKET6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=1234, dport=80, seq=7) / b"hello"
RAW = bytes(PACKET)
SNAPPED = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800)
NFLOG_HEAD = bytes([2, 0, 0, 5])


def nflog(payload: bytes) -> bytes:
    prefix = struct.pack("<HH", 4 + 3, 10) + b"abc\0"
    return NFLOG_HEAD + prefix + struct.pack("<HH", 4 + len(payload), 9) + payload


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ETHER / PACKET),
        (1, ETHER / Dot1Q(vlan=0) / PACKET),
        (1, DOT3 / SNAPPED / PACKET),
        (1, ETHER / PPPoE(sessionid=9) / PPP(proto=0x21) / PACKET),
        (12, RAW),
        (14, RAW),
        (101, RAW),
        (228, RAW),
        (101, bytes(PACKET6)),
        (229, bytes(PACKET6)),
        (0, struct.pack("<I", 2) + RAW),
        (0, struct.pack(">I", 2) + RAW),
        (108, struct.pack(">I", 2) + RAW),
        (0, struct.pack("<I", 24) + bytes(PACKET6)),
        (0, struct.pack("<I", 30) + bytes(PACKET6)),
        (113, CookedLinux(proto=0x800) / PACKET),
        (113, CookedLinux(proto=4) / SNAPPED / PACKET),
        (113, CookedLinux(proto=0x8100) / Dot1Q(vlan=0) / PACKET),
        (276, CookedLinuxV2(proto=0x800) / PACKET),
        (9, HDLC() / PPP(proto=0x21) / PACKET),
        (9, b"\x0f\0\x08\0" + RAW),  # as Cisco frames it
        (9, b"\x21" + RAW),  # address, control and half the protocol left out
        (50, HDLC() / PPP(proto=0x57) / PACKET6),
        (50, b"\x0f\x00\x08\x00" + RAW),
        (104, b"\x0f\x00\x08\x00" + RAW),
        (51, PPPoE(sessionid=9) / PPP(proto=0x21) / PACKET),
        (10, b"\x57" + bytes(12) + bytes(SNAPPED) + RAW),
        (105, Dot11(type=2, FCfield=1) / SNAPPED / PACKET),
        (105, Dot11(type=2, FCfield=3) / SNAPPED / PACKET),
        (105, Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS() / SNAPPED / PACKET),
        (127, RadioTap() / Dot11(type=2, FCfield=2) / SNAPPED / PACKET),
        (192, struct.pack("<BBHI", 0, 0, 8, 1) + bytes(ETHER / PACKET)),
        (239, nflog(RAW)),
    ],
)
def test_a_packet_is_found_behind_every_link_header(link, frame):
    row = decode_one(bytes(frame), link=link)
    assert row["src"] in ("10.0.0.1", "2001:db8::1")
    assert (row["src_port"], row["dst_port"], row["seq"], row["payload"]) == (1234, 80, 7, b"hello")
    assert row["vlan"] == 0


def test_vlan_is_the_innermost_id():
    stacked = ETHER / Dot1AD(vlan=100) / Dot1Q(vlan=200) / PACKET
    assert decode_one(bytes(stacked))["vlan"] == 200
    old = bytes(ethernet(0x9100) / Dot1Q(vlan=7) / PACKET)
    assert decode_one(old)["vlan"] == 7


def test_a_priority_tag_names_no_vlan():
    assert decode_one(bytes(ETHER / Dot1Q(vlan=55) / Dot1Q(vlan=0) / PACKET))["vlan"] == 55


def test_padding_of_the_802_11_header_is_skipped():
    header = bytes(Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS())
    assert decode_one(header + b"\0\0" + bytes(SNAPPED / PACKET), link=105)["payload"] == b"hello"


def test_the_first_frame_of_an_aggregate_is_decoded():
    header = bytes(Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS(A_MSDU_Present=1))
    assert decode_one(header + bytes(DOT3 / SNAPPED / PACKET), link=105)["payload"] == b"hello"


@pytest.mark.parametrize(
    ("link", "frame", "reason"),
    [
        (1, ETHER / ARP(), Reason.ARP),
        (1, ethernet(0x88CC) / b"lldp", Reason.UNKNOWN_ETHERTYPE),
        (1, b"short", Reason.TRUNCATED_ETHERNET),
        (1, bytes(ETHER / Dot1Q(vlan=1))[:17], Reason.TRUNCATED_VLAN),
        (1, DOT3 / LLC(dsap=0x42, ssap=0x42, ctrl=3) / b"spanning tree", Reason.LLC),
        (1, DOT3 / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0xC, code=0x2000), Reason.LLC),
        (1, DOT3, Reason.TRUNCATED_LINK),
        (1, ETHER / PPPoED(), Reason.PPP_CONTROL),
        (1, ETHER / PPPoE() / PPP(proto=0xC021), Reason.PPP_CONTROL),
        (12, b"\x15", Reason.BAD_IP_VERSION),
        (12, b"", Reason.TRUNCATED_LINK),
        (0, struct.pack("<I", 7) + RAW, Reason.UNKNOWN_FAMILY),
        (0, b"\2", Reason.TRUNCATED_LINK),
        (113, RAW[:15], Reason.TRUNCATED_LINK),
        (276, RAW[:19], Reason.TRUNCATED_LINK),
        (104, b"\x8f\x00\x00\x35", Reason.LLC),
        (10, b"\x41" + bytes(30), Reason.LLC),
        (105, Dot11(type=0, subtype=8) / bytes(20), Reason.WLAN_CONTROL),
        (105, Dot11(type=2, subtype=4) / bytes(20), Reason.WLAN_CONTROL),
        (105, Dot11(type=2, FCfield=0x41) / bytes(20), Reason.ENCRYPTED),
        (127, b"\0\0\2\0", Reason.TRUNCATED_LINK),
        (192, struct.pack("<BBHI", 0, 0, 8, 147), Reason.UNKNOWN_LINK),
        (239, NFLOG_HEAD + b"\1\0\0\0", Reason.TRUNCATED_LINK),
        (147, RAW, Reason.UNKNOWN_LINK),
    ],
)
def test_what_is_not_decoded_has_its_reason(link, frame, reason):
    assert reason_of(bytes(frame), link=link) == reason


def test_every_cut_of_a_frame_is_counted_once():
    whole = bytes(ETHER / Dot1Q(vlan=1) / PPPoE() / PPP(proto=0x57) / PACKET6)
    rows, reasons = decode(*(whole[:length] for length in range(len(whole))))
    assert reasons.keys() == {
        Reason.TRUNCATED_ETHERNET, Reason.TRUNCATED_VLAN, Reason.TRUNCATED_LINK, Reason.PPP_CONTROL,
        Reason.TRUNCATED_IPV6, Reason.TRUNCATED_TCP,
    }  # fmt: skip
    assert [row["payload"] for row in rows] == [b"hello"[:length] for length in range(5)]
