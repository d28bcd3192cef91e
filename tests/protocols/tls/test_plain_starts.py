"""TLS behind a start in clear: whatever the protocol, on any port, however it is cut into batches."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from sensor.api import Capture
from sensor.config import Settings
from tests.protocols.tls.ends import V12, V13, Ends, Turns, talk_of
from tests.protocols.tls.test_services import SMALL, TWO, seen

SAME = ("server_name", "version", "cipher", "ja3", "ja4", "resp_records", "resp_record_bytes", "established", "subject")
PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n" + bytes.fromhex("2111000c0a0102030a00000215b301bb")
MYSQL_GREETING = b"\x4a\0\0\0\x0a8.0.36\0" + bytes(64)
MYSQL_SSL = b"\x20\0\0\x01" + struct.pack("<IIB", 0x0000_AA85 | 0x0800, 1 << 24, 45) + bytes(23)
STARTS: dict[str, Turns] = {
    "SMTP": [
        (1, b"220 mail.example.com ESMTP\r\n"), (0, b"EHLO client.example.com\r\n"),
        (1, b"250-mail.example.com\r\n250-PIPELINING\r\n250 STARTTLS\r\n"), (0, b"STARTTLS\r\n"), (1, b"220 go\r\n"),
    ],
    "IMAP": [
        (1, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"), (0, b"a1 STARTTLS\r\n"), (1, b"a1 OK begin TLS\r\n"),
    ],
    "POP3": [(1, b"+OK POP3 ready\r\n"), (0, b"STLS\r\n"), (1, b"+OK\r\n")],
    "FTP": [(1, b"220 ready\r\n"), (0, b"AUTH TLS\r\n"), (1, b"234 AUTH TLS OK\r\n")],
    "LDAP": [
        (0, bytes.fromhex("301d02010177188016312e332e362e312e342e312e313436362e3230303337")),
        (1, bytes.fromhex("300c02010178070a010004000400")),
    ],
    "XMPP": [
        (0, b"<?xml version='1.0'?><stream:stream to='example.com' version='1.0'>"),
        (1, b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
        (0, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        (1, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    ],
    "PostgreSQL": [(0, struct.pack(">II", 8, 80_877_103)), (1, b"S")],
    "MySQL": [(1, MYSQL_GREETING), (0, MYSQL_SSL)],
    "RDP": [
        (0, bytes.fromhex("0300001300e00000000000010008000b000000"[:38])),
        (1, bytes.fromhex("030000130ed000001234000209080002000000")),
    ],
    "SOCKS5": [
        (0, b"\x05\x01\0"), (1, b"\x05\0"), (0, b"\x05\x01\0\x03\x0bexample.com\x01\xbb"),
        (1, b"\x05\0\0\x01" + bytes(6)),
    ],
    "PROXY 1": [(0, b"PROXY TCP4 10.1.2.3 10.0.0.2 5555 443\r\n")],
    "PROXY 2": [(0, PROXY_2)],
}  # fmt: skip


def told(capture: Capture) -> dict[str, Any]:
    (row,) = capture.tls.to_dicts()
    return {name: row[name] for name in SAME}


@pytest.mark.parametrize("name", STARTS)
def test_the_hello_behind_it_is_read_as_if_it_came_first(pair: Path, tmp_path: Path, name: str) -> None:
    turns = Ends(pair, V12).converse()
    capture = seen(tmp_path, talk_of([*STARTS[name], *turns], port=5_000).packets)
    assert told(capture) == told(seen(tmp_path, talk_of(turns).packets))
    assert capture.flows["service"].to_list() == ["ssl"]
    assert capture.tls["uid"].to_list() == capture.flows["uid"].to_list()
    assert not len(capture.transactions)


@pytest.mark.parametrize("settings", [Settings(), SMALL, TWO], ids=["whole", "in batches of 3", "two workers"])
def test_long_connections_are_counted_to_their_end(pair: Path, tmp_path: Path, settings: Settings) -> None:
    turns = Ends(pair, V13).converse()
    capture = seen(tmp_path, talk_of([*STARTS["SMTP"], *turns], mss=200).packets, settings)
    assert told(capture) == told(seen(tmp_path, talk_of(turns).packets))
    assert capture.tls["records_exact"].to_list() == [True]


@pytest.mark.parametrize("name", ["PROXY 1", "PROXY 2", "MySQL"])
def test_a_hello_in_the_same_segment(pair: Path, tmp_path: Path, name: str) -> None:
    (side, hello), *rest = Ends(pair, V13).converse()
    *before, (asking, last) = STARTS[name]
    assert side == asking == 0
    capture = seen(tmp_path, talk_of([*before, (0, last + hello), *rest]).packets)
    assert told(capture) == told(seen(tmp_path, talk_of([(0, hello), *rest]).packets))


def test_a_refused_start_stays_in_clear(tmp_path: Path) -> None:
    turns = [*STARTS["FTP"][:2], (1, b"502 no\r\n"), (0, b"USER anonymous\r\n"), (1, b"331 password\r\n")]
    capture = seen(tmp_path, talk_of(turns).packets)
    assert not len(capture.tls)
    assert capture.flows["service"].to_list() == [None]


def test_one_direction_of_it(pair: Path, tmp_path: Path) -> None:
    """Only what the server sends is seen: its hello names it as the server."""
    packets = talk_of([*STARTS["SMTP"], *Ends(pair, V12).converse()]).packets
    (row,) = seen(tmp_path, [packet for packet in packets if packet.src == "10.0.0.2"]).tls.to_dicts()
    assert (row["id.resp_h"], row["version"], row["resp_records"]) == ("10.0.0.2", "TLSv12", 3)
    (row,) = seen(tmp_path, [packet for packet in packets if packet.src == "10.0.0.1"]).tls.to_dicts()
    assert (row["id.resp_h"], row["server_name"]) == ("10.0.0.2", "api.example.com")


def test_bytes_like_a_hello_inside_http_are_http(pair: Path, tmp_path: Path) -> None:
    (_, hello), *_ = Ends(pair, V13).converse()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(hello)
    capture = seen(tmp_path, talk_of([(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, head), (1, hello)]).packets)
    assert capture.transactions["response_body_len"].to_list() == [len(hello)]
    assert not len(capture.tls)
