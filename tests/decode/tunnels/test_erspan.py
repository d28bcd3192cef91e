import struct

import pytest
from scapy.layers.l2 import GRE

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, reason_of
from tests.decode.tunnels.packets import INNER, OUTER, assert_inner

SEQUENCED = {"seqnum_present": 1}


def header2(session: int, version: int = 1) -> bytes:
    return struct.pack(">HHI", version << 12 | 5, session, 0)


def header3(session: int, frame_type: int = 0, platform: int = 0) -> bytes:
    return struct.pack(">HHIHH", 2 << 12 | 5, session, 0, 0, frame_type << 10 | platform) + bytes(8 * platform)


def test_type_1_has_no_header():
    assert_inner(OUTER / GRE(proto=0x88BE) / ETHER / INNER, Tunnel.ERSPAN, 0)


def test_type_2():
    assert_inner(OUTER / GRE(proto=0x88BE, **SEQUENCED) / header2(0x3FF) / ETHER / INNER, Tunnel.ERSPAN, 0x3FF)


@pytest.mark.parametrize("platform", [0, 1])
@pytest.mark.parametrize(("frame_type", "inner"), [(0, ETHER / INNER), (2, INNER)])
def test_type_3(platform, frame_type, inner):
    header = header3(17, frame_type, platform)
    assert_inner(OUTER / GRE(proto=0x22EB, **SEQUENCED) / header / inner, Tunnel.ERSPAN, 17)


@pytest.mark.parametrize(
    ("kind", "header", "reason"),
    [
        (0x88BE, header2(1)[:7], Reason.TRUNCATED_TUNNEL),
        (0x22EB, header3(1)[:11], Reason.TRUNCATED_TUNNEL),
        (0x88BE, header2(1, version=2), Reason.BAD_TUNNEL),
        (0x22EB, header3(1, frame_type=9), Reason.BAD_TUNNEL),
    ],
)
def test_what_is_wrong_with_a_header_has_its_reason(kind, header, reason):
    assert reason_of(bytes(OUTER / GRE(proto=kind, **SEQUENCED) / header)) == reason
