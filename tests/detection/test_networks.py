"""Addresses in networks, a column at a time: what the standard library says of each address alone."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detection.evidence import address_text
from sensor.detection.networks import Networks
from sensor.errors import SettingError
from sensor.schema import TRANSACTION

NETWORKS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda each: str(ipaddress.ip_network(each, strict=False)))
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(
    lambda ip: int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
)


def rows_of(addresses: list[int]) -> np.ndarray:
    rows = np.zeros(len(addresses), TRANSACTION)
    rows["client_hi"] = [each >> 64 for each in addresses]
    rows["client_lo"] = [each & (1 << 64) - 1 for each in addresses]
    return rows


@given(st.lists(NETWORKS, max_size=6), st.lists(ADDRESSES, max_size=20), st.randoms())
def test_as_the_standard_library_has_it(texts, addresses, chance):
    near = [int(ipaddress.ip_network(text).network_address) for text in texts if ":" in text]
    rows = rows_of([*addresses, *near])
    numbers = np.array(sorted(chance.sample(range(len(rows)), len(rows) // 2)), np.int64)
    held = Networks(tuple(texts), "networks").hold(rows, "client", numbers)
    networks = [ipaddress.ip_network(text) for text in texts]
    for number, found in zip(numbers.tolist(), held.tolist(), strict=True):
        ip = ipaddress.ip_address(address_text(int(rows["client_hi"][number]), int(rows["client_lo"][number])))
        assert found == any(ip in network for network in networks if network.version == ip.version)


def test_what_is_no_network_is_a_fault_of_the_setting():
    with pytest.raises(SettingError, match=r"detection\.x\.networks: '10\.0\.0\.0/99' is no network"):
        Networks(("10.0.0.0/8", "10.0.0.0/99"), "detection.x.networks")
