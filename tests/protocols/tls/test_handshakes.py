"""Real handshakes of OpenSSL, both sides in memory, as packets in every segmentation and order; and bytes that are
none.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.protocols.tls.certificates import read_certificate
from sensor.protocols.tls.hello import read_handshake
from sensor.tls import TlsConnection
from tests.protocols.tls.reading import read_tls
from tests.traffic import Talk, in_new_order, without, write_pcap

Turns = list[tuple[int, bytes]]
REQUEST, ANSWER = b"q" * 100, b"a" * 40_000
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that it signed itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("pair")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem -subj"
    subject = "/C=DE/O=Lab, Inc/CN=api.example.com"
    subprocess.run([*command.split(), subject], cwd=folder, capture_output=True, timeout=60, check=True)
    return folder


class Ends:
    """A client's and a server's context that remember sessions."""

    def __init__(self, pair: Path, version: ssl.TLSVersion) -> None:
        self.server, self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.server.load_cert_chain(pair / "cert.pem", pair / "key.pem")
        self.client.load_verify_locations(pair / "cert.pem")
        self.client.check_hostname = False
        self.client.minimum_version = self.client.maximum_version = version
        for context in (self.server, self.client):
            context.set_alpn_protocols(["h2", "http/1.1"])
        self.session: ssl.SSLSession | None = None

    def converse(self) -> Turns:
        """One connection with a request and an answer: what each side sends, in turns."""
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.client.wrap_bio(down, up, server_hostname="api.example.com", session=self.session)
        server = self.server.wrap_bio(up, down, server_side=True)
        turns: Turns = []

        def passed(bio: ssl.MemoryBIO, side: int) -> None:
            content = bio.read()
            if content:
                turns.append((side, content))
                bio.write(content)

        for _ in range(4):
            for end, bio, side in ((client, up, 0), (server, down, 1)):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                passed(bio, side)
        client.write(REQUEST)
        passed(up, 0)
        assert server.read(1_000) == REQUEST
        server.write(ANSWER)
        passed(down, 1)
        read = b""
        while len(read) < len(ANSWER):
            read += client.read(65_536)
        self.session = client.session
        return turns


def talk_of(turns: Turns, mss: int = 1_460, port: int = 8_443) -> Talk:
    talk = Talk(target_port=port, mss=mss).open()
    for side, content in turns:
        talk.say(side, content)
    return talk.close()


def only(path: Path, batch_frames: int = 8_192) -> TlsConnection:
    rows, counts = read_tls(path, batch_frames)
    assert counts["kernel_fault"] == 0
    (row,) = rows
    return row


def test_tls_12_shows_names_cipher_and_certificate(pair: Path, tmp_path: Path) -> None:
    row = only(write_pcap(tmp_path / "a.pcap", talk_of(Ends(pair, V12).converse()).packets))
    assert (row.version, row.server_name, row.next_protocol) == ("TLSv12", "api.example.com", "h2")
    assert row.offered_protocols == ("h2", "http/1.1")
    assert (row.resp_p, row.established, row.resumed, row.self_signed) == (8_443, True, False, True)
    assert row.subject == row.issuer == "CN=api.example.com,O=Lab\\, Inc,C=DE"
    assert row.not_valid_after - row.not_valid_before == 30 * 86_400
    assert (row.orig_records, row.resp_records, row.records_exact) == (1, 3, True)
    assert row.resp_record_bytes == len(ANSWER) + 3 * 24  # of AES-GCM: 8 bytes of nonce and 16 of tag


def test_tls_13_shows_no_certificate(pair: Path, tmp_path: Path) -> None:
    row = only(write_pcap(tmp_path / "a.pcap", talk_of(Ends(pair, V13).converse()).packets))
    assert (row.version, row.server_name, row.curve, row.established) == ("TLSv13", "api.example.com", "x25519", True)
    assert row.cipher == "TLS_AES_256_GCM_SHA384"
    assert (row.subject, row.certificates, row.next_protocol) == (None, 0, None)
    assert row.ja4.startswith("t13d")
    assert row.ja4[8:10] == "h2"


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_a_session_taken_up_again_is_resumed(pair: Path, tmp_path: Path, version: ssl.TLSVersion) -> None:
    ends = Ends(pair, version)
    first = only(write_pcap(tmp_path / "a.pcap", talk_of(ends.converse()).packets))
    again = only(write_pcap(tmp_path / "b.pcap", talk_of(ends.converse()).packets))
    assert (first.resumed, again.resumed) == (False, True)


@QUICK
@given(mss=st.integers(40, 1_460), batch=st.sampled_from([1, 7, 8_192]), chance=st.randoms(use_true_random=False))
def test_segments_and_their_order_change_nothing(
    pair: Path, tmp_path: Path, mss: int, batch: int, chance: random.Random
) -> None:
    turns = [(side, content[:3_000]) for side, content in Ends(pair, V12).converse()]
    whole = only(write_pcap(tmp_path / "whole.pcap", talk_of(turns).packets))
    packets = talk_of(turns, mss).packets
    places = list(range(3, len(packets) - 3))
    for place in range(0, len(places) - 1, 2):
        if chance.random() < 0.3:
            places[place], places[place + 1] = places[place + 1], places[place]
    order = [0, 1, 2, *places, *range(len(packets) - 3, len(packets))]
    row = only(write_pcap(tmp_path / "cut.pcap", in_new_order(packets, order)), batch)
    same = ("version", "cipher", "server_name", "ja3", "ja3s", "ja4", "subject", "orig_records", "resp_records")
    assert [getattr(row, name) for name in same] == [getattr(whole, name) for name in same]


def test_a_loss_inside_a_record_keeps_the_counts(pair: Path, tmp_path: Path) -> None:
    packets = talk_of(Ends(pair, V12).converse()).packets
    large = [number for number, packet in enumerate(packets) if len(packet.payload) == 1_460]
    row = only(write_pcap(tmp_path / "a.pcap", without(packets, large[-8])))
    assert (row.resp_records, row.records_exact) == (3, True)


@QUICK
@given(content=st.binary(max_size=600), hello=st.booleans())
def test_random_bytes_raise_nothing(content: bytes, hello: bool) -> None:
    read_handshake((b"\x01\0\1\0\3\3" if hello else b"") + content)
    read_certificate((b"\x30\x82\1\0" if hello else b"") + content)


@QUICK
@given(place=st.integers(0, 4_000), value=st.integers(0, 255), side=st.integers(0, 1))
def test_a_changed_byte_raises_nothing(pair: Path, tmp_path: Path, place: int, value: int, side: int) -> None:
    turns = Ends(pair, V12).converse()
    _, content = turns[side]
    place %= len(content)
    turns[side] = (side, content[:place] + bytes([value]) + content[place + 1 :])
    rows, counts = read_tls(write_pcap(tmp_path / "a.pcap", talk_of(turns).packets))
    assert len(rows) <= 1
    assert counts["kernel_fault"] == 0


def test_what_only_begins_like_tls_is_none(tmp_path: Path) -> None:
    for content in (b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\x00\x05hello", b"\x16\x02\x01\x00\x05\x01ello", b"GET / "):
        talk = Talk().open().client(content).server(content).close()
        assert read_tls(write_pcap(tmp_path / "a.pcap", talk.packets))[0] == []
