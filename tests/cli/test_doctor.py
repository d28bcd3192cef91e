"""`tapir doctor` names each illness of a mirror, and calls a healthy one healthy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import dpkt
import pytest
from typer.testing import CliRunner

from sensor.cli.app import app
from sensor.cli.exit_codes import ExitCode
from tests.traffic import START, Packet, doubled, exchange, merged, one_way, write_pcap

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n" + bytes(6_000)
PCAPS = Path(__file__).parents[2] / "pcaps"


def traffic(connections: int = 20) -> list[Packet]:
    return merged(*(
        exchange(GET, OK, source_port=40_000 + i, start=START + i * 50_000_000).packets for i in range(connections)
    ))  # fmt: skip


def examined(path: Path, *more: str) -> tuple[int, dict[str, str]]:
    """Exit code, and the level of every finding that is not ok."""
    run = CliRunner().invoke(app, ["doctor", "--json", str(path), *more])
    report = json.loads(run.stdout)
    assert report["healthy"] == (run.exit_code == ExitCode.OK)
    for finding in report["findings"]:
        assert (finding["advice"] is None) == (finding["level"] == "ok")
    return run.exit_code, {row["name"]: row["level"] for row in report["findings"] if row["level"] != "ok"}


def test_a_healthy_mirror(tmp_path: Path) -> None:
    assert examined(write_pcap(tmp_path / "c.pcap", traffic())) == (ExitCode.OK, {})


@pytest.mark.parametrize(
    ("illness", "packets"),
    [
        ("duplicates", doubled(traffic())),
        ("one_sided", one_way(exchange(GET, OK).packets, 0)),
        ("missing", [packet for i, packet in enumerate(traffic()) if i % 30 != 6]),
        ("clock", [replace(packet, ts=packet.ts - (i % 9 == 8) * 5_000_000) for i, packet in enumerate(traffic())]),
        ("traffic", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_illness_alone(illness: str, packets: list[Packet], tmp_path: Path) -> None:
    code, found = examined(write_pcap(tmp_path / "c.pcap", packets))
    assert (code, found) == (ExitCode.UNHEALTHY, {illness: "trouble"})


def test_a_short_snap_length(tmp_path: Path) -> None:
    code, found = examined(write_pcap(tmp_path / "c.pcap", traffic(), snap_length=96))
    assert (code, found) == (ExitCode.UNHEALTHY, {"cut": "trouble"})


def frames_pcap(path: Path, frames: list[bytes]) -> Path:
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, nano=True)
        for i, frame in enumerate(frames):
            writer.writepkt(frame, ts=1_700_000_000 + i / 1000)
    return path


def test_what_is_not_decoded_is_named_with_its_remedy(tmp_path: Path) -> None:
    ethernet = b"\2\0\0\0\0\1\2\0\0\0\0\2"
    esp = bytes(dpkt.ip.IP(src=bytes(4), dst=b"\1\1\1\1", p=50, ttl=64, len=60, data=bytes(40)))
    path = frames_pcap(tmp_path / "c.pcap", [ethernet + b"\x08\0" + esp] * 9)
    run = CliRunner().invoke(app, ["doctor", str(path)])
    assert run.exit_code == ExitCode.UNHEALTHY
    assert "frames not decoded: encrypted" in run.stdout
    assert "mirror behind the gateway" in run.stdout


def test_large_frames_and_vlans_that_differ_are_notices(tmp_path: Path) -> None:
    frames = []
    for packet in exchange(GET, OK, mss=4_000).packets:
        transport = dpkt.tcp.TCP(
            sport=packet.sport, dport=packet.dport, seq=packet.seq, ack=packet.ack, flags=packet.flags,
            data=packet.payload,
        )  # fmt: skip
        ends = (b"\n\0\0\1", b"\n\0\0\2") if packet.dport == 80 else (b"\n\0\0\2", b"\n\0\0\1")
        ip = dpkt.ip.IP(src=ends[0], dst=ends[1], p=6, ttl=64, id=packet.ip_id, data=transport, len=packet.ip_len)
        tag = b"\x81\0\0\x0a" if packet.dport == 80 else b"\x81\0\0\x14"
        frames.append(b"\2\0\0\0\0\1\2\0\0\0\0\2" + tag + b"\x08\0" + bytes(ip))
    code, found = examined(frames_pcap(tmp_path / "c.pcap", frames))
    assert (code, found) == (ExitCode.OK, {"offload": "notice", "vlan_asymmetry": "notice"})


def test_full_tables_are_the_sensor_s_own_trouble(tmp_path: Path) -> None:
    code, found = examined(write_pcap(tmp_path / "c.pcap", traffic()), "--set", "reassembly.flows_max=4")
    assert (code, found["sensor"]) == (ExitCode.UNHEALTHY, "trouble")


@pytest.mark.parametrize("name", ["api-keepalive", "hydra-form", "cooked-sll2", "ipv6"])
def test_captures_of_our_own_are_healthy(name: str) -> None:
    assert examined(PCAPS / f"{name}.pcap")[0] == ExitCode.OK


@pytest.mark.parametrize(
    ("name", "illness"),
    [
        ("doubled-mirror", "duplicates"),
        ("responses-only", "one_sided"),
        ("lossy-mirror", "missing"),
        ("snaplen-256", "cut"),
    ],
)
def test_captures_of_our_own_that_are_ill(name: str, illness: str) -> None:
    code, found = examined(PCAPS / f"{name}.pcap")
    assert (code, found[illness]) == (ExitCode.UNHEALTHY, "trouble")


def test_text_for_people_and_the_same_line_in_every_summary(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "c.pcap", doubled(traffic()))
    examined_text = CliRunner().invoke(app, ["doctor", str(path)]).stdout
    summary = CliRunner().invoke(app, ["read", str(path)]).stdout
    assert "1 trouble found" in examined_text
    assert "packets that came twice: 50.00 %" in summary
    healthy = CliRunner().invoke(app, ["read", str(write_pcap(path, traffic()))]).stdout
    assert "mirror        healthy" in healthy


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "c.pcap").write_bytes(b"nothing of the kind")
    run = CliRunner().invoke(app, ["doctor", str(tmp_path / "c.pcap")])
    assert run.exit_code == ExitCode.INPUT
