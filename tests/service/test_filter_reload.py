"""Another filter while packets are captured: from then on it admits others, and nothing that it admits is lost."""

from __future__ import annotations

import struct
from itertools import islice

from sensor.capture.layout import Count
from sensor.pipeline import Pipeline
from sensor.settings_file import load_settings
from tests.capture.network import cable, inside, needs_namespaces
from tests.capture.test_live import raw_socket

HOSTS = 3


def frames_of(host: int, count: int) -> list[bytes]:
    addresses = b"\x02" * 6 + bytes([2, 0, 0, 0, 0, host])
    return [addresses + b"\x88\xb5" + bytes(46) + struct.pack(">I", mark) for mark in range(count)]


@needs_namespaces
def test_a_filter_that_changed_is_in_effect_for_the_next_packet() -> None:
    def settings(expression: str, gather_ms: int) -> list[str]:
        return [f"capture.filter={expression}", "capture.interfaces=['near0']", f"capture.gather_ms={gather_ms}"]

    with cable("tapir-sieve") as wire:
        with inside(wire.near_space):
            pipeline = Pipeline(load_settings(None, settings("ether src 02:00:00:00:00:00", 5)), [])
        live = pipeline._live
        assert live is not None
        blocks = live.blocks()

        def come(sent: int) -> int:
            """Frames admitted of those that all hosts send."""
            before = live.counters[Count.FRAMES]
            with raw_socket(wire.far_space, wire.far) as far:
                for host in range(HOSTS):
                    for frame in frames_of(host, 100):
                        far.send(frame)
            for block in islice(blocks, 100):
                if not len(block.frames) and live.counters[Count.FRAMES] - before >= sent:
                    break
            return live.counters[Count.FRAMES] - before

        assert come(100) == 100
        pipeline.take_over(pipeline.prepare(load_settings(None, settings("ether src 02:00:00:00:00:01", 6))))
        assert come(100) == 100
        pipeline.take_over(pipeline.prepare(load_settings(None, settings("", 6))))
        assert come(300) == 300
        assert live.losses.as_dict()["dropped"] == 0
        blocks.close()
