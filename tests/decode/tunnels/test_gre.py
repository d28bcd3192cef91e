import struct

import pytest
from scapy.layers.l2 import GRE, GRE_PPTP
from scapy.layers.ppp import HDLC, PPP

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, reason_of
from tests.decode.tunnels.packets import INNER, INNER6, OUTER, OUTER6, assert_inner, assert_stays_udp, over_udp

FIELDS = [{}, {"chksum_present": 1}, {"seqnum_present": 1}, {"chksum_present": 1, "seqnum_present": 1}]


@pytest.mark.parametrize("outer", [OUTER, OUTER6])
@pytest.mark.parametrize("fields", FIELDS)
def test_gre_with_and_without_its_optional_fields(outer, fields):
    assert_inner(outer / GRE(proto=0x800, **fields) / INNER, Tunnel.GRE, 0)
    assert_inner(outer / GRE(proto=0x86DD, key_present=1, key=0xFEEDBEEF, **fields) / INNER6, Tunnel.GRE, 0xFEEDBEEF)


KEYS = [(100, 100), (0xFFFFF, 0xFFFFF), (0x100000, 0x1000), (0xABCDEF42, 0xABCDEF)]


@pytest.mark.parametrize(("key", "number"), KEYS)
def test_of_an_nvgre_key_the_network_counts(key, number):
    assert_inner(OUTER / GRE(proto=0x6558, key_present=1, key=key) / ETHER / INNER, Tunnel.GRE, number)


def test_gre_in_gre_names_the_innermost():
    nested = GRE(key_present=1, key=1) / OUTER.payload / GRE(key_present=1, key=2) / INNER
    assert_inner(OUTER / nested, Tunnel.GRE, 2)


@pytest.mark.parametrize("acknowledged", [0, 1])
def test_pptp(acknowledged):
    header = GRE_PPTP(call_id=321, seqnum_present=1, acknum_present=acknowledged)
    assert_inner(OUTER / header / HDLC() / PPP(proto=0x21) / INNER, Tunnel.GRE, 321)
    assert_inner(OUTER / header / b"\x21" / INNER, Tunnel.GRE, 321)


def test_wccp_with_and_without_its_redirect_header():
    assert_inner(OUTER / GRE(proto=0x883E) / INNER, Tunnel.GRE, 0)
    assert_inner(OUTER / GRE(proto=0x883E) / b"\0\1\2\3" / INNER, Tunnel.GRE, 0)


def test_802_11_of_access_points():
    wlan = bytes([8, 1]) + bytes(22) + bytes.fromhex("aaaa030000000800")
    assert_inner(OUTER / GRE(proto=0x8230) / wlan / INNER, Tunnel.GRE, 0)


def test_gre_in_udp():
    assert_inner(over_udp(4754, GRE(proto=0x800) / INNER), Tunnel.GRE, 0)
    assert_inner(over_udp(4754, GRE(proto=0x6558, key_present=1, key=9) / ETHER / INNER), Tunnel.GRE, 9)


@pytest.mark.parametrize("payload", [b"", b"\0\0\x08", b"\x40\0\x08\0" + bytes(INNER), b"\0\0\x12\x34" + bytes(INNER)])
def test_what_is_not_gre_in_udp_stays_udp(payload):
    assert_stays_udp(4754, payload)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"\0\0\x08", Reason.TRUNCATED_TUNNEL),
        (b"\x20\0\x08\0\0\0", Reason.TRUNCATED_TUNNEL),
        (b"\0\2\x08\0", Reason.BAD_TUNNEL),
        (b"\x40\0\x08\0", Reason.BAD_TUNNEL),
        (b"\0\0\0\0", Reason.TUNNEL_CONTROL),            # keepalive
        (struct.pack(">HHHHI", 0x2081, 0x880B, 0, 1, 5), Reason.TUNNEL_CONTROL),  # PPTP acknowledgement
        (b"\0\0\x12\x34", Reason.UNKNOWN_ETHERTYPE),
        (b"\0\0\x08\0", Reason.TRUNCATED_IPV4),
    ],
)
def test_what_is_wrong_with_a_header_has_its_reason(header, reason):
    outer = OUTER.copy()
    outer.proto = 47
    assert reason_of(bytes(outer / header)) == reason


