import struct

import pytest
from scapy.layers.ppp import HDLC, PPP

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, reason_of
from tests.decode.tunnels.packets import INNER, INNER6, OUTER, assert_inner, assert_stays_udp, over_udp

IN_PPP = bytes(HDLC() / PPP(proto=0x21) / INNER)
FRAME = bytes(ETHER / INNER)


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">HHH", 0x0002, 7, 99),
        struct.pack(">HHHH", 0x4002, 8 + len(IN_PPP), 7, 99),
        struct.pack(">HHHHH", 0x0802, 7, 99, 1, 2),
        struct.pack(">HHHH", 0x0202, 7, 99, 3) + b"pad",
    ],
)
@pytest.mark.parametrize("ppp", [IN_PPP, bytes(PPP(proto=0x57) / INNER6), b"\x21" + bytes(INNER)])
def test_version_2_with_and_without_its_optional_fields(header, ppp):
    assert_inner(over_udp(1701, header + ppp), Tunnel.L2TP, 99)


@pytest.mark.parametrize("cookie", [b"", b"cook", b"cookcook", b"cookcooksubl"])
def test_version_3_finds_the_frame_behind_any_cookie(cookie):
    assert_inner(over_udp(1701, struct.pack(">HHI", 3, 0, 0x12345678) + cookie + FRAME), Tunnel.L2TP, 0x12345678)
    outer = OUTER.copy()
    outer.proto = 115
    assert_inner(outer / (struct.pack(">I", 5) + cookie + FRAME), Tunnel.L2TP, 5)


@pytest.mark.parametrize(
    "payload",
    [
        b"\0\2\0\7\0\x63",
        struct.pack(">HHHHHH", 0xC802, 12, 7, 0, 0, 0),              # control
        struct.pack(">HHH", 0x0002, 7, 99) + b"\x15" + bytes(INNER),  # no PPP inside
        struct.pack(">HHH", 0x0001, 7, 99) + IN_PPP,                  # version 1
        struct.pack(">HHHH", 0x0202, 7, 99, 0xFFFF) + IN_PPP,         # an offset beyond the end
        struct.pack(">HHI", 3, 0, 1) + b"no frame in here, and nothing like one",
    ],
)
def test_what_is_no_data_message_stays_udp(payload):
    assert_stays_udp(1701, payload)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\0\0\0\0control", Reason.TUNNEL_CONTROL),
        (b"\0\0\0\1" + bytes(range(40)), Reason.BAD_TUNNEL),
        (b"\0\0\0", Reason.TRUNCATED_TUNNEL),
    ],
)
def test_over_ip_what_is_no_data_message_has_its_reason(payload, reason):
    outer = OUTER.copy()
    outer.proto = 115
    assert reason_of(bytes(outer / payload)) == reason
