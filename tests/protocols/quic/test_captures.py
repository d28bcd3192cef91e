"""QUIC of public captures, as TShark reads it: an analyser that shares no line with the sensor."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from tests.capture.build import SHARED
from tests.protocols.tls.reading import datagrams_by_tshark, read_tls

CAPTURES = (
    "nDPI__default__quic-v2", "nDPI__default__quic_0RTT", "nfstream__pcaps__doq", "nfstream__pcaps__quic-33",
    "nfstream__pcaps__quic_frags_ch_in_multiple_packets", "nfstream__pcaps__quic-23",
    "nfstream__pcaps__quic-27", "zeek__ppp__quic-interop-retry", "zeek__quic.interop.quic-go_quic-go__zerortt",
    "zeek__quic__chromium-115.0.5790.110-google-de-fragmented", "zeek__quic__quic-multiple-initial-fragmented-crypto",
)  # fmt: skip
needed = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@needed
@pytest.mark.parametrize("name", CAPTURES)
def test_hellos_are_those_that_tshark_sees(name: str) -> None:
    path = next(iter((SHARED / "oracle" / "special").glob(f"{name}.pcap*")), None)
    if path is None:
        pytest.skip("../shared/oracle is not there")
    rows, counts = read_tls(path)
    asked, answered = datagrams_by_tshark(path, "quic", "tls")
    quic = [row for row in rows if row.quic_version]
    assert Counter((row.server_name or "", row.ja3) for row in quic if row.ja3) == asked
    assert sum(row.cipher is not None for row in quic) == answered
    assert asked
    assert all(row.ja4 is None or row.ja4.startswith("q") for row in quic)
    assert counts["kernel_fault"] == 0
    assert read_tls(path, batch_frames=7)[0] == rows


def test_fingerprints_are_the_published_ones() -> None:
    """Of one page of Cloudflare's over TCP and QUIC: examples of github.com/FoxIO-LLC/ja4."""
    path = SHARED / "oracle" / "special" / "suricata-verify__ja4-rules__input.pcap"
    if not path.exists():
        pytest.skip("../shared/oracle is not there")
    rows, _ = read_tls(path)
    assert [(row.quic_version, row.ja4, row.established) for row in rows] == [
        (None, "t13d1516h2_8daaf6152771_e5627efa2ab1", True), ("1", "q13d0310h3_55b375c5d22e_cd85d2d88918", True),
    ]  # fmt: skip
