"""What a detector is: in: one batch of transactions and of flows that ended; out: the detections in it.

The one law: the same rows give the same detections however they are cut into batches, so a detector keeps what it
needs, works in packet time, and takes from the batch alone whatever a later batch could change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Rule
from sensor.dns import NO_LOOKUPS, Lookups
from sensor.schema import CONTENT, FLOW, STREAM, TransactionFlag
from sensor.structures.entity_tables import EntityTables
from sensor.structures.string_pool import PoolTables
from sensor.tls import TlsConnection

Table = npt.NDArray[np.void]


class Strings(Protocol):
    """The string pool as detectors see it: codes of this batch's transactions, to text and to hashes."""

    tables: PoolTables

    def text(self, code: int) -> str: ...

    def gather(self, codes: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]: ...


_LOGIN_FLAGS = np.uint16(TransactionFlag.LOGIN | TransactionFlag.LOGIN_FAILED)
NO_CONTENTS = np.zeros(0, CONTENT)
NO_BYTES = np.zeros(0, np.uint8)
NO_FLOWS = np.zeros(0, FLOW)
NO_STREAMS = np.zeros(0, STREAM)


class Changed(NamedTuple):
    """Rows of the tables, by name, that were somebody else's in batch `number` - 1; 0 when that was not looked at."""

    number: int
    rows: Mapping[str, npt.NDArray[np.int32]]


NOT_SAID = Changed(0, {})


@dataclass(frozen=True, eq=False)
class Batch:
    """`transactions` TRANSACTION[n]; `flows` FLOW[m] that ended; `streams` STREAM[2 * m], rows 2*i and 2*i+1 of flow i;
    `now` its end, ns; `entities` ENTITIES[n], one for each transaction, rows of `tables`; `contents` CONTENT[n], what
    was kept of each transaction's bytes, in `arena`, uint8; `told` FLOW[k] and `told_streams` STREAM[2 * k], flows that
    carry much, as they were at `end_now` while they live: `told_bytes` of a stream was told before. `tls` are the TLS
    connections among the flows that ended, `dns` the lookups that were complete. Detectors ask Owners (owners.py) for
    what `changed` says.
    """

    transactions: Table
    flows: Table
    streams: Table
    now: int
    entities: Table
    tables: EntityTables
    contents: Table = field(default_factory=lambda: NO_CONTENTS)
    arena: npt.NDArray[np.uint8] = field(default_factory=lambda: NO_BYTES)
    told: Table = field(default_factory=lambda: NO_FLOWS)
    told_streams: Table = field(default_factory=lambda: NO_STREAMS)
    tls: Sequence[TlsConnection] = ()
    dns: Lookups = NO_LOOKUPS
    changed: Changed = field(default_factory=lambda: NOT_SAID)

    @cached_property
    def status(self) -> npt.NDArray[np.uint16]:
        """`status_code` of the transactions, one behind the other."""
        return np.ascontiguousarray(self.transactions["status_code"])

    @cached_property
    def failed(self) -> npt.NDArray[np.intp]:
        """Transactions without an answer, or whose status is 400 or more."""
        return np.flatnonzero(self.status - np.uint16(1) >= 399)  # 0 - 1 is the highest there is

    @cached_property
    def turned_away(self) -> npt.NDArray[np.intp]:
        """Transactions that are no logins and were sent to one."""
        sent = np.flatnonzero(self.status - np.uint16(300) < 100)
        away: npt.NDArray[np.bool_] = self.transactions["flags"][sent] & _LOGIN_FLAGS == TransactionFlag.LOGIN_FAILED
        return sent[away]


class Detector(Protocol):
    """Built from its slice of the settings and the string pool; one file in detectors/, one line in DETECTORS.

    One that looks at heads or bodies has an attribute `wanted`, a Wanted; without it none are kept on its behalf. One
    that must see the body of every response, whatever that costs, has `every_response`.
    One that remembers anything has `state` and `restore` as well (structures/memory.py), so that a restart costs
    nothing and a killed run ends as if it had gone on.
    """

    rules: tuple[Rule, ...]

    @property
    def evicted(self) -> int:
        """Entities that gave way to others because a table was full."""
        ...

    @property
    def faults(self) -> int:
        """Rows on which a kernel raised."""
        ...

    def process(self, batch: Batch) -> list[Detection]:
        """The detections that this batch completes, in the order of its rows for each rule."""
        ...


REPORT_SECONDS = 30
"""Packet time after which a case that goes on is reported, however little it grew; less than an alert's quiet time."""
_GROWN_SHIFT = 4


def worth_saying(now: int, count: int, told_now: int, told_count: int) -> bool:
    """Whether a case is to be told of: first, when it has grown, and after a while; 0 when it was not told before.

    What is told of last is what an alert ends with, so that it must be nearly all.
    """
    return count - told_count > told_count >> _GROWN_SHIFT or now - told_now >= nanoseconds(REPORT_SECONDS)


def sweep(
    kernel: Callable[[int], int], rows: int, progress: npt.NDArray[np.int64], collect: Callable[[int], None]
) -> int:
    """Run a kernel that resumes over all rows; returns the rows on which it raised.

    `kernel(start)` gives the row to go on with; it leaves the row it is on in progress[0] and how many hits it found in
    progress[1], which `collect` takes before it goes on. The row on which a kernel raises is left out.
    """
    start = faults = 0
    while start < rows:
        try:
            start = kernel(start)
        except IndexError:
            faults += 1
            start = int(progress[0]) + 1
        collect(int(progress[1]))
    return faults


def nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


