import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.l2 import Dot1Q, Ether

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, ethernet, reason_of
from tests.decode.tunnels.packets import INNER, INNER6, OUTER, assert_inner

CONTROL_WORD = b"\0\0\0\7"


def labels(*numbers: int) -> bytes:
    return b"".join(bytes(MPLS(label=number, s=number == numbers[-1], ttl=9)) for number in numbers)


@pytest.mark.parametrize("inner", [INNER, INNER6])
@pytest.mark.parametrize("stack", [(16,), (16, 17, 0xFFFFF)])
@pytest.mark.parametrize("kind", [0x8847, 0x8848])
def test_ip_below_a_stack_of_labels(kind, stack, inner):
    assert_inner(ethernet(kind) / labels(*stack) / inner, Tunnel.MPLS, stack[-1])


@pytest.mark.parametrize("first", ["02", "00", "40", "60", "45"])
@pytest.mark.parametrize("word", [b"", CONTROL_WORD])
def test_ethernet_pseudowires_with_and_without_control_word(word, first):
    wire = Ether(dst=f"{first}:11:22:33:44:55", src="02:00:00:00:00:01") / INNER
    assert_inner(ethernet(0x8847) / labels(50) / word / wire, Tunnel.MPLS, 50)


def test_in_a_vlan_and_in_ip():
    assert assert_inner(ETHER / Dot1Q(vlan=3, type=0x8847) / labels(5) / INNER, Tunnel.MPLS, 5)["vlan"] == 3
    outer = OUTER.copy()
    outer.proto = 137
    assert_inner(outer / labels(5) / INNER, Tunnel.MPLS, 5)


def test_a_stack_without_end_is_given_up():
    assert reason_of(bytes(ethernet(0x8847)) + b"\0\1\0\1" * 100) == Reason.TOO_MANY_LAYERS


@pytest.mark.parametrize("rest", [b"", b"\0\1\1", labels(5), labels(5) + b"\x45\0\0\0\0"])
def test_cut(rest):
    assert reason_of(bytes(ethernet(0x8847)) + rest) == Reason.TRUNCATED_TUNNEL
