import pytest
from scapy.contrib.geneve import GENEVE, GeneveOptions

from sensor.schema import Tunnel
from tests.decode.frames import ETHER
from tests.decode.tunnels.packets import INNER, INNER6, assert_inner, assert_stays_udp, over_udp


@pytest.mark.parametrize(
    ("kind", "inner"), [(0x6558, ETHER / INNER), (0x0800, INNER), (0x86DD, INNER6), (0x6558, ETHER / INNER6)]
)
@pytest.mark.parametrize("options", [[], [GeneveOptions(data=b"12345678"), GeneveOptions()]])
def test_geneve(kind, inner, options):
    assert_inner(over_udp(6081, GENEVE(proto=kind, vni=0x123456, options=options) / inner), Tunnel.GENEVE, 0x123456)


@pytest.mark.parametrize(
    "payload",
    [
        b"\0\0\x65\x58\0\0\1",
        b"\x40\0\x08\0\0\0\1\0" + bytes(INNER),   # version 1
        b"\0\1\x08\0\0\0\1\0" + bytes(INNER),     # reserved bits
        b"\0\0\x08\0\0\0\1\1" + bytes(INNER),
        b"\0\0\x12\x34\0\0\1\0" + bytes(INNER),   # a protocol that is not decoded
        b"\x3f\0\x08\0\0\0\1\0" + bytes(INNER),   # options longer than the datagram
    ],
)
def test_what_is_not_geneve_stays_udp(payload):
    assert_stays_udp(6081, payload)
