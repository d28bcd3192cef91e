"""Addresses: what can be bound and connected, and one clear line for what cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import zmq

from sensor.bus import addresses
from sensor.errors import BusError


@pytest.fixture
def xpub():
    with zmq.Context() as context, context.socket(zmq.XPUB) as xpub:
        yield xpub


@pytest.fixture
def sub():
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        yield sub


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://localhost:*", "tcp://lo:*", "tcp://*:*"])
def test_listening_tells_the_port_that_was_chosen(xpub, address):
    bound = addresses.listen(xpub, address)
    assert bound.startswith("tcp://")
    assert 0 < int(bound.rpartition(":")[2]) <= 65535


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
@pytest.mark.parametrize("address", ["tcp://[::1]:*", "tcp://[::]:*"])
def test_ipv6_is_listened_on_where_it_is_written(xpub, address):
    bound = addresses.listen(xpub, address)
    with socket.create_connection(("::1", int(bound.rpartition(":")[2])), timeout=5):
        pass


def test_an_ipc_socket_left_by_a_dead_program_is_replaced(xpub, tmp_path: Path):
    path = tmp_path / "alerts"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert addresses.listen(xpub, f"ipc://{path}") == f"ipc://{path}"


def test_an_ipc_path_is_never_taken_from_a_living_program(xpub, tmp_path: Path):
    path = tmp_path / "alerts"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(BusError, match="in use"):
            addresses.listen(xpub, f"ipc://{path}")


def test_a_file_at_an_ipc_path_is_left_alone(xpub, tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(BusError, match="no socket"):
        addresses.listen(xpub, f"ipc://{path}")
    assert path.read_text() == "mine"


def test_a_port_in_use_is_one_clear_line(xpub):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(BusError) as caught:
            addresses.listen(xpub, address)
    assert str(caught.value) == f"{address}: the address is in use: another program listens there"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:5556", "expected tcp://HOST:PORT"),
        ("udp://127.0.0.1:5556", "expected tcp://HOST:PORT"),
        ("inproc://alerts", "expected tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "expected tcp://HOST:PORT"),
        ("tcp://127.0.0.1:", "expected tcp://HOST:PORT"),
        ("tcp://127.0.0.1:5556/alerts", "expected tcp://HOST:PORT"),
        ("tcp://::1:5556", "expected tcp://HOST:PORT"),
        ("tcp://127.0.0.1:99999", "up to 65535"),
        ("tcp://192.0.2.1:5556", "no such address"),
        ("tcp://no-such-interface:5556", "no such address or interface"),
        ("ipc://", "give the path"),
        ("ipc:///no/such/folder/alerts", "folder does not exist"),
        ("ipc://" + "x" * 108, "at most 107 bytes"),
        ("", "expected tcp://HOST:PORT"),
    ],
)
def test_what_cannot_be_listened_on_is_said_in_one_line(xpub, address, told):
    with pytest.raises(BusError, match=told) as caught:
        addresses.listen(xpub, address)
    assert str(caught.value).startswith(f"{address}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["tcp://*:5556", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://127.0.0.1:70000", "ipc://"])
def test_what_can_be_listened_on_only_is_not_connected_to(sub, address):
    with pytest.raises(BusError):
        addresses.connect(sub, address)
