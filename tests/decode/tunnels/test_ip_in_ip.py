import pytest

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.decode.frames import ETHER, reason_of
from tests.decode.tunnels.packets import INNER, INNER6, OUTER, OUTER6, assert_inner


@pytest.mark.parametrize("outer", [OUTER, OUTER6])
@pytest.mark.parametrize("inner", [INNER, INNER6])
def test_ip_in_ip_of_both_families(outer, inner):
    assert_inner(outer / inner, Tunnel.IPIP, 0)


def test_nested():
    assert_inner(OUTER / OUTER6.payload / OUTER.payload / INNER, Tunnel.IPIP, 0)


def test_ethernet_in_ip():
    outer = OUTER.copy()
    outer.proto = 97
    assert_inner(outer / b"\x30\0" / ETHER / INNER, Tunnel.IPIP, 0)
    assert reason_of(bytes(outer / b"\x30")) == Reason.TRUNCATED_TUNNEL
