import pytest
from scapy.layers.l2 import Dot1Q

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, ethernet, reason_of
from tests.decode.tunnels.packets import INNER, INNER6, assert_inner


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(0x8926) / (b"\0\0\0\x33" + b"\x08\0") / INNER,
        ethernet(0x88E7) / b"\0\1\2\3" / ETHER / INNER,
        ethernet(0x8903) / b"\0\7" / ETHER / INNER,
        ethernet(0x894F) / b"\x00\x02\1\1\0\0\1\2" / INNER,
        ethernet(0x894F) / b"\x00\x02\1\2\0\0\1\2" / INNER6,
        ethernet(0x894F) / b"\x00\x02\1\3\0\0\1\2" / ETHER / INNER,
    ],
)
def test_what_switches_add_names_no_tunnel(frame):
    assert_inner(frame, Tunnel.NONE, 0)


def test_tags_may_be_mixed():
    sandwich = ETHER / Dot1Q(vlan=9, type=0x8926) / (b"\0\0\0\x33" + b"\x81\0") / Dot1Q(vlan=250) / INNER
    assert assert_inner(sandwich, Tunnel.NONE, 0)["vlan"] == 250


@pytest.mark.parametrize("kind", [0x8926, 0x88E7, 0x8903, 0x894F])
def test_cut(kind):
    assert reason_of(bytes(ethernet(kind)) + bytes(5)) == Reason.TRUNCATED_TUNNEL


def test_a_service_header_with_another_payload_has_its_reason():
    assert reason_of(bytes(ethernet(0x894F)) + b"\x00\x02\1\x09\0\0\1\2") == Reason.BAD_TUNNEL
