"""The true client behind trusted proxies, and no client that only says so."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, U64s, kernel
from sensor.config import ProtocolSettings
from sensor.errors import SettingError
from sensor.protocols.http1.proxies import read_address
from sensor.protocols.stage import networks
from tests.protocols.http1.messages import OK, one, request
from tests.traffic import address

TRUSTED = ProtocolSettings(trusted_proxies=("10.0.0.0/24", "2001:db8::/32"))


@kernel
def _read(data: Bytes, length: int, out: U64s) -> bool:
    good, hi, lo = read_address(data, 0, length)
    out[0], out[1] = hi, lo
    return good


def read(text: bytes) -> tuple[int, int] | None:
    out = np.zeros(2, np.uint64)
    data = np.frombuffer(text + b"\0" * 8, np.uint8).copy()
    return (int(out[0]), int(out[1])) if _read(data, len(text), out) else None


def client(*headers: str, settings: ProtocolSettings = TRUSTED, first: bytes = b"") -> tuple[int, int]:
    row = one(first + request("/a", *headers), OK, protocols=settings)
    assert (row["peer_hi"], row["peer_lo"]) == address("10.0.0.1")
    return row["client_hi"], row["client_lo"]


@pytest.mark.parametrize(
    ("header", "who"),
    [
        ("X-Forwarded-For: 192.0.2.7", "192.0.2.7"),
        ("X-Forwarded-For: 203.0.113.9, 192.0.2.7, 10.0.0.5", "192.0.2.7"),
        ("X-Forwarded-For: 192.0.2.7:4711,10.0.0.5", "192.0.2.7"),
        ("X-Forwarded-For: 10.0.0.9, 10.0.0.5", "10.0.0.9"),
        ("X-Forwarded-For: unknown", "10.0.0.1"),
        ("X-Forwarded-For: <script>, 10.0.0.5", "10.0.0.5"),
        ("X-Forwarded-For:", "10.0.0.1"),
        ("X-Forwarded-For: 2001:db9::1", "2001:db9::1"),
        ("Forwarded: for=192.0.2.7;proto=http, for=10.0.0.5", "192.0.2.7"),
        ('Forwarded: proto=https;For="[2001:db9:cafe::17]:4711"', "2001:db9:cafe::17"),
        ("Forwarded: by=10.0.0.5", "10.0.0.1"),
        ("X-Real-IP: 192.0.2.7", "192.0.2.7"),
    ],
)
def test_the_first_address_from_behind_that_is_no_proxy(header: str, who: str) -> None:
    assert client(header) == address(who)


def test_nothing_counts_without_a_trusted_proxy() -> None:
    assert client("X-Forwarded-For: 192.0.2.7", settings=ProtocolSettings()) == address("10.0.0.1")
    others = ProtocolSettings(trusted_proxies=("10.9.0.0/16",))
    assert client("X-Forwarded-For: 192.0.2.7", settings=others) == address("10.0.0.1")


V2 = b"\r\n\r\n\0\r\nQUIT\n\x21"


@pytest.mark.parametrize(
    ("header", "who"),
    [
        (b"PROXY TCP4 192.0.2.7 10.0.0.2 4711 80\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db9::7 2001:db9::8 4711 80\r\n", "2001:db9::7"),
        (b"PROXY UNKNOWN\r\n", "10.0.0.1"),
        (V2 + b"\x11" + struct.pack(">H4s4sHH", 12, bytes([192, 0, 2, 7]), bytes(4), 1, 2), "192.0.2.7"),
        (V2 + b"\x21\0\x24" + bytes.fromhex("20010db9") + bytes(11) + b"\7" + bytes(20), "2001:db9::7"),
        (V2[:-1] + b"\x20" + b"\0" + struct.pack(">H", 0), "10.0.0.1"),
    ],
)
def test_a_proxy_header_at_the_start(header: bytes, who: str) -> None:
    assert client(first=header) == address(who)
    assert client(first=header, settings=ProtocolSettings()) == address("10.0.0.1")


def test_what_a_proxy_forwards_begins_behind_its_own_header() -> None:
    first = b"PROXY TCP4 10.0.0.77 10.0.0.2 4711 80\r\n"
    assert client("X-Forwarded-For: 192.0.2.7", first=first) == address("192.0.2.7")


@given(st.ip_addresses())
def test_addresses_are_read_as_python_does(ip: Any) -> None:
    assert read(str(ip).encode()) == address(str(ip))


@given(st.binary(max_size=48))
def test_what_is_read_is_an_address(text: bytes) -> None:
    found = read(text)
    if found is not None:
        inner = text.strip(bytes(range(33)) + b'"[')
        assert inner.startswith(tuple(bytes([byte]) for byte in b"0123456789abcdefABCDEF:"))


@pytest.mark.parametrize(
    "text", ["1:2:3:4:5:6:7:8", "::", "::1", "1::", "1:2::8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4"]
)
def test_forms_of_ipv6(text: str) -> None:
    number = int(ipaddress.IPv6Address(text))
    assert read(text.encode()) == (number >> 64, number & (2**64 - 1))


@pytest.mark.parametrize(
    "text", ["1.2.3", "1.2.3.4.5", "256.1.1.1", "1:2:3", "1::2::3", "1:2:3:4:5:6:7:8:9", "", "g::1"]
)
def test_what_is_no_address(text: str) -> None:
    assert read(text.encode()) is None


def test_networks_are_checked() -> None:
    assert len(networks(("10.0.0.0/8", "2001:db8::/32"))) == 8
    with pytest.raises(SettingError, match=r"trusted_proxies.*10\.0\.0\.1/8"):
        networks(("10.0.0.1/8",))
