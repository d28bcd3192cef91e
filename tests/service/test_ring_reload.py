"""Another ring while packets are captured: every packet is read, in whichever ring it came to lie."""

from __future__ import annotations

import signal
import struct
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

from sensor.capture.layout import Count
from sensor.capture.live import LiveCapture
from sensor.config import CaptureSettings
from sensor.errors import SettingError
from tests.capture.network import cable, inside, needs_namespaces
from tests.capture.test_live import frame, raw_socket
from tests.service.test_run import manager, running, told
from tests.service.wire import stop, until

EACH = 200


def rings(*bytes_each: int) -> list[CaptureSettings]:
    return [CaptureSettings(interfaces=("near0",), ring_bytes=each, ring_block_bytes=1 << 16) for each in bytes_each]


@needs_namespaces
def test_no_packet_is_lost_while_rings_change() -> None:
    """Again and again: what was a ring becomes the next but one, and no right is needed for it."""
    first, *others = rings(1 << 20, 2 << 20, 1 << 22, 1 << 20)
    marks: list[int] = []
    with cable("tapir-rings") as wire:
        with inside(wire.near_space):
            live = LiveCapture(first)
        blocks = live.blocks()

        def read() -> None:
            """Until nothing came for a while."""
            idle = 0
            for block in islice(blocks, 1_000):
                for row in block.frames:
                    marks.append(struct.unpack(">I", bytes(block.data[row["offset"] :][: row["caplen"]][-4:]))[0])
                idle = 0 if len(block.frames) else idle + 1
                if idle > 3 and live._coming is None:
                    return

        with raw_socket(wire.far_space, wire.far) as far:
            sent = 0
            for settings in others:
                for part in ("before", "between", "after"):
                    if part == "between":
                        prepared = live.prepare(settings)
                        assert prepared.ring is not None
                    if part == "after":
                        with inside(wire.near_space):
                            live.take_over(prepared)
                    for _ in range(EACH):
                        far.send(frame(sent))
                        sent += 1
                read()
                assert live.ring_fill[1] == settings.ring_bytes >> 16
        assert set(marks) == set(range(sent))
        assert len(marks) == sent
        assert live.losses.as_dict()["dropped"] == 0
        assert live.counters[Count.FRAMES] == live.losses.as_dict()["received"] == sent
        blocks.close()


@needs_namespaces
def test_a_second_change_waits_for_the_first() -> None:
    first, second, third = rings(1 << 20, 2 << 20, 1 << 22)
    with cable("tapir-rings") as wire:
        with inside(wire.near_space):
            live = LiveCapture(first)
        blocks = live.blocks()
        live.take_over(live.prepare(second))
        with pytest.raises(SettingError, match="try again"):
            live.prepare(third)
        assert live.prepare(first).ring is None, "back to what is still being read"
        blocks.close()


@needs_namespaces
def test_a_sensor_without_rights_takes_another_ring_when_it_is_told_to(tmp_path: Path) -> None:
    settings = tmp_path / "tapir.toml"
    settings.write_text("[capture]\nring_bytes = 8388608\n")
    options = ("--settings", str(settings), "--set", f"service.control={tmp_path / 'control'}")
    with ExitStack() as stack:
        wire = stack.enter_context(cable("tapir-rings"))
        listening = stack.enter_context(manager(tmp_path))
        with inside(wire.near_space):
            process = stack.enter_context(running(tmp_path, wire.near, *options))
        told(listening, "READY=1")
        far = stack.enter_context(raw_socket(wire.far_space, wire.far))
        for mark in range(EACH):
            far.send(frame(mark))
        settings.write_text("[capture]\nring_bytes = 16777216\nring_timeout_ms = 20\n")
        process.send_signal(signal.SIGHUP)
        told(listening, "RELOADING=1")
        assert "settings reloaded" in told(listening, "READY=1")
        for mark in range(EACH, 2 * EACH):
            far.send(frame(mark))
        counters = until(process, tmp_path, lambda counters: counters["capture"]["frames"] >= 2 * EACH)
        _, said = stop(process)
    assert "settings reloaded; changed: capture.ring_bytes, capture.ring_timeout_ms" in said
    assert counters["live"]["dropped"] == 0
