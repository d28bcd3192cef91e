"""DNS in whole runs: of public captures what TShark sees, and flows named by it."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sensor.api import Capture, read
from sensor.config import CaptureSettings, Settings, WorkerSettings
from tests.capture.build import SHARED
from tests.protocols.dns.messages import A, address, query, response, udp
from tests.traffic import Packet, Talk, write_pcap

CAPTURES = (
    "nDPI__default__alexa-app", "zeek__-__var-services-std-ports", "packets__-__arppoison",
    "nfstream__pcaps__anyconnect-vpn", "nfstream__pcaps__iphone", "nDPI__default__netflix",
    "nDPI__default__punycode-idn", "nDPI__default__dns-google-nsid", "nfstream__pcaps__skype",
    "nfstream__pcaps__dnscrypt-v1-and-resolver-pings", "zeek__-__dns-edns-ecs", "zeek__dns__mdns-no-assoc",
    "suricata-verify__vxlan-decoder-03__vxlan",
)  # fmt: skip
FIELDS = ("dns.id", "dns.flags.response", "dns.qry.name", "dns.qry.type", "dns.flags.rcode", "dns.time")
needed = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
Seen = Counter[tuple[int, bool, str]]


def by_tshark(path: Path) -> tuple[Seen, Counter[tuple[str, int, str]]]:
    """Messages by (id, is a response, name), and answered ones by (name, rcode, time to the microsecond)."""
    command = ["tshark", "-2", "-n", "-r", str(path), "-Y", "(dns || mdns || llmnr) && !icmp", "-T", "json"]
    for name in FIELDS:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    messages: Seen = Counter()
    answered: Counter[tuple[str, int, str]] = Counter()
    for packet in json.loads(done.stdout):
        seen = packet["_source"]["layers"]
        if "dns.qry.name" not in seen:
            continue
        name = seen["dns.qry.name"][0].lower().replace("<root>", ".")
        is_response = seen["dns.flags.response"][0] in ("1", "True")
        messages[int(seen["dns.id"][0], 16), is_response, name] += 1
        if is_response and "dns.time" in seen:
            answered[name, int(seen["dns.flags.rcode"][0]), f"{float(seen['dns.time'][0]):.6f}"] += 1
    return messages, answered


@needed
@pytest.mark.parametrize("name", CAPTURES)
def test_lookups_are_those_that_tshark_sees(name: str) -> None:
    path = next(iter((SHARED / "oracle").glob(f"*/{name}.pcap*")), None)
    if path is None:
        pytest.skip("../shared/oracle is not there")
    messages: Seen = Counter()
    answered: Counter[tuple[str, int, str]] = Counter()
    for row in read(path).dns.to_dicts():
        if row["query"] is None:
            continue
        messages[row["trans_id"], False, row["query"]] += row["queries"] or 0
        messages[row["trans_id"], True, row["query"]] += row["rcode"] is not None
        if row["rtt"] is not None:
            answered[row["query"], row["rcode"], f"{row['rtt']:.6f}"] += 1
    expected, expected_answered = by_tshark(path)
    assert +messages == expected
    assert answered == expected_answered


def captured(folder: Path, packets: list[Packet], settings: Settings | None = None) -> Capture:
    return read(write_pcap(folder / "a.pcap", packets), settings)


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(capture=CaptureSettings(batch_frames=2)), Settings(workers=WorkerSettings(count=2))],
    ids=["whole", "in batches of 2", "two workers"],
)
def test_a_row_has_zeeks_names(tmp_path: Path, settings: Settings) -> None:
    told = response("a.org", [(b"\xc0\x0c", A, 300, address("192.0.2.1"))])
    capture = captured(tmp_path, [udp(query("a.org")), udp(told, 5, back=True)], settings)
    (row,) = capture.dns.to_dicts()
    wanted = {
        "id.orig_h": "10.0.0.7", "id.orig_p": 40_000, "id.resp_h": "10.0.0.53", "id.resp_p": 53, "proto": "udp",
        "query": "a.org", "qtype_name": "A", "qclass_name": "C_INTERNET", "rcode_name": "NOERROR", "rtt": 0.005,
        "answers": ["192.0.2.1"], "answer_types": ["A"], "TTLs": [300], "RD": True, "RA": True,
        "AA": False, "vlan": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert capture.flows["service"].to_list() == ["dns"]
    assert (row["uid"], row["community_id"]) == (capture.flows["uid"][0], capture.flows["community_id"][0])


@pytest.mark.slow
def test_without_the_compiler(tmp_path: Path) -> None:
    """The kernels as plain Python give the same rows."""
    answers = [(b"\xc0\x0c", A, 300, address("192.0.2.1")), (b"\xc0\x0c", 28, 5, address("2001:db8::1"))]
    packets = [udp(query("a.org", edns=512)), udp(response("a.org", answers), 5, back=True)]
    packets.append(udp(query("b.org") + b"x", 7))
    asked = query("\xffc.org", 16, 7)
    talk = Talk(target_port=53, mss=5).open().client(struct.pack("!H", len(asked)) + asked).close()
    path = write_pcap(tmp_path / "a.pcap", [*packets, *talk.packets, udp(b"\0" * 40, 900)])
    lines = {}
    for name, environment in (("compiled", {}), ("plain", {"NUMBA_DISABLE_JIT": "1"})):
        out = tmp_path / f"{name}.jsonl"
        command = [sys.executable, "-m", "sensor", "read", str(path), "--dns", str(out), "--quiet"]
        subprocess.run(command, env=os.environ | environment, check=True, timeout=500)
        lines[name] = out.read_text().splitlines()
    assert lines["compiled"] == lines["plain"]
    assert len(lines["plain"]) == 3


def test_http_on_the_port_of_dns_is_read(tmp_path: Path) -> None:
    talk = Talk(target_port=53).open().client(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    talk.server(b"HTTP/1.1 204 No Content\r\n\r\n").close()
    capture = captured(tmp_path, talk.packets)
    assert capture.transactions["uri"].to_list() == ["/a"]
    assert capture.flows["service"].to_list() == ["http"]
    assert not len(capture.dns)


def test_a_probe_of_the_port_is_no_dns(tmp_path: Path) -> None:
    capture = captured(tmp_path, [*Talk(target_port=53).open().close().packets, udp(b"hello, is it there?")])
    assert capture.flows["service"].to_list() == [None, None]


def test_dns_over_tcp_is_a_service(tmp_path: Path) -> None:
    asked = query("a.org")
    talk = Talk(target_port=53).open().client(struct.pack("!H", len(asked)) + asked).close()
    capture = captured(tmp_path, talk.packets)
    assert capture.flows["service"].to_list() == ["dns"]
    assert capture.dns["query"].to_list() == ["a.org"]
