"""Many networks asked at once give what asking each in turn gives."""

from __future__ import annotations

import ipaddress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.intel.compiled import compiled
from sensor.intel.indicator import Indicator, Kind
from sensor.intel.matcher import network_text
from sensor.intel.networks import NETWORK4, NETWORK6, Networks


def networks(*texts: str) -> Networks:
    made = compiled([Indicator(Kind.ADDRESS, text) for text in texts])
    return Networks(made.four, made.six)


def words(text: str) -> tuple[int, int]:
    ip = ipaddress.ip_address(text)
    number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
    return number >> 64, number & (2**64 - 1)


def listed(found: Networks, *addresses: str) -> list[str]:
    pairs = np.array([words(text) for text in addresses], np.uint64).reshape(-1, 2)
    return [addresses[place] for place in found.listed(pairs[:, 0], pairs[:, 1]).tolist()]


def test_nested_networks_and_both_families() -> None:
    found = networks("45.0.0.0/8", "45.1.2.0/24", "45.1.2.3/32", "46.0.0.1/32", "2a00:1450::/32", "2a00:1450:1::1/128")
    assert listed(found, "45.1.2.3", "46.0.0.1", "46.0.0.2", "2a00:1450:1::1", "2a00:1451::1", "0.0.0.0") == [
        "45.1.2.3", "46.0.0.1", "2a00:1450:1::1",
    ]  # fmt: skip
    assert [network_text(row) for row in found.around(*words("45.1.2.3"))] == ["45.0.0.0/8", "45.1.2.0/24", "45.1.2.3"]
    assert [network_text(row) for row in found.around(*words("2a00:1450:1::1"))] == [
        "2a00:1450::/32", "2a00:1450:1::1",
    ]  # fmt: skip
    assert len(found.around(*words("47.0.0.1"))) == 0


def test_no_networks() -> None:
    assert listed(networks(), "45.1.2.3", "2a00::1") == []
    assert len(Networks(np.zeros(0, NETWORK4), np.zeros(0, NETWORK6)).around(*words("45.1.2.3"))) == 0


V4 = st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
    lambda pair: str(ipaddress.ip_network(((45 << 24) + pair[0], pair[1]), strict=False))
)
V6 = st.tuples(st.integers(0, 255), st.integers(118, 128)).map(
    lambda pair: str(ipaddress.ip_network(((0x2A00 << 112) + (pair[0] << 2), pair[1]), strict=False))
)


@settings(max_examples=100)
@given(st.lists(V4 | V6, max_size=20))
def test_as_asking_each_in_turn(texts: list[str]) -> None:
    nets = [ipaddress.ip_network(text) for text in texts]
    asked = [f"45.0.0.{n}" for n in range(0, 256, 3)] + [f"2a00::{n:x}" for n in range(0, 1024, 7)]
    found = networks(*texts)
    around = {text: sorted(str(net) for net in nets if ipaddress.ip_address(text) in net) for text in asked}
    assert listed(found, *asked) == [text for text in asked if around[text]]
    for text in asked:
        rows = [str(ipaddress.ip_network(network_text(row))) for row in found.around(*words(text))]
        assert sorted(rows) == around[text]


def test_a_million_networks() -> None:
    chance = np.random.default_rng(7)
    rows = np.zeros(1_000_000, NETWORK4)
    rows["start"] = chance.choice(1 << 24, 1_000_000, replace=False).astype(np.uint32) << 8
    rows["end"] = rows["start"] + 255
    found = Networks(rows, np.zeros(0, NETWORK6))
    addresses = chance.integers(0, 1 << 32, 4096).astype(np.uint64) | np.uint64(0xFFFF << 32)
    places = found.listed(np.zeros(4096, np.uint64), addresses)
    inside = np.isin((addresses & np.uint64(0xFFFFFFFF)) >> np.uint64(8), rows["start"] >> 8)
    assert np.array_equal(places, np.flatnonzero(inside))
    assert 100 < len(places) < 400
