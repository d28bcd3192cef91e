import pytest
from scapy.contrib.gtp import GTP_U_Header, GTPEchoRequest, GTPPDUSessionContainer

from sensor.schema import Tunnel
from tests.decode.tunnels.packets import INNER, INNER6, assert_inner, assert_stays_udp, over_udp


@pytest.mark.parametrize("inner", [INNER, INNER6])
@pytest.mark.parametrize("fields", [{}, {"S": 1, "seq": 5}, {"PN": 1}])
def test_gtp_with_and_without_its_optional_fields(inner, fields):
    assert_inner(over_udp(2152, GTP_U_Header(teid=0xDEADBEEF, gtp_type=255, **fields) / inner), Tunnel.GTPU, 0xDEADBEEF)


def test_extension_headers():
    header = GTP_U_Header(teid=1, E=1, gtp_type=255, next_ex=0x85) / GTPPDUSessionContainer(QFI=3)
    assert_inner(over_udp(2152, header / INNER), Tunnel.GTPU, 1)


@pytest.mark.parametrize(
    "payload",
    [
        bytes(GTP_U_Header() / GTPEchoRequest()),
        b"\x30\xff\0\x64\0\0\0\1" + bytes(INNER),                      # longer than the datagram
        b"\x50\xff\0\1\0\0\0\1" + bytes(INNER),                        # version 2
        b"\x30\xff\0\4\0\0\0\1" + b"\x15abc",                           # no IP inside
        b"\x34\xff\0\4\0\0\0\1" + b"\0\0\0\x85",                        # an extension that is not there
        b"\x34\xff\0\x08\0\0\0\1" + b"\0\0\0\x85\0\0\0\0" + bytes(INNER),  # an extension of length 0
        b"\x34\xff\0\x08\0\0\0\1" + b"\0\0\0\x85" + b"\1\0\0\x85" * 8 + bytes(INNER),  # too many of them
        b"\x34\xff\0\0\0\0\0\1\0",
    ],
)
def test_what_is_not_a_users_packet_stays_udp(payload):
    assert_stays_udp(2152, payload)
