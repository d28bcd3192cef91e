import pytest
from scapy.layers.inet6 import IPv6

from sensor.schema import Tunnel
from tests.decode.tunnels.packets import INNER, INNER6, assert_inner, assert_stays_udp, over_udp

PACKET = bytes(INNER6)
AUTHENTICATION = b"\0\1\2\3" + b"id" + b"key" + bytes(9)
ORIGIN = b"\0\0" + bytes(6)


@pytest.mark.parametrize("indications", [b"", ORIGIN, AUTHENTICATION, AUTHENTICATION + ORIGIN])
def test_teredo_with_and_without_indications(indications):
    assert_inner(over_udp(3544, indications + PACKET), Tunnel.TEREDO, 0)


@pytest.mark.parametrize("payload", [b"", PACKET[:39], PACKET[:-1], bytes(INNER) + bytes(40), AUTHENTICATION])
def test_what_is_no_ipv6_packet_stays_udp(payload):
    assert_stays_udp(3544, payload)


BETWEEN_CLIENTS = bytes(IPv6(src="2001:db8::1", dst="2001:0:4137:9e50::1") / INNER6.payload)


def test_between_clients_any_port_will_do():
    assert_inner(over_udp(32_900, BETWEEN_CLIENTS), Tunnel.TEREDO, 0)


@pytest.mark.parametrize("payload", [PACKET, BETWEEN_CLIENTS + b"x", BETWEEN_CLIENTS[:-1], BETWEEN_CLIENTS[:39]])
def test_other_payloads_on_other_ports_stay_udp(payload):
    assert_stays_udp(32_900, payload)
