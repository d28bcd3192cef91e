"""Any bytes as a capture: the reader ends, stays in its buffer, and agrees with the plain reader on frames and fault.

    python -m tests.fuzz.capture SECONDS [SEED] [FOLDER]

mutates the captures of FOLDER (by default the public ones beside the checkout, or none) and a few made by hand. It
prints the bytes of the first input that breaks the law, in hex, and raises.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import numpy as np

from sensor.capture.layout import Count
from sensor.capture.reader import Reader, Table
from sensor.capture.sources.compressed import codec_of
from sensor.capture.sources.source import recognise
from sensor.counters import Counters
from sensor.errors import InputError
from sensor.limits import BLOCK_BYTES_MAX, NS
from sensor.schema import FRAME
from tests.capture.build import SHARED, enhanced, frame, interface, obsolete, pcap, pcapng, section, simple
from tests.oracles.capture_reader import Frame, read_capture

CORPUS_BYTES_MAX = 50_000
_DATA = np.empty(3 * BLOCK_BYTES_MAX + 64, np.uint8)
_ROWS = 64
_FRAMES, _KEYS = np.empty(_ROWS, FRAME), np.empty(_ROWS, np.int64)


class Pieces:
    """Bytes that arrive `step` at a time."""

    name, ready = "pieces", True

    def __init__(self, content: bytes, step: int) -> None:
        self.content, self.step, self.position = content, step, 0

    def readinto(self, view: memoryview) -> int:
        piece = self.content[self.position : self.position + min(self.step, len(view))]
        view[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)

    def close(self) -> None:
        self.content = b""


def read(content: bytes, step: int, start: int = 0) -> tuple[list[Frame], InputError | None]:
    """All frames of a capture in memory, read in steps into the part of a buffer that begins at `start`."""
    table = Table(_DATA, start, len(_DATA), _FRAMES, _KEYS)
    reader = Reader(recognise(Pieces(content, step)), table, 2**62, Counters(Count))
    frames = []
    while count := reader.advance():
        assert count <= _ROWS
        for offset, ts, caplen, wirelen, link, *_ in _FRAMES[:count].tolist():
            assert start <= offset <= offset + caplen <= len(_DATA)
            frames.append(Frame(ts, _DATA[offset : offset + caplen].tobytes(), wirelen, link))
    return frames, reader.fault


def check(content: bytes, step: int) -> None:
    """The law of this file, for one input."""
    try:
        frames, fault = read(content, step, step % 64)
    except InputError:
        return  # not recognised: nothing was read
    if codec_of(content):
        return  # damage to compressed bytes leaves nothing to compare with
    expected = read_capture(content)
    assert frames == expected.frames
    assert (fault.offset if fault else None) == expected.fault


def corpus(folder: Path) -> list[bytes]:
    """Captures made by hand, in each layout, then the small ones below `folder`."""
    frames = [frame(i, bytes([i]) * (7 * i)) for i in range(12)]
    made = [pcap(frames), pcap(frames, ">", nano=True), pcap(frames, modified=True)]
    made += [pcapng(frames), pcapng(frames, ">")]
    for order in "<>":
        one = interface(order, resolution=0xA0, offset=-5) + enhanced(10**15, b"body", order) + simple(b"s", order)
        two = interface(order, 113, 64, 12) + obsolete(10 * NS, b"o", order, 1)
        made.append(section(order) + one + two)
    paths = [path for path in sorted(folder.glob("**/*.pcap*")) if path.stat().st_size <= CORPUS_BYTES_MAX]
    return made + [path.read_bytes() for path in paths]


def mutate(chance: random.Random, seeds: list[bytes]) -> bytes:
    """A capture with a few bytes, lengths or pieces of it changed."""
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(6):
            case 0:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                content[place : place + 4] = chance.choice([b"\xff" * 4, bytes(4), b"\0\0\4\0", b"\x0a\x0d\x0d\x0a"])
            case 2:
                del content[place:]
            case 3:
                del content[place : place + chance.randrange(64)]
            case 4:
                content[place:place] = chance.randbytes(chance.randrange(64))
            case 5:
                donor = chance.choice(seeds)
                start = chance.randrange(len(donor))
                content[place:place] = donor[start : start + chance.randrange(400)]
    return bytes(content)


def main() -> None:
    seconds = float(sys.argv[1])
    chance = random.Random(sys.argv[2] if len(sys.argv) > 2 else "0")
    seeds = corpus(Path(sys.argv[3]) if len(sys.argv) > 3 else SHARED)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        content, step = mutate(chance, seeds), chance.choice([1, 7, 100, 65_536, 2**20])
        try:
            check(content, step)
        except Exception:
            print(f"step {step}: {content.hex()}")
            raise
        count += 1
    print(f"{count} inputs from {len(seeds)} captures, none broke the law")


if __name__ == "__main__":
    main()
