"""Real handshakes of OpenSSL, both sides in memory, as packets in every segmentation and order; and bytes that are
none.
"""

from __future__ import annotations

import random
import ssl
import statistics
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.protocols.tls.certificates import read_certificate
from sensor.protocols.tls.hello import read_handshake
from sensor.tls import TlsConnection
from tests.protocols.tls.ends import ANSWER, V12, V13, Ends, talk_of
from tests.protocols.tls.reading import read_tls
from tests.traffic import Talk, in_new_order, without, write_pcap

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


def test_records_are_measured(pair: Path, tmp_path: Path) -> None:
    """Segments are 1 ms apart, and the three records begin in the first, the 12th and the 23rd of them."""
    row = only(write_pcap(tmp_path / "a.pcap", talk_of(Ends(pair, V12).converse()).packets))
    sizes = [16_384 + 24, 16_384 + 24, len(ANSWER) - 2 * 16_384 + 24]
    assert row.resp_record_size_max == sizes[0]
    assert row.resp_record_size_mean == round(statistics.mean(sizes), 3)
    assert row.resp_record_size_deviation == round(statistics.pstdev(sizes), 3)
    assert (row.resp_record_interval_mean_ms, row.resp_record_interval_max_ms) == (11.0, 11.0)
    assert row.resp_record_interval_deviation_ms == 0.0
    assert (row.orig_record_size_max, row.orig_record_interval_mean_ms) == (100 + 24, None)


def test_tls_13_shows_no_certificate(pair: Path, tmp_path: Path) -> None:
    row = only(write_pcap(tmp_path / "a.pcap", talk_of(Ends(pair, V13).converse()).packets))
    assert (row.version, row.server_name, row.curve, row.established) == ("TLSv13", "api.example.com", "x25519", True)
    assert row.cipher == "TLS_AES_256_GCM_SHA384"
    assert (row.subject, row.certificates, row.next_protocol) == (None, 0, None)
    assert row.ja4.startswith("t13d")
    assert row.ja4[8:10] == "h2"


def test_a_client_that_has_no_certificate_though_it_is_asked_for_one(pair: Path, tmp_path: Path) -> None:
    """Its first encrypted record is an empty list, shorter than a Finished."""
    ends = Ends(pair, V13)
    ends.server.verify_mode = ssl.CERT_OPTIONAL
    ends.server.load_verify_locations(pair / "cert.pem")
    assert only(write_pcap(tmp_path / "a.pcap", talk_of(ends.converse()).packets)).established


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


def test_an_answer_of_an_early_draft_has_no_session() -> None:
    """TLS 1.3 before draft 22: version 0x7fNN, and a cipher where others have the session."""
    extension = b"\0\x33\0\x02\0\x1d"
    body = b"\x7f\x14" + bytes(32) + b"\x13\x03" + len(extension).to_bytes(2, "big") + extension
    hello = read_handshake(b"\x02" + len(body).to_bytes(3, "big") + body).server_hello
    assert hello is not None
    assert (hello.ciphers, hello.key_share, hello.session) == ((0x1303,), 0x1D, b"")


@pytest.mark.parametrize("version", [V12, V13])
def test_a_warning_before_the_answer_hides_nothing(pair: Path, tmp_path: Path, version: ssl.TLSVersion) -> None:
    """A server that does not know the name says so first (RFC 6066, 3), and goes on."""
    turns = Ends(pair, version).converse()
    warning = b"\x15\x03\x03\0\2\1\x70"
    warned = [(side, warning + content if i == 1 else content) for i, (side, content) in enumerate(turns)]
    (row,) = read_tls(write_pcap(tmp_path / "a.pcap", talk_of(warned).packets))[0]
    (plain,) = read_tls(write_pcap(tmp_path / "b.pcap", talk_of(turns).packets))[0]
    assert row.last_alert == "unrecognized_name"
    for name in ("version", "cipher", "ja3s", "subject", "certificates", "resp_records", "established"):
        assert getattr(row, name) == getattr(plain, name), name
