"""Containers as the usual programs write them: one capture, rewritten, split into sets and compressed, stays one."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import sensor
from sensor.config import CaptureSettings, Settings

PCAPS = Path(__file__).parents[2] / "pcaps"
WHOLE = PCAPS / "hydra-form.pcap"
LARGE = PCAPS / "bulk-download.pcap"


def tool(*command: str | Path) -> None:
    """Run a program; skipped where it is not installed."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)


def same(one: sensor.Capture, other: sensor.Capture) -> None:
    assert one.faults == other.faults == []
    fingerprints = ["user", "account"]
    assert one.transactions.drop(fingerprints).equals(other.transactions.drop(fingerprints))
    assert one.flows.equals(other.flows)


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng", "modpcap"])
def test_as_editcap_writes_it(kind: str, tmp_path: Path) -> None:
    tool("editcap", "-F", kind, WHOLE, tmp_path / "c")
    same(sensor.read(tmp_path / "c"), sensor.read(WHOLE))


@pytest.mark.parametrize("program", ["tshark", "tcpdump"])
def test_as_other_programs_write_it(program: str, tmp_path: Path) -> None:
    tool(program, "-r", WHOLE, "-w", tmp_path / "c")
    same(sensor.read(tmp_path / "c"), sensor.read(WHOLE))


def test_a_merge_of_two_link_types_in_one_pcapng(tmp_path: Path) -> None:
    other = PCAPS / "cooked-sll2.pcap"
    tool("mergecap", "-F", "pcapng", "-w", tmp_path / "both", WHOLE, other)
    found, alone = sensor.read(tmp_path / "both"), [sensor.read(WHOLE), sensor.read(other)]
    assert len(found.transactions) == sum(len(capture.transactions) for capture in alone)
    assert len(found.flows) == sum(len(capture.flows) for capture in alone)


@pytest.mark.parametrize(
    ("ending", "pack"),
    [("gz", gzip.compress), ("xz", lzma.compress), ("zst", None), ("lz4", None)],
    ids=["gzip", "xz", "zstd", "lz4"],
)
def test_a_compressed_set(ending: str, pack: Callable[[bytes], bytes] | None, tmp_path: Path) -> None:
    tool("editcap", "-c", "300", WHOLE, tmp_path / "part.pcapng")
    for path in sorted(tmp_path.iterdir()):
        if pack:
            (tmp_path / f"{path.name}.{ending}").write_bytes(pack(path.read_bytes()))
        else:
            tool("zstd" if ending == "zst" else "lz4", "-q", path, tmp_path / f"{path.name}.{ending}")
        path.unlink()
    same(sensor.read(tmp_path), sensor.read(WHOLE))


# --- rotating sets ---------------------------------------------------------------------------------------------------


def test_the_set_that_editcap_and_dumpcap_name(tmp_path: Path) -> None:
    """part_00000_20260101120000.pcapng and so on; connections go on from file to file."""
    tool("editcap", "-c", "97", WHOLE, tmp_path / "part.pcapng")
    assert len(list(tmp_path.iterdir())) > 10
    same(sensor.read(tmp_path), sensor.read(WHOLE))


def test_the_set_that_tcpdump_names(tmp_path: Path) -> None:
    """x, x1, x2 ... by size (-C); with -W the numbers have leading zeros."""
    stay = ("-Z", "root") if os.geteuid() == 0 else ()  # or it could not write into the folder any more
    tool("tcpdump", "-r", LARGE, "-w", tmp_path / "x", "-C", "1", *stay)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x1"]
    same(sensor.read(tmp_path), sensor.read(LARGE))


def records(path: Path) -> tuple[bytes, list[bytes]]:
    """The header of a little-endian pcap, and its records."""
    content = path.read_bytes()
    found, position = [], 24
    while position < len(content):
        stop = position + 16 + struct.unpack_from("<I", content, position + 8)[0]
        found.append(content[position:stop])
        position = stop
    return content[:24], found


def with_one_time(record: bytes) -> bytes:
    """The record at a fixed second: every frame of the set at the same time."""
    return struct.pack("<II", 1_700_000_000, 0) + record[8:]


@pytest.mark.parametrize("name", ["x{}", "{:02}.pcap", "trace-2026-01-01_{:02}.00.00.pcap"])
def test_frames_of_equal_time_come_in_the_order_of_the_files(name: str, tmp_path: Path) -> None:
    """x10 comes after x9: frames at the seam of two files often have the same time, here all have."""
    header, frames = records(WHOLE)
    frames = [with_one_time(frame) for frame in frames[:240]]
    (tmp_path / "whole").write_bytes(header + b"".join(frames))
    (tmp_path / "set").mkdir()
    for number, begin in enumerate(range(0, 240, 20)):
        path = tmp_path / "set" / name.format(number or ("" if name == "x{}" else 0))
        path.write_bytes(header + b"".join(frames[begin : begin + 20]))
    same(sensor.read(tmp_path / "set"), sensor.read(tmp_path / "whole"))


def test_a_ring_that_began_again_at_its_first_file(tmp_path: Path) -> None:
    """tcpdump -W 3: the first file is the youngest."""
    header, frames = records(WHOLE)
    third = len(frames) // 3
    for number, begin in ((1, 0), (2, third), (0, 2 * third)):
        stop = len(frames) if number == 0 else begin + third
        (tmp_path / f"ring{number}").write_bytes(header + b"".join(frames[begin:stop]))
    same(sensor.read(tmp_path), sensor.read(WHOLE))


@pytest.mark.parametrize("snap", [54, 68, 96, 200])
def test_snap_lengths_cut_bytes_and_no_figure_of_the_wire(snap: int, tmp_path: Path) -> None:
    tool("editcap", "-s", str(snap), WHOLE, tmp_path / "cut")
    cut, whole = sensor.read(tmp_path / "cut").flows, sensor.read(WHOLE).flows
    figures = [f"{side}_{what}" for side in ("orig", "resp") for what in ("pkts", "ip_bytes", "bytes", "dup_pkts")]
    for column in ("uid", "conn_state", "duration", *figures):
        assert cut[column].equals(whole[column]), column
    assert cut["missed_bytes"].sum() > 0


def test_blocks_of_one_packet_and_sets_agree(tmp_path: Path) -> None:
    tool("editcap", "-c", "500", WHOLE, tmp_path / "part.pcapng")
    single = sensor.read(tmp_path, Settings(capture=CaptureSettings(batch_frames=1)))
    same(single, sensor.read(WHOLE))
    assert isinstance(single.flows, pl.DataFrame)
