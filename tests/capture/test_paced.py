"""A capture replayed at a pace: nothing before it is due, all of it in its own order, again and again."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sensor.capture.paced import PacedCapture
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from sensor.errors import InputError
from tests.traffic import SECOND, START, exchange, write_pcap

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PACKETS_AN_EXCHANGE = len(exchange(GET, OK).packets)
EXCHANGES = 20


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """Two seconds of traffic."""
    packets = []
    for number in range(EXCHANGES):
        packets += exchange(GET, OK, start=START + number * SECOND // 10, step=100_000).packets
    return str(write_pcap(tmp_path / "two-seconds.pcap", packets))


@pytest.mark.parametrize(("pace", "gather_ms"), [(10.0, 75), (10.0, 1), (40.0, 0), (40.0, 20)])
def test_no_packet_leaves_before_it_is_due(capture: str, pace: float, gather_ms: int) -> None:
    paced = PacedCapture(CaptureSettings(gather_ms=gather_ms), [capture], pace)
    began, first, seen = time.monotonic_ns(), 0, 0
    for block in paced.blocks():
        if not len(block.frames):
            continue
        first = first or int(block.frames["ts"][0])
        passed = (time.monotonic_ns() - began) * pace
        assert passed >= int(block.frames["ts"].max()) - first
        seen += len(block.frames)
        if seen == EXCHANGES * PACKETS_AN_EXCHANGE:
            break
    assert paced.waited_seconds > 0


def test_each_round_goes_on_where_the_one_before_ended(capture: str) -> None:
    (whole,) = CaptureStage(CaptureSettings(), [capture]).blocks()
    once = whole.frames["ts"] - whole.frames["ts"][0]
    paced = PacedCapture(CaptureSettings(), [capture], 0.0)
    rounds = [block.frames["ts"].copy() for block in islice(paced.blocks(), 3)]
    assert all((ts - ts[0] == once).all() for ts in rounds)
    assert (np.diff([ts[0] for ts in rounds]) > int(once.max())).all()


def test_without_a_packet_there_is_nothing_to_replay(tmp_path: Path) -> None:
    empty = write_pcap(tmp_path / "empty.pcap", [])
    with pytest.raises(InputError, match="holds no frame to replay"):
        next(PacedCapture(CaptureSettings(), [str(empty)], 1.0).blocks())
