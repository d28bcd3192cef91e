"""Community ID against the reference implementation."""

import ipaddress

import communityid
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.schema import Proto
from sensor.structures.community_id import community_id_of

REFERENCE = communityid.CommunityID()


def halves(address: str) -> tuple[int, int]:
    ip = ipaddress.ip_address(address)
    number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
    return number >> 64, number & (2**64 - 1)


def ours(source: str, target: str, source_port: int, target_port: int, proto: int) -> str:
    (a_hi, a_lo), (b_hi, b_lo) = halves(source), halves(target)
    return community_id_of(a_hi, a_lo, b_hi, b_lo, source_port, target_port, proto)


def test_the_specification_s_own_example():
    assert ours("128.232.110.120", "66.35.250.204", 34855, 80, Proto.TCP) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="


# the tables hold IPv4 as ::ffff:a.b.c.d, so an IPv6 packet with such addresses counts as IPv4
ipv4, ipv6 = st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None)
addresses = st.one_of(st.tuples(ipv4, ipv4), st.tuples(ipv6, ipv6))
ports = st.integers(0, 65535)


@given(addresses, ports, ports, st.sampled_from([Proto.TCP, Proto.UDP, Proto.SCTP]))
@settings(max_examples=200)
def test_same_text_as_the_reference_in_both_directions(pair, source_port, target_port, proto):
    source, target = map(str, pair)
    expected = REFERENCE.calc(communityid.FlowTuple(int(proto), source, target, source_port, target_port))
    assert ours(source, target, source_port, target_port, proto) == expected
    assert ours(target, source, target_port, source_port, proto) == expected


@pytest.mark.parametrize("same", ["10.0.0.1", "2001:db8::1"])
def test_equal_addresses_are_ordered_by_port(same):
    expected = REFERENCE.calc(communityid.FlowTuple(6, same, same, 9, 7))
    assert ours(same, same, 9, 7, Proto.TCP) == ours(same, same, 7, 9, Proto.TCP) == expected


@given(addresses, st.integers(0, 255).filter(lambda proto: proto not in (1, 6, 17, 58, 132)))
@settings(max_examples=50)
def test_protocols_without_ports(pair, proto):
    source, target = map(str, pair)
    assert ours(source, target, 0, 0, proto) == REFERENCE.calc(communityid.FlowTuple(proto, source, target))


@pytest.mark.parametrize("proto", [Proto.ICMP, Proto.ICMP6])
def test_icmp_with_and_without_a_counterpart(proto):
    """The ports are what decode makes of type and code; the reference maps (type, code) by itself."""
    source, target = ("10.0.0.9", "10.0.0.1") if proto == Proto.ICMP else ("2001:db8::9", "2001:db8::1")
    for icmp_type in range(256):
        tuple_ = communityid.FlowTuple(int(proto), source, target, icmp_type, 3)
        assert ours(source, target, tuple_.sport, tuple_.dport, proto) == REFERENCE.calc(tuple_)
