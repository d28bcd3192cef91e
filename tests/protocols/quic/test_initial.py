"""Initial packets: the worked examples of RFC 9001 and RFC 9369 (appendix A of each), and what may go wrong."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.protocols.quic.connection import QuicConnection, version_name
from sensor.protocols.quic.packets import INITIAL, handshake_parts, packets_of
from sensor.protocols.quic.protection import VERSION_1, VERSION_2, initial_keys, open_packet
from sensor.protocols.tls.fingerprints import ja4
from tests.protocols.quic.sealing import CLIENT_HELLO, CLIENT_ID, SERVER_HELLO, crypto, padded, seal

SERVER_ID = bytes.fromhex("f067a5502a4262b5")
DRAFTS = (0xFF000017, 0xFF00001D, 0xFF000022)


def test_keys_are_those_of_the_rfcs() -> None:
    client, server = initial_keys(VERSION_1, CLIENT_ID)
    assert (client.key.hex(), client.iv.hex()) == ("1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c")
    assert client.header.hex() == "9f50449e04a0e810283a1e9933adedd2"
    assert (server.key.hex(), server.iv.hex()) == ("cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e")
    second = initial_keys(VERSION_2, CLIENT_ID)[0]
    assert (second.key.hex(), second.iv.hex()) == ("8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f")


def test_the_clients_packet_is_that_of_rfc_9001() -> None:
    packet = seal(padded(crypto(CLIENT_HELLO)))
    assert len(packet) == 1_200
    assert packet[:38].hex() == "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b"
    assert packet[-16:].hex() == "e221af44860018ab0856972e194cd934"


def test_the_servers_packet_is_that_of_rfc_9001() -> None:
    frames = b"\x02\x00\x00\x00\x00" + crypto(SERVER_HELLO)
    server = initial_keys(VERSION_1, CLIENT_ID)[1]
    packet = seal(frames, number=1, to=b"", sender=SERVER_ID, keys=server, number_bytes=2)
    assert packet[:36].hex() == "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b639"
    assert packet[-8:].hex() == "c42158407dd074ee"
    connection = QuicConnection()
    connection.read(0, seal(padded(crypto(CLIENT_HELLO))))
    connection.read(1, packet)
    assert connection.is_done
    assert connection.handshakes[1].server_hello is not None


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2, *DRAFTS])
def test_a_connection_is_read(version: int) -> None:
    connection = QuicConnection()
    connection.read(0, seal(padded(crypto(CLIENT_HELLO)), version=version))
    hello = connection.handshakes[0].client_hello
    assert hello is not None
    assert (hello.server_name, hello.protocols) == ("example.com", ("alpn",))
    assert ja4(hello, "q").startswith("q13d0211an_")
    server = initial_keys(version, CLIENT_ID)[1]
    connection.read(1, seal(crypto(SERVER_HELLO), version=version, to=b"", sender=SERVER_ID, keys=server))
    assert connection.is_done
    assert (connection.version, connection.client, connection.unopened) == (version, 0, 0)


def test_versions_have_names() -> None:
    assert [version_name(version) for version in (VERSION_1, VERSION_2, DRAFTS[1])] == ["1", "2", "draft-29"]


def test_a_server_may_choose_version_2() -> None:
    connection = QuicConnection()
    connection.read(0, seal(padded(crypto(CLIENT_HELLO))))
    server = initial_keys(VERSION_2, CLIENT_ID)[1]
    connection.read(1, seal(crypto(SERVER_HELLO), version=VERSION_2, to=b"", sender=SERVER_ID, keys=server))
    assert (connection.is_done, connection.version) == (True, VERSION_2)


def test_behind_a_retry_the_keys_are_new() -> None:
    connection = QuicConnection()
    connection.read(0, seal(padded(crypto(b""))))
    connection.read(0, seal(padded(crypto(CLIENT_HELLO)), to=SERVER_ID, token=b"retry"))
    connection.read(1, seal(crypto(SERVER_HELLO), to=b"", keys=initial_keys(VERSION_1, SERVER_ID)[1]))
    assert connection.is_done


def test_the_client_may_be_either_direction() -> None:
    connection = QuicConnection()
    connection.read(1, seal(padded(crypto(CLIENT_HELLO))))
    assert (connection.client, connection.handshakes[1].client_hello is not None) == (1, True)


@given(st.lists(st.integers(1, len(CLIENT_HELLO) - 1), max_size=9, unique=True), st.randoms(use_true_random=False))
def test_a_hello_in_pieces_and_out_of_order(cuts: list[int], chance: random.Random) -> None:
    places = [0, *sorted(cuts), len(CLIENT_HELLO)]
    frames = [crypto(CLIENT_HELLO[begin:end], begin) for begin, end in pairwise(places)]
    frames += chance.sample(frames, min(2, len(frames)))
    chance.shuffle(frames)
    connection = QuicConnection()
    for number, frame in enumerate(frames):
        connection.read(0, seal(b"\0\x01\0" + frame + b"\0" * 40, number=number))
    hello = connection.handshakes[0].client_hello
    assert hello is not None
    assert hello.server_name == "example.com"


def test_packets_share_a_datagram() -> None:
    one = seal(padded(crypto(CLIENT_HELLO[:100])), number=0)
    two = seal(padded(crypto(CLIENT_HELLO[100:], 100)), number=1)
    connection = QuicConnection()
    connection.read(0, one + two + b"\x40rest")
    assert connection.opened == 2
    assert connection.handshakes[0].client_hello is not None


def test_acknowledgements_are_passed_over() -> None:
    without_counts = b"\x02\x05\x00\x00\x00"
    with_counts = b"\x03\x05\x00\x01\x00\x00\x00" + b"\x01\x02\x03"
    assert [part.data for part in handshake_parts(with_counts + without_counts + crypto(b"hello"))] == [b"hello"]


def test_a_close_ends_the_reading() -> None:
    assert handshake_parts(b"\x1c\x01\x06\x00" + crypto(b"hello")) == []


def test_what_does_not_authenticate_gives_nothing() -> None:
    packet = bytearray(seal(padded(crypto(CLIENT_HELLO))))
    packet[700] ^= 1
    connection = QuicConnection()
    connection.read(0, bytes(packet))
    assert (connection.opened, connection.unopened, connection.client) == (0, 1, -1)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert sum(len(packet.data) for packet in packets_of(data)) <= len(data)
    assert all(len(part.data) <= len(data) for part in handshake_parts(data))
    QuicConnection().read(0, data)


@given(st.integers(0, 1_199), st.integers(0, 255), st.integers(0, 1_200))
def test_mutated_and_cut_packets(place: int, value: int, end: int) -> None:
    packet = bytearray(seal(padded(crypto(CLIENT_HELLO))))
    packet[place] = value
    connection = QuicConnection()
    connection.read(0, bytes(packet[:end]))
    (found,) = list(packets_of(seal(b"x" * 30))) or [None]
    assert found is not None
    assert found.kind == INITIAL
    assert open_packet(found.data, found.number_at, initial_keys(1, b"other")[0]) is None


@given(st.binary(max_size=60), st.integers(0, 70_000))
def test_mutated_frames(frames: bytes, offset: int) -> None:
    connection = QuicConnection()
    connection.read(0, seal(frames + crypto(b"\x01\x00\x40\x00" + frames, offset) + bytes(24)))
    assert connection.opened == 1
