"""Capturing from interfaces: every packet once and in order, with what the system dropped counted."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sensor.capture.bpf import compile_filter
from sensor.capture.live import LiveCapture, LiveCount
from sensor.config import CaptureSettings
from sensor.errors import InputError, SettingError
from tests.capture.network import Cable, cable, inside, ip, needs_namespaces, rewire

ROOT = Path(__file__).resolve().parents[2]
IN_SPACE = """
    import struct, sys
    from sensor.capture.live import LiveCapture
    from sensor.config import CaptureSettings

    capture = LiveCapture(CaptureSettings(interfaces=tuple(sys.argv[1].split(",")), filter=sys.argv[3]))
    print("ready", flush=True)
    wanted, seen, idle = int(sys.argv[2]), [], 0
    for data, frames, now, _ in capture.blocks():
        seen += [bytes(data[f["offset"] : f["offset"] + f["caplen"]]) for f in frames]
        idle = 0 if len(frames) else idle + 1
        if len(seen) >= wanted or idle > 100:
            break
    marks = [struct.unpack(">I", each[-4:])[0] for each in seen]
    print(len(seen), marks == sorted(marks), len(set(marks)), frames["vlan"].max() if len(frames) else 0, flush=True)
"""


def raw_socket(space: str, interface: str) -> socket.socket:
    """A packet socket inside a namespace."""
    with inside(space):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        opened.bind((interface, 0))
        return opened


def frame(mark: int, vlan: int | None = None) -> bytes:
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    return b"\x02" * 12 + tag + b"\x08\x00" + bytes(60) + struct.pack(">I", mark)


def capture_in(space: str, interfaces: str, wanted: int, expression: str = "") -> subprocess.Popen[str]:
    code = textwrap.dedent(IN_SPACE)
    command = ["ip", "netns", "exec", space, sys.executable, "-c", code, interfaces, str(wanted), expression]
    started = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, cwd=ROOT)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def sent(wire: Cable, count: int, vlan: int | None = None) -> None:
    with raw_socket(wire.far_space, wire.far) as far:
        for mark in range(count):
            far.send(frame(mark, vlan))


@needs_namespaces
def test_every_packet_once_and_in_order() -> None:
    with cable("tapir-live") as wire:
        running = capture_in(wire.near_space, wire.near, 3000, "ip")
        sent(wire, 3000)
        said, _ = running.communicate(timeout=300)
    assert said.split()[:3] == ["3000", "True", "3000"]


@needs_namespaces
def test_the_tag_that_the_card_took_out_is_told() -> None:
    with cable("tapir-vlan") as wire:
        running = capture_in(wire.near_space, wire.near, 10, "ether src 02:02:02:02:02:02")
        sent(wire, 10, vlan=42)
        said, _ = running.communicate(timeout=300)
    assert said.split() == ["10", "True", "10", "42"]


@needs_namespaces
@pytest.mark.parametrize("expression", ["", "ether src 02:02:02:02:02:03"])
def test_tagged_frames_are_not_lost_though_the_system_says_so(expression: str) -> None:
    """Those with two tags it drops itself, once the sensor has them or a filter has refused them."""
    with cable("tapir-tags") as wire, inside(wire.near_space):
        capture = LiveCapture(CaptureSettings(interfaces=(wire.near,), filter=expression))
        blocks = capture.blocks()
        next(blocks)
        tags = struct.pack(">HHHH", 0x88A8, 7, 0x8100, 42)
        with raw_socket(wire.far_space, wire.far) as far:
            for mark in range(500):
                far.send(frame(mark)[:12] + tags + frame(mark)[12:])
        while capture.packets[wire.near] < 500 or capture.losses[LiveCount.CARD_UNWANTED] < 500:
            next(blocks)
        blocks.close()
    assert capture.lost[0] == 0


@needs_namespaces
def test_several_interfaces_at_once_and_no_other() -> None:
    with cable("tapir-two") as wire:
        for name in ("one0", "other0"):
            ip("-n", wire.near_space, "link", "add", name, "type", "veth", "peer", f"{name}x")
            ip("-n", wire.near_space, "link", "set", name, "up")
            ip("-n", wire.near_space, "link", "set", f"{name}x", "up")
        running = capture_in(wire.near_space, f"{wire.near},one0", 20, "ether src 02:02:02:02:02:02")
        with raw_socket(wire.near_space, "other0") as other, raw_socket(wire.near_space, "one0") as one:
            for mark in range(10):
                other.send(frame(1000 + mark))
                one.send(frame(mark))
        with raw_socket(wire.far_space, wire.far) as far:
            for mark in range(10, 20):
                far.send(frame(mark))
        said, _ = running.communicate(timeout=300)
    assert said.split()[:3] == ["20", "True", "20"]


@needs_namespaces
def test_an_interface_that_goes_and_comes_back() -> None:
    with cable("tapir-gone") as wire:
        running = capture_in(wire.near_space, wire.near, 20, "ether src 02:02:02:02:02:02")
        sent(wire, 10)
        ip("-n", wire.near_space, "link", "del", wire.near)
        rewire(wire)
        with raw_socket(wire.far_space, wire.far) as far:
            mark = 10
            while running.poll() is None:  # until it has found the interface again and seen ten more
                far.send(frame(mark))
                mark += 1
                try:
                    running.wait(0.02)
                except subprocess.TimeoutExpired:
                    continue
        said, _ = running.communicate(timeout=300)
    assert said.split()[1] == "True"
    assert int(said.split()[0]) >= 20


@needs_namespaces
def test_what_the_system_dropped_is_counted() -> None:
    with cable("tapir-drop") as wire:
        settings = CaptureSettings(interfaces=(wire.near,), ring_bytes=1 << 20, ring_block_bytes=1 << 18)
        with inside(wire.near_space):
            capture = LiveCapture(settings)
        with raw_socket(wire.far_space, wire.far) as far:
            for mark in range(20_000):
                far.send(frame(mark))
        blocks = capture.blocks()
        seen = 0
        for block in blocks:
            if not len(block.frames):
                break
            seen += len(block.frames)
        blocks.close()
        losses = capture.losses.as_dict()
    assert losses["dropped"] > 0
    assert losses["received"] - losses["dropped"] == seen
    assert losses["received"] >= 20_000


@needs_namespaces
def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(InputError, match="nosuch0: no such interface; there are: lo"):
        LiveCapture(CaptureSettings(interfaces=("nosuch0",)))


def test_a_filter_that_does_not_compile() -> None:
    with pytest.raises(SettingError, match=r"capture.filter: 'tcp prt 80' does not compile"):
        compile_filter("tcp prt 80")


def test_a_filter_is_a_program() -> None:
    assert compile_filter("") == []
    assert compile_filter("tcp port 80")[0][0] == 0x28  # load a half word: the EtherType


