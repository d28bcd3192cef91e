"""Public and real captures with every frame twice give what they give once; what was sent twice stays sent twice."""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import sensor
from tests.oracle.candidates import SHARED, captures

PCAPS = Path(__file__).parents[2] / "pcaps"
NAMES = ["hydra-form", "api-keepalive", "nginx-browsing", "nmap-syn", "pipelining", "ipv6", "udp-icmp"]
Record = tuple[int, bytes]


def records(path: Path) -> tuple[bytes, list[Record]]:
    """Header and (time in units of the file, bytes) of the records of a little-endian pcap."""
    content = path.read_bytes()
    units = 10**9 if content[:4] == b"\x4d\x3c\xb2\xa1" else 10**6
    found, position = [], 24
    while position < len(content):
        seconds, rest, length = struct.unpack_from("<III", content, position)
        found.append((seconds * units + rest, content[position + 16 : position + 16 + length]))
        position += 16 + length
    return content[:24], found


def write(path: Path, header: bytes, found: list[Record]) -> Path:
    units = 10**9 if header[:4] == b"\x4d\x3c\xb2\xa1" else 10**6
    rows = (struct.pack("<IIII", *divmod(ts, units), len(frame), len(frame)) + frame for ts, frame in found)
    path.write_bytes(header + b"".join(rows))
    return path


def routed(frame: bytes) -> bytes:
    """The frame behind a router: other MACs, one hop less, a VLAN."""
    if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
        return frame
    changed = bytearray(frame)
    changed[0:12] = bytes(range(12))
    changed[22 if frame[12:14] == b"\x08\x00" else 21] -= 1
    return bytes(changed[:12]) + b"\x81\x00\x00\x07" + bytes(changed[12:])


def in_vxlan(frame: bytes) -> bytes:
    """The frame as a cloud's mirror wraps it."""
    inner = b"\x08\0\0\0\0\0\x07\0" + frame
    udp = struct.pack(">HHHH", 50_000, 4_789, 8 + len(inner), 0) + inner
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\x0a\xff\0\1", b"\x0a\xff\0\2")
    return bytes(12) + b"\x08\0" + ip + udp


CHANGES = {"nothing": lambda frame: frame, "routed": routed, "in VXLAN": in_vxlan}


def same(twice: sensor.Capture, once: sensor.Capture) -> None:
    other = [name for name in once.flows.columns if "_dup_" in name]
    assert twice.flows.drop(other).equals(once.flows.drop(other))
    assert twice.transactions.drop(["user", "account"]).equals(once.transactions.drop(["user", "account"]))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("micros", [0, 30, 900, 6_000])
@pytest.mark.parametrize("name", NAMES)
def test_captures_of_our_own(name: str, micros: int, change: str, tmp_path: Path) -> None:
    header, found = records(PCAPS / f"{name}.pcap")
    after = micros * (1_000 if header[:4] == b"\x4d\x3c\xb2\xa1" else 1)
    again = [(ts + after, CHANGES[change](frame)) for ts, frame in found]
    path = write(tmp_path / "twice.pcap", header, sorted(found + again, key=lambda record: record[0]))
    twice, once = sensor.read(path), sensor.read(PCAPS / f"{name}.pcap")
    same(twice, once)
    assert twice.counters["reassembly"]["duplicate_packets"] == once.counters["reassembly"]["packets"]


def test_a_real_capture_with_every_frame_twice(tmp_path: Path) -> None:
    if not SHARED.exists():
        pytest.skip("../shared is not there")
    read = []
    for name in ("18c-06-hydra-dup", "06-hydra"):
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(lzma.decompress((SHARED / "real" / f"{name}.pcap.xz").read_bytes()))
        read.append(sensor.read(path))
    same(*read)
    assert read[0].flows["orig_dup_pkts"].equals(read[1].flows["orig_pkts"])
    assert read[0].flows["resp_dup_ip_bytes"].equals(read[1].flows["resp_ip_bytes"])


def late_retransmissions(path: Path) -> int:
    """TCP segments with payload that TShark calls retransmissions and that come over 150 ms behind the first copy."""
    fields = ("tcp.analysis.retransmission", "frame.time_epoch", "tcp.stream", "ip.src", "tcp.srcport", "tcp.seq_raw",
              "tcp.len", "tcp.flags", "tcp.ack_raw")  # fmt: skip
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp.len>0 && !icmp && ip", "-T", "fields", "-E", "separator=;"]
    for field in fields:
        command += ["-e", field]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    seen: dict[tuple[str, ...], float] = {}
    found = 0
    for line in lines:
        again, ts, *key = line.split(";")
        found += bool(again) and float(ts) - seen.get(tuple(key), float(ts)) > 0.15
        seen[tuple(key)] = float(ts)
    return found


@pytest.mark.parametrize("name", [
    "nDPI__default__ocs", "nDPI__default__webex", "nDPI__default__wow", "nfstream__pcaps__KakaoTalk_chat",
    "nfstream__pcaps__KakaoTalk_talk", "nfstream__pcaps__quickplay", "nfstream__pcaps__weibo",
])  # fmt: skip
def test_retransmissions_of_public_captures_stay(name: str) -> None:
    """All that TShark calls so and that came later than any mirror's copy are counted as sent twice."""
    paths = [path for path in captures("dev") if path.name == f"{name}.pcap"]
    if not paths:
        pytest.skip("../shared/oracle is not there")
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    late = late_retransmissions(paths[0])
    flows = sensor.read(paths[0]).flows
    assert late > 0
    assert int((flows["orig_retransmitted_bytes"] + flows["resp_retransmitted_bytes"]).sum()) >= late
