import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Dot1Q
from scapy.layers.vxlan import VXLAN

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, reason_of
from tests.decode.tunnels.packets import INNER, INNER6, assert_inner, assert_stays_udp, over_udp

FRAME = bytes(ETHER / INNER)


@pytest.mark.parametrize("port", [4789, 8472])
@pytest.mark.parametrize("inner", [ETHER / INNER, ETHER / INNER6, ETHER / Dot1Q(vlan=5) / INNER])
def test_vxlan(port, inner):
    assert_inner(over_udp(port, VXLAN(vni=0xABCDEF) / inner), Tunnel.VXLAN, 0xABCDEF)


def test_group_policy():
    assert_inner(over_udp(4789, VXLAN(flags="Instance+G", gpid=77, vni=5) / ETHER / INNER), Tunnel.VXLAN, 5)


@pytest.mark.parametrize(("following", "inner"), [(1, INNER), (2, INNER6), (3, ETHER / INNER)])
def test_generic_protocol_extension(following, inner):
    header = bytes([0x0C, 0, 0, following, 0, 0, 9, 0])
    assert_inner(over_udp(4790, header + bytes(inner)), Tunnel.VXLAN, 9)


def test_vxlan_in_vxlan_names_the_innermost():
    nested = VXLAN(vni=1) / ETHER / IP(over_udp(4789, VXLAN(vni=2) / ETHER / INNER)[14:])
    assert_inner(over_udp(4789, nested), Tunnel.VXLAN, 2)


def test_what_the_tunnel_carries_beside_ip_is_counted_as_itself():
    assert reason_of(over_udp(4789, VXLAN(vni=1) / ETHER / ARP())) == Reason.ARP


@pytest.mark.parametrize(
    "payload",
    [
        b"\x08\0\0\0\0\0\1",
        b"\0\0\0\0\0\0\1\0" + FRAME,      # no valid identifier
        b"\x09\0\0\0\0\0\1\0" + FRAME,    # a reserved flag
        b"\x08\0\0\1\0\0\1\0" + FRAME,    # reserved bytes
        b"\x08\0\0\0\0\0\1\1" + FRAME,
        b"\x0c\0\0\4\0\0\1\0" + FRAME,    # a next protocol that is not decoded
        b"\x08\0\0\0\0\0\1\0" + b"GET / HTTP/1.1\r\n",
    ],
)
def test_what_is_not_vxlan_stays_udp(payload):
    assert_stays_udp(4789, payload)
