"""Compressed captures: recognised by their first bytes, whole or in several members, cut, damaged, and hostile."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys

import lz4.frame
import pytest
from backports import zstd

from sensor.capture.sources import compressed
from sensor.limits import DECODED_STEP_BYTES, READ_BUFFER_BYTES
from tests.capture.build import Reading, frame, pcap, pcapng, write

FRAMES = [frame(i / 1000, i.to_bytes(4, "big") * 100) for i in range(2000)]
CODECS = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
}


@pytest.fixture(params=["isal", "zlib"])
def gzip_library(request, monkeypatch):
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    return request.param


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("build", [pcap, pcapng])
def test_recognised_by_content_not_by_name(tmp_path, codec, build):
    reading = Reading(write(tmp_path / "no-such.bz2", CODECS[codec](build(FRAMES))))
    assert (reading.frames, reading.faults) == (FRAMES, [])
    assert reading.stage.bytes_read == reading.stage.bytes_total == (tmp_path / "no-such.bz2").stat().st_size


@pytest.mark.parametrize("codec", CODECS)
def test_several_members_are_one_stream(tmp_path, codec):
    whole = pcap(FRAMES)
    parts = [whole[:10], whole[10:1000], b"", whole[1000:]]
    reading = Reading(write(tmp_path / "x", b"".join(CODECS[codec](part) for part in parts)))
    assert (reading.frames, reading.faults) == (FRAMES, [])


def test_zlib_reads_what_isal_reads(tmp_path, gzip_library):
    whole = pcap(FRAMES)
    path = write(tmp_path / "x", gzip.compress(whole[:5000]) + gzip.compress(whole[5000:]) + bytes(512))
    assert Reading(path).frames == FRAMES


@pytest.mark.parametrize("codec", CODECS)
def test_cut_stream_gives_what_was_there(tmp_path, codec):
    packed = CODECS[codec](pcap(FRAMES))
    for cut in (1, 5, len(packed) // 2, len(packed) - 12):
        reading = Reading(write(tmp_path / "x", packed[:-cut]))
        assert reading.frames == FRAMES[: len(reading.frames)]
        [fault] = reading.faults
        assert f"the {codec} stream is cut off" in fault.problem
        assert fault.offset == len(packed) - cut


def test_cut_gzip_loses_nothing_that_can_be_decoded(tmp_path, gzip_library):
    packed = gzip.compress(pcap(FRAMES))
    assert len(Reading(write(tmp_path / "x", packed[:-8])).frames) == len(FRAMES)


@pytest.mark.parametrize("codec", CODECS)
def test_damaged_stream_is_one_fault(tmp_path, codec):
    packed = bytearray(CODECS[codec](pcap(FRAMES)))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    reading = Reading(write(tmp_path / "x", bytes(packed)))
    assert reading.frames == FRAMES[: len(reading.frames)]
    [fault] = reading.faults
    assert codec in fault.problem or "offset in the decompressed bytes" in fault.problem


@pytest.mark.parametrize("codec", ["gzip", "xz"])
def test_checksum_of_the_whole_is_checked(tmp_path, codec, gzip_library):
    packed = bytearray(CODECS[codec](pcap(FRAMES)))
    packed[-8 if codec == "gzip" else -24] ^= 1
    reading = Reading(write(tmp_path / "x", bytes(packed)))
    assert reading.frames == FRAMES[: len(reading.frames)]
    assert len(FRAMES) - len(reading.frames) <= DECODED_STEP_BYTES // 400
    assert f"the {codec} stream is damaged" in reading.faults[0].problem


def test_record_fault_says_that_its_offset_is_of_the_decompressed_bytes(tmp_path):
    [fault] = Reading(write(tmp_path / "x", gzip.compress(pcap(FRAMES)[:-1]))).faults
    assert fault.offset == len(pcap(FRAMES[:-1]))
    assert "offset in the decompressed bytes" in fault.problem


@pytest.mark.parametrize("codec", CODECS)
def test_output_is_bounded_whatever_the_ratio(codec):
    """Four bytes of zstd can stand for 128 KiB: a decoder never hands out more than it was asked for."""
    bomb = CODECS[codec](bytes(64 << 20))

    class Bomb:
        name, position, ready = "bomb", 0, True

        def readinto(self, view):
            size = min(len(view), len(bomb) - self.position)
            view[:size] = bomb[self.position : self.position + size]
            self.position += size
            return size

        def close(self):
            raise AssertionError("not closed here")

    decoded = compressed.DecodedBytes(Bomb(), compressed.codec_of(bomb[:6]), b"")
    view = memoryview(bytearray(100_000))
    total = 0
    while size := decoded.readinto(view):
        assert size <= len(view) < READ_BUFFER_BYTES
        total += size
    assert total == 64 << 20


def test_window_beyond_the_limit_is_refused(tmp_path):
    options = {zstd.CompressionParameter.window_log: 28, zstd.CompressionParameter.enable_long_distance_matching: 1}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(pcap(FRAMES)) + packer.flush()
    [fault] = Reading(write(tmp_path / "x", packed)).faults
    assert "zstd" in fault.problem


@pytest.mark.parametrize(("codec", "module"), [("zstd", "backports"), ("lz4", "lz4.frame")])
def test_missing_library_is_named(tmp_path, monkeypatch, codec, module):
    monkeypatch.setitem(sys.modules, module, None)
    [fault] = Reading(write(tmp_path / "x", CODECS[codec](pcap(FRAMES)))).faults
    assert "pip install 'tapir-sensor[compressed]'" in str(fault)


def test_unknown_codec_is_no_capture(tmp_path):
    [fault] = Reading(write(tmp_path / "x", bz2.compress(pcap(FRAMES)))).faults
    assert "is not a capture" in fault.problem
    assert "42 5a 68 39" in fault.problem


def test_compressed_standard_input():
    program = "from tests.capture.build import Reading; r = Reading('-'); print(len(r.frames), r.faults)"
    done = subprocess.run(
        [sys.executable, "-c", program], input=gzip.compress(pcap(FRAMES)), capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b"2000 []\n"
