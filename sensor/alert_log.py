"""What is kept of published alerts so that they can be asked for again: records in, chunks out.

    position   (epoch, sequence) of a record; (0, 0) stands before every record
    AlertLog   the journal on disk (sensor/alerting/journal.py), or the last alerts in memory (sensor/bus/memory_log.py)

The one law: positions of one log only grow, from one record to the next and from one run of the sensor to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sensor.counters import Counters

Position = tuple[int, int]
START: Position = (0, 0)


class Record(NamedTuple):
    """One published alert or revision, as it leaves: topic and JSON."""

    epoch: int
    sequence: int
    topic: bytes
    body: bytes

    @property
    def position(self) -> Position:
        return self.epoch, self.sequence


class Hole(NamedTuple):
    """Records `first` to `last` (both included) of `epoch` that the log no longer has, or never had."""

    epoch: int
    first: int
    last: int


@dataclass(slots=True)
class Chunk:
    """What follows a position: all that was asked for up to and with `upto`, and what is missing in between.

    `more`: the log holds records behind `upto`. `reset`: the position was not one of this log, which was made anew:
    the chunk begins at the oldest record.
    """

    upto: Position
    records: list[Record] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    more: bool = False
    reset: bool = False
    body_bytes: int = 0

    def follow(self, position: Position) -> None:
        """Go on to the next record's position; what was passed over is a hole."""
        epoch, sequence = position
        expected = self.upto[1] + 1 if epoch == self.upto[0] else 1
        if self.upto != START and sequence > expected:
            self.holes.append(Hole(epoch, expected, sequence - 1))
        self.upto = position

    def take(self, record: Record, topics: tuple[bytes, ...]) -> None:
        """Go on to the next record, and keep it when its topic starts with one of `topics`."""
        self.follow(record.position)
        if record.topic.startswith(topics):
            self.records.append(record)
            self.body_bytes += len(record.body)


class AlertLog(Protocol):
    """Keeps records in order. Used by one thread."""

    counters: Counters

    @property
    def epoch(self) -> int:
        """Of the present run: above those of all runs before."""

    @property
    def first(self) -> Position:
        """The oldest record that is held; the last position when there is none."""

    @property
    def last(self) -> Position:
        """The newest record; START when there never was one."""

    @property
    def hash(self) -> str:
        """Of the newest record and thereby of all before it; empty when the log keeps no hashes."""

    @property
    def size_bytes(self) -> int:
        """What the log takes on disk or in memory."""

    @property
    def failing(self) -> str:
        """Why records cannot be made durable at present; empty when they are."""

    @property
    def unwritten(self) -> int:
        """Records that wait in memory for the failure to pass."""

    def append(self, records: Iterable[Record]) -> None:
        """Make records durable: on return they are, unless `failing` says why not. Then they wait in memory."""

    def read(self, after: Position, topics: Sequence[bytes], records_max: int, bytes_max: int) -> Chunk:
        """What follows `after`, at most so many records and about so many bytes."""

    def tail(self) -> list[Record]:
        """The newest records that are quick to have: what earlier runs left open is looked for in them."""

    def tend(self) -> None:
        """Do what is due without a new record: try again after a failure, remove what is too old."""

    def close(self) -> None:
        """Let go of files."""
