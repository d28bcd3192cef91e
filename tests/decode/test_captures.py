"""Public captures: the slow twin agrees on every frame of all of them, TShark on the transport packets of a choice.

`../shared/oracle` holds them; without it these tests say so and are skipped.
"""

import ipaddress
import shutil
from pathlib import Path

import pytest

from sensor.config import DecodeSettings
from sensor.decode.stage import DecodeStage
from sensor.schema import Proto
from tests.decode.frames import SHARED, assert_like_twin, batch, capture_frames, readable
from tests.decode.tshark import Seen, dissect

CAPTURES = sorted((SHARED / "oracle").glob("*/*.pcap*"))
REAL = sorted((SHARED / "real").glob("*.pcap.xz"))
CHOICE = (
    "nDPI__default__1kxun.pcap", "nDPI__default__tumblr.pcap", "nfstream__pcaps__KakaoTalk_talk.pcap",
    "nfstream__pcaps__4in6tunnel.pcap", "nDPI__default__openwire.pcapng", "suricata-verify__bug-2576-01__temp6.pcap",
    "suricata-verify__bug-4810__pppoe-session-http.pcap", "suricata-verify__bug-5437-01__input.pcap",
    "suricata-verify__bug-76__input.pcap", "suricata-verify__decode-chdlc-01__hdlc-http_1tx.pcap",
    "suricata-verify__decode-nsh-type2__input.pcap", "suricata-verify__decode-sll2-01__input.pcap",
    "suricata-verify__detect-bytetest-02__input.pcap", "zeek__-__erspan.pcap", "zeek__-__mpls-in-vlan.pcap",
    "zeek__-__nflog-http.pcap", "zeek__-__vlan-qinqinq.pcap", "zeek__-__wlanmon.pcap",
    "zeek__ipv4__fragmented-syn.pcap",
    "suricata-verify__defrag.bug-6887-defrag-ppp-ipv6-tcp__frag-ppp-ipv6-tcp.pcap",
    "zeek__tunnels.gtp__gtp_ext_header.pcap", "zeek__tunnels__6in6in6.pcap", "zeek__tunnels__gre-over-udp-4754.pcap",
    "zeek__tunnels__gre-pptp.pcap", "zeek__tunnels__gre-within-gre.pcap", "zeek__tunnels__teredo-udp-in-udp.pcap",
    "zeek__tunnels__vxlan-encapsulated-http.pcap",
)  # fmt: skip
"""Every link type and tunnel that the captures have, in captures of which TShark's view is the sensor's too."""


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is missing")
def test_the_captures_are_there():
    assert len(CAPTURES) > 700
    assert REAL


@pytest.mark.skipif(not CAPTURES, reason="../shared is missing")
@pytest.mark.parametrize("first", range(0, max(len(CAPTURES), 1), 100))
def test_the_twin_agrees_on_every_public_capture(first):
    for path in CAPTURES[first : first + 100]:
        frames = capture_frames(path)
        assert_like_twin(frames, batches=3 if len(frames) < 1000 else 1)


@pytest.mark.skipif(not REAL, reason="../shared is missing")
def test_the_twin_agrees_on_traffic_in_vxlan():
    path = SHARED / "real" / "18g-09-bulk-exfil-vxlan.pcap.xz"
    assert_like_twin(capture_frames(path)[:5000])


def number(text: str) -> str:
    """One text for one address; an IPv4-mapped one is IPv4."""
    address = ipaddress.ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)


def seen_here(path: Path) -> dict[int, Seen]:
    block, index = batch(capture_frames(path))
    rows = readable(DecodeStage(DecodeSettings()).process(block, index), block)
    seen = {}
    for row in rows:
        tcp = row["proto"] == Proto.TCP
        if tcp or row["proto"] == Proto.UDP:
            named = {name: row[name] for name in ("src", "dst", "proto", "src_port", "dst_port", "vlan", "seq")}
            seen[row["frame"]] = Seen(**named, length=row["payload_len"] if tcp else -1)
    return seen


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark, from the package of that name")
@pytest.mark.skipif(not CAPTURES, reason="../shared is missing")
@pytest.mark.parametrize("name", CHOICE)
def test_tshark_sees_the_same_segments(name):
    path = next(path for path in CAPTURES if path.name == name)
    theirs = {
        frame: seen._replace(src=number(seen.src), dst=number(seen.dst)) for frame, seen in dissect(path).items()
    }
    assert theirs
    assert seen_here(path) == theirs
