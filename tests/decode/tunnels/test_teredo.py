import pytest

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
