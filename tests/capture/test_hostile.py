"""Random, cut and mutated captures: never more than one InputError on record, never a byte outside the buffer."""

from __future__ import annotations

import contextlib
import gzip
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensor.capture.reader import Reader
from sensor.capture.sources.compressed import CODECS
from sensor.errors import InputError
from tests.capture.build import SHARED, Reading, frame, pcap, pcapng, write
from tests.fuzz import capture as fuzz

MAGICS = [b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x34\xcd\xb2\xa1", b"\x0a\x0d\x0d\x0a", *CODECS]
steps = st.sampled_from([1, 13, 4096, 2**20])


@settings(deadline=None)
@given(st.sampled_from(MAGICS), st.binary(max_size=400), steps)
def test_random_bytes_behind_a_magic(magic, noise, step):
    with contextlib.suppress(InputError):  # whatever else it raises fails the test
        fuzz.read(magic + noise, step)


@settings(deadline=None)
@given(st.randoms(use_true_random=False), steps)
@example(random.Random(1), 1)
def test_mutated_captures_like_the_plain_reader(chance, step):
    fuzz.check(fuzz.mutate(chance, fuzz.corpus(SHARED / "none")), step)


@pytest.mark.parametrize("build", [pcap, pcapng])
def test_cut_at_every_byte(build):
    whole = build([frame(i, bytes(i)) for i in range(6)])
    for size in range(len(whole)):
        fuzz.check(whole[:size], step=size % 9 + 1)


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs the public captures in {SHARED}")
def test_mutated_public_captures():
    chance = random.Random(2)
    seeds = fuzz.corpus(SHARED / "oracle")
    for _ in range(300):
        fuzz.check(fuzz.mutate(chance, seeds), chance.choice([100, 65_536]))


def test_bits_flipped_in_compressed_captures(tmp_path):
    packed = gzip.compress(pcap([frame(i, bytes(100)) for i in range(100)]), mtime=0)
    for place in range(0, len(packed), 3):
        flipped = bytearray(packed)
        flipped[place] ^= 0x10
        reading = Reading(write(tmp_path / "x", bytes(flipped)))
        assert len(reading.faults) <= 1


def test_long_record_in_small_reads_is_not_moved_at_each(monkeypatch):
    """A slow drip of long frames costs what its bytes cost, not their square."""
    frames = [frame(i, bytes([i]) * 262_144) for i in range(8)]
    moved = 0
    make_room = Reader._make_room

    def counted(self):
        nonlocal moved
        moved += 1
        return make_room(self)

    monkeypatch.setattr(Reader, "_make_room", counted)
    assert fuzz.read(pcap(frames), step=64)[0] == frames
    assert moved < 3 * len(frames)
