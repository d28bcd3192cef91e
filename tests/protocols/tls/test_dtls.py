"""DTLS: what OpenSSL's programs say to each other, cut, lost, reordered and mutated; public captures as TShark reads
them.
"""

from __future__ import annotations

import random
import selectors
import shutil
import socket
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sensor.api import read
from tests.capture.build import SHARED
from tests.protocols.tls.reading import datagrams_by_tshark, read_tls
from tests.traffic import MS, START, Packet, write_pcap

Turns = list[tuple[int, bytes]]
CAPTURES = ("nDPI__default__dtls", "nDPI__default__stun_google_meet")
STUN = bytes.fromhex("000100002112a442") + bytes(range(12))


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def converse(pair: Path, version: str) -> Turns:
    """What openssl s_client (0) and s_server (1) sent to each other."""
    port = free_port()
    server = subprocess.Popen(
        [*f"openssl s_server -{version} -accept {port} -mtu 400 -cipher DEFAULT@SECLEVEL=0 -cert".split(),
         str(pair / "cert.pem"), "-key", str(pair / "key.pem")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert server.stdout is not None
    while (line := server.stdout.readline()) != b"ACCEPT\n":
        assert line, "the server ended"
    turns: Turns = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as far:
        near.bind(("127.0.0.1", 0))
        far.connect(("127.0.0.1", port))
        command = f"openssl s_client -{version} -connect 127.0.0.1:{near.getsockname()[1]} -servername api.example.com"
        client = subprocess.Popen(
            [*command.split(), "-cipher", "DEFAULT@SECLEVEL=0"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _relay(near, far, turns)
        finally:
            for process in (client, server):
                process.kill()
                process.communicate(timeout=10)
    return turns


def _relay(near: socket.socket, far: socket.socket, turns: Turns) -> None:
    """Until both sides have sent an encrypted record."""
    sealed = [False, False]
    peer: Any = None
    near.setblocking(False)
    far.setblocking(False)
    with selectors.DefaultSelector() as waiting:
        waiting.register(near, selectors.EVENT_READ)
        waiting.register(far, selectors.EVENT_READ)
        while not all(sealed):
            ready = waiting.select(timeout=10)
            assert ready, f"nothing came behind {len(turns)} datagrams"
            for key, _ in ready:
                if key.fileobj is near:
                    side, (content, peer) = 0, near.recvfrom(65_536)
                    far.send(content)
                else:
                    side, content = 1, far.recv(65_536)
                    near.sendto(content, peer)
                turns.append((side, content))
                sealed[side] |= _has_epoch(content)


def _has_epoch(datagram: bytes) -> bool:
    """Whether a record of a later epoch is in it."""
    at = 0
    while at + 13 <= len(datagram):
        if datagram[at + 3 : at + 5] != b"\0\0":
            return True
        at += 13 + int.from_bytes(datagram[at + 11 : at + 13], "big")
    return False


def packets_of(turns: Turns, ports: tuple[int, int] = (50_000, 4_433)) -> list[Packet]:
    ends = (("10.0.0.1", ports[0]), ("10.0.0.2", ports[1]))
    return [
        Packet(START + i * MS, *ends[side], *ends[1 - side], payload=content, proto=17)
        for i, (side, content) in enumerate(turns)
    ]


def row_of(folder: Path, turns: Turns) -> dict[str, Any]:
    (row,) = read(write_pcap(folder / "a.pcap", packets_of(turns))).tls.to_dicts()
    return row


@pytest.fixture(scope="module")
def said(pair: Path) -> Turns:
    return converse(pair, "dtls1_2")


def test_a_connection_of_openssl(said: Turns, tmp_path: Path) -> None:
    """Its certificate comes in pieces: the server may send 400 bytes at a time."""
    capture = read(write_pcap(tmp_path / "a.pcap", packets_of(said)))
    (row,) = capture.tls.to_dicts()
    assert (row["version"], row["server_name"], row["established"]) == ("DTLSv12", "api.example.com", True)
    assert row["subject"] == "CN=api.example.com,O=Lab\\, Inc,C=DE"
    assert (row["id.orig_h"], row["id.resp_p"], row["quic_version"]) == ("10.0.0.1", 4_433, None)
    assert row["ja4"].startswith("dd2d")
    assert row["cipher"].startswith("TLS_ECDHE_")
    assert capture.flows["service"].to_list() == ["ssl"]
    assert capture.counters["tls"]["dtls_connections"] == 1


def test_the_old_version_is_named(pair: Path, tmp_path: Path) -> None:
    row = row_of(tmp_path, converse(pair, "dtls1"))
    assert (row["version"], row["ja4"][:3]) == ("DTLSv10", "dd1")


def test_other_protocols_of_the_same_ports_come_before(said: Turns, tmp_path: Path) -> None:
    whole = row_of(tmp_path, said)
    mixed = row_of(tmp_path, [(0, STUN), (1, STUN)] * 10 + said)
    same = ("server_name", "version", "cipher", "ja3", "ja4", "subject", "established", "id.orig_h")
    assert {name: mixed[name] for name in same} == {name: whole[name] for name in same}


def test_order_and_copies_do_not_matter(said: Turns, tmp_path: Path) -> None:
    """As long as a hello comes first: before it nothing says that this is DTLS."""
    whole = row_of(tmp_path, said)
    chance = random.Random(3)
    for _ in range(10):
        rest = [turn for turn in said[1:] for _ in range(chance.randint(1, 2))]
        chance.shuffle(rest)
        row = row_of(tmp_path, said[:1] + rest)
        for name in ("server_name", "version", "cipher", "ja3", "ja3s", "subject", "established"):
            assert row[name] == whole[name], name


def test_one_direction(said: Turns, tmp_path: Path) -> None:
    asked = row_of(tmp_path, [turn for turn in said if turn[0] == 0])
    assert (asked["server_name"], asked["version"], asked["established"]) == ("api.example.com", None, False)
    answered = row_of(tmp_path, [turn for turn in said if turn[0] == 1])
    assert (answered["id.resp_p"], answered["version"], answered["ja3"]) == (4_433, "DTLSv12", None)


def test_mutated_and_cut_datagrams_do_no_harm(said: Turns, tmp_path: Path) -> None:
    chance = random.Random(5)
    for _ in range(60):
        turns = []
        for side, content in said:
            changed = bytearray(content[: chance.randint(0, len(content)) if chance.random() < 0.2 else None])
            for _ in range(chance.choice([0, 1, 8])):
                if changed:
                    changed[chance.randrange(len(changed))] = chance.randrange(256)
            turns.append((side, bytes(changed)))
        counters = read(write_pcap(tmp_path / "a.pcap", packets_of(turns))).counters
        assert counters["tls"]["kernel_fault"] == counters["reassembly"]["kernel_fault"] == 0


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", CAPTURES)
def test_hellos_are_those_that_tshark_sees(name: str) -> None:
    path = next(iter((SHARED / "oracle" / "special").glob(f"{name}.pcap*")), None)
    if path is None:
        pytest.skip("../shared/oracle is not there")
    rows, counts = read_tls(path)
    asked, answered = datagrams_by_tshark(path, "dtls", "dtls")
    datagrams = [row for row in rows if (row.ja4 or "d").startswith("d")]
    assert Counter((row.server_name or "", row.ja3) for row in datagrams if row.ja3) == asked
    assert sum(row.cipher is not None for row in datagrams) == answered
    assert counts["kernel_fault"] == 0
    assert read_tls(path, batch_frames=7)[0] == rows
