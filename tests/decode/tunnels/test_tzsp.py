import pytest

from sensor.schema import Tunnel
from tests.decode.frames import ETHER
from tests.decode.tunnels.packets import INNER, assert_inner, assert_stays_udp, over_udp

FRAME = bytes(ETHER / INNER)
TAGS = b"\0\0" + b"\x0a\1\xc4" + b"\x28\4\0\0\0\1"


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("tags", [b"", TAGS])
def test_ethernet(kind, tags):
    assert_inner(over_udp(37008, bytes([1, kind, 0, 1]) + tags + b"\1" + FRAME), Tunnel.TZSP, 0)


def test_802_11():
    wlan = bytes([8, 1]) + bytes(22) + bytes.fromhex("aaaa030000000800") + bytes(INNER)
    assert_inner(over_udp(37008, b"\1\0\0\x12\1" + wlan), Tunnel.TZSP, 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"\1\0\0\1",
        b"\2\0\0\1\1" + FRAME,           # version 2
        b"\1\4\0\1\1" + FRAME,           # keepalive
        b"\1\0\0\5\1" + FRAME,           # a protocol that is not decoded
        b"\1\0\0\1" + bytes(40),         # no end tag within the limit
        b"\1\0\0\1\x28",                 # a tag without its length
        b"\1\0\0\1\x28\xff",             # a tag beyond the end
    ],
)
def test_what_is_not_tzsp_stays_udp(payload):
    assert_stays_udp(37008, payload)
