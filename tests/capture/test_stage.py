"""The stage as others use it: block sizes change nothing, real captures come out as other readers see them."""

from __future__ import annotations

import itertools

import dpkt
import pytest

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from sensor.errors import SettingError
from tests.capture.build import SHARED, START, Reading, frame, pcap, pcapng, shared_captures, write
from tests.oracles.capture_reader import read_capture

CAPTURES = shared_captures("oracle/dev/*.pcap*", "oracle/special/*.pcap*")
needs_shared = pytest.mark.skipif(not CAPTURES, reason=f"needs the public captures in {SHARED}")


@pytest.mark.parametrize("batch_frames", [1, 7, 1000, 8192, 10**9])
def test_blocks_of_any_size_give_the_same_frames(tmp_path, batch_frames):
    times = itertools.accumulate([0.001] * 20_000)
    frames = [frame(at, bytes([i % 256]) * (i % 900)) for i, at in enumerate(times)]
    frames[9000] = frames[9000]._replace(ts=START + 10**15)
    reading = Reading(write(tmp_path / "x", pcap(frames)), batch_frames=batch_frames)
    assert reading.frames == frames
    assert [i for i, flag in enumerate(reading.flags) if flag] == [9000]
    assert reading.counts["frames"] == len(frames)


def test_no_room_for_a_frame_is_a_setting_error():
    with pytest.raises(SettingError, match="batch_frames is 0"):
        CaptureStage(CaptureSettings(batch_frames=0), [])


def test_blocks_are_windows_on_one_buffer(tmp_path):
    """Nothing is copied out of the read buffer for a single input."""
    path = write(tmp_path / "x", pcap([frame(i, bytes(1400)) for i in range(10_000)]))
    buffers = {block.data.ctypes.data for block in CaptureStage(CaptureSettings(), [str(path)]).blocks()}
    assert len(buffers) == 1


@needs_shared
@pytest.mark.parametrize("path", [path for path in CAPTURES if path.suffix == ".pcap"][::9], ids=lambda path: path.name)
def test_pcap_like_dpkt(path):
    with path.open("rb") as file:
        try:
            reader = dpkt.pcap.Reader(file)
        except ValueError:
            assert Reading(path).faults or read_capture(path.read_bytes()).frames
            return
        theirs = [(round(float(at) * 1e6), bytes(body)) for at, body in reader]
    ours = Reading(path)
    assert [(each.ts // 1000, each.bytes) for each in ours.frames][: len(theirs)] == theirs
    assert len(theirs) - len(ours.frames) in (0, 1)  # dpkt gives a cut last record too
    assert bool(ours.faults) == (len(theirs) != len(ours.frames))


@needs_shared
def test_every_public_capture_like_the_plain_reader():
    for path in CAPTURES:
        expected = read_capture(path.read_bytes())
        reading = Reading(path)
        assert reading.frames == expected.frames, path
        assert [fault.offset for fault in reading.faults] == [expected.fault] * (expected.fault is not None), path


@needs_shared
def test_gzip_originals_like_their_plain_copies():
    for path in shared_captures("oracle/special/gz/*.gz"):
        plain = SHARED / "oracle" / "special" / path.stem
        if plain.exists():
            assert Reading(path).frames == Reading(plain).frames


@needs_shared
@pytest.mark.parametrize("batch_frames", [1, 7, 1000])
def test_block_size_changes_nothing_on_real_captures(batch_frames):
    paths = CAPTURES[::40]
    for path in paths:
        assert Reading(path, batch_frames=batch_frames).frames == Reading(path).frames
    several = Reading(*paths, batch_frames=batch_frames)
    assert several.frames == Reading(*paths).frames


@needs_shared
def test_one_capture_split_and_compressed_is_one_capture(tmp_path):
    """A rotated set of the real thing, in both formats, gives the frames of the whole."""
    whole = Reading(max(CAPTURES, key=lambda path: path.stat().st_size)).frames
    size = len(whole) // 5 + 1
    names = []
    for i in range(0, len(whole), size):
        build = pcap if i % 2 else pcapng
        names.append(write(tmp_path / str(i), build(whole[i : i + size])))
    assert [each.bytes for each in Reading(*reversed(names)).frames] == [each.bytes for each in whole]
