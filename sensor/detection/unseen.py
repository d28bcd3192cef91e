"""One memory of what was found clean, for all who look at the bytes of messages: in: contents; out: what is new.

Clients repeat themselves: most header lines of a request were in the one before. Each reader says which kinds of pieces
it wants, gets those that it has not found clean before, and says which are clean. Heads are walked once for all readers
of a pipeline. The one law: only what a reader has looked at and found clean is left out for it; what was forgotten is
looked at again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Strings
from sensor.detection.unseen_kernel import PIECE, PieceKind, Progress, collect, mark_new, note_clean, walk

Octets = npt.NDArray[np.uint8]
MEMORY_SLOTS = 1 << 16
PIECES_FIRST = 1 << 14
TEXT_BYTES = 1 << 20
PARTS_MAX = 1 << 14
READERS_MAX = 8


class Text(NamedTuple):
    """`octets`: pieces one after the other, a line end before and after each; piece numbers[k] begins at starts[k]."""

    octets: Octets
    numbers: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def pieces_at(self, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The number of the piece in which a match ends, for each end (exclusive) of a match."""
        return self.numbers[np.searchsorted(self.starts, ends - 1, side="right") - 1]


class Unseen:
    """The memory. Use unseen_of to share one."""

    def __init__(self) -> None:
        self.wants = np.zeros(len(PieceKind), np.uint8)
        self.memory = np.zeros(MEMORY_SLOTS, np.uint64)
        self.progress = np.zeros(len(Progress), np.int64)
        self.progress[[Progress.KEY0, Progress.KEY1]] = secrets.randbits(62), secrets.randbits(62)
        self.changing = np.zeros(256, np.uint8)
        self.text = np.zeros(TEXT_BYTES, np.uint8)
        self.numbers, self.starts = np.zeros(PARTS_MAX, np.int64), np.zeros(PARTS_MAX, np.int64)
        self._pieces = np.zeros(PIECES_FIRST, PIECE)
        self._names: dict[str, int] = {}
        self._present: WeakValueDictionary[int, Reader] = WeakValueDictionary()  # which hold this
        self._count = 0
        self._contents: npt.NDArray[np.void] | None = None
        self._arena: Octets | None = None
        self._taken = 0

    def reader(self, name: str, kinds: Sequence[PieceKind]) -> Reader:
        """A reader of these kinds; from its first batch on in the place of the one that had its name before.

        Raises ValueError for the ninth name.
        """
        number = self._names.setdefault(name, len(self._names))
        if number == READERS_MAX:
            raise ValueError(f"at most {READERS_MAX} readers share one memory")
        return Reader(self, 1 << number, kinds)

    def _put_in_place(self, reader: Reader) -> None:
        """Want what this reader wants, and forget what the one before it found clean: it looked for something else."""
        self._present[reader.bit] = reader
        self._contents = None
        self.wants &= np.uint8(255 - reader.bit)
        for kind in reader.kinds:
            self.wants[kind] |= np.uint8(reader.bit)
        self.memory &= ~np.uint64(reader.bit)

    def pieces(self, contents: npt.NDArray[np.void], arena: Octets, reader: Reader) -> npt.NDArray[np.void]:
        """PIECE[n] of this batch; the batch is walked again when this reader had it already."""
        bit = reader.bit
        if self._present.get(bit) is not reader:
            self._put_in_place(reader)
        if contents is not self._contents or arena is not self._arena or self._taken & bit:
            self._contents, self._arena, self._taken = contents, arena, 0
            self._count = self._walk(contents, arena)
        self._taken |= bit
        return self._pieces[: self._count]

    def _walk(self, contents: npt.NDArray[np.void], arena: Octets) -> int:
        self.progress[Progress.PIECES] = 0
        row = 0
        while True:
            row = walk(contents, arena, row, self.wants, self.memory, self.changing, self._pieces, self.progress)
            if row >= len(contents):
                return int(self.progress[Progress.PIECES])
            self._pieces = np.concatenate([self._pieces, np.zeros(len(self._pieces), PIECE)])


class Reader:
    """One who looks at pieces of these kinds; `bit` is its bit in PIECE.seen."""

    def __init__(self, unseen: Unseen, bit: int, kinds: Sequence[PieceKind]) -> None:
        self.bit, self.kinds = bit, tuple(kinds)
        self._unseen = unseen

    @property
    def wants(self) -> Octets:
        """uint8[len(PieceKind)]: bits of the readers that want a kind."""
        return self._unseen.wants

    def pieces(self, contents: npt.NDArray[np.void], arena: Octets) -> npt.NDArray[np.void]:
        """PIECE[n] of one batch, good until the next: also some that only others want or have not seen."""
        return self._unseen.pieces(contents, arena, self)

    def new(self, pieces: npt.NDArray[np.void]) -> Octets:
        """1 for each piece that this reader wants and has not found clean."""
        marks = np.empty(len(pieces), np.uint8)
        mark_new(pieces, self._unseen.wants, self.bit, marks)
        return marks

    def texts(
        self, pieces: npt.NDArray[np.void], arena: Octets, chosen: Octets, targets: bool = False
    ) -> Iterator[Text]:
        """The bytes of the chosen pieces, in as many texts as they take; each good until the next.

        `targets`: of start lines of requests the target alone.
        """
        shared, start = self._unseen, 0
        while start < len(pieces):
            start = collect(
                pieces, arena, start, chosen, targets, shared.text, shared.numbers, shared.starts, shared.progress
            )
            count, used = (int(shared.progress[part]) for part in (Progress.PIECES, Progress.BYTES))
            if count:
                yield Text(shared.text[:used], shared.numbers[:count], shared.starts[:count])

    def note_clean(self, pieces: npt.NDArray[np.void], dirty: Octets) -> None:
        """Remember the pieces that are not dirty."""
        note_clean(pieces, dirty, self._unseen.wants, self.bit, self._unseen.memory)


def target(arena: Octets, start: int, length: int) -> tuple[int, int]:
    """(start, length) of the target in the start line arena[start:start + length]."""
    line = arena[start : start + length].tobytes()
    first = line.find(b" ") + 1
    stop = length - 9 if length - first > 9 and line[-9:-8] == b" " else length
    return start + first, stop - first


_BY_POOL: WeakKeyDictionary[Strings, Unseen] = WeakKeyDictionary()


def unseen_of(strings: Strings) -> Unseen:
    """The memory that all detectors of one pipeline share: of those that were given the same string pool."""
    return _BY_POOL.setdefault(strings, Unseen())
