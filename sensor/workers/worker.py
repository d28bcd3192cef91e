"""A worker process: in: its orders, and what lies on the board; out: the transactions of its flows, the verdicts of
its detectors.

The one law: it works only while its crew waits for it, and ends when the crew does.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection
from sensor.config import DetectionSettings
from sensor.counters import Counters
from sensor.dns import Lookups
from sensor.schema import Wanted
from sensor.structures.entity_table_kernels import Use
from sensor.structures.entity_tables import EntityTables
from sensor.structures.memory import Remembering
from sensor.structures.records import copied
from sensor.structures.string_pool import StringPool
from sensor.tls import TlsConnection
from sensor.tunnel import Tunnel
from sensor.workers.board import ARENA_BYTES, TEXT_BYTES_MAX, TEXTS_MAX, Board
from sensor.workers.exchange_kernel import Out, pack, run_end

Rows = npt.NDArray[Any]
_NO_BYTES = np.zeros(0, np.uint8)
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class Order(IntEnum):
    PARSE = 0   # the hand that was dealt
    KEEP = 1    # what is wanted of messages
    JUDGE = 2   # the rows on the board
    FILLS = 3
    STATE = 4   # what one of its memories holds
    TAKE_OVER = 5  # other settings of the detectors
    END = 6


class Part(Protocol):
    """What a parser hands on."""

    @property
    def transactions(self) -> Rows: ...
    @property
    def contents(self) -> Rows: ...
    @property
    def arena(self) -> Rows: ...


class Parser(Protocol):
    """Reads the chunks of its flows; the protocols' stage."""

    counters: Counters
    pool: StringPool
    tunnels: list[Tunnel]

    def keep(self, wanted: Wanted, every_response: bool = False) -> None: ...
    def fills(self) -> dict[str, tuple[int, int]]: ...
    def process(self, data: Rows, datagrams: Rows, pages: Rows, chunks: Rows) -> Iterator[Part]: ...


class Features(Remembering, Protocol):
    """Ascribes transactions; the features' stage."""

    counters: Counters

    @property
    def tables(self) -> EntityTables: ...
    def process(self, transactions: Rows) -> Rows: ...


class Detecting(Protocol):
    """Runs detectors; the detection stage."""

    counters: Counters
    spent_ns: dict[str, int]
    resting: frozenset[str]

    @property
    def memories(self) -> Mapping[str, Remembering]: ...
    @property
    def detectors(self) -> Mapping[str, object]: ...
    def process(
        self, transactions: Rows, flows: Rows, streams: Rows, now: int, entities: Rows, tables: EntityTables,
        contents: Rows = ..., arena: Rows = ..., told: Rows = ..., told_streams: Rows = ...,
        tls: Sequence[TlsConnection] = ..., dns: Lookups = ...,
    ) -> list[Detection]: ...  # fmt: skip
    @property
    def names(self) -> frozenset[str]: ...
    def keep_only(self, names: set[str]) -> None: ...
    def prepare(self, settings: DetectionSettings) -> Any: ...
    def take_over(self, prepared: Any) -> list[str]: ...


class Judging(NamedTuple):
    """What of the board is to be judged."""

    start: int
    stop: int
    flows: int
    told: int
    now: int
    tls: Sequence[TlsConnection]
    dns: Lookups
    resting: frozenset[str]


class Verdicts(NamedTuple):
    detections: list[Detection]
    features: Rows     # counters
    detection: Rows
    spent_ns: dict[str, int]


class Worker:
    """Number `number`: one flow in so many, and the detectors in `detection`."""

    def __init__(
        self, number: int, board: Board, flows: Rows, parser: Parser, features: Features, detection: Detecting
    ) -> None:
        self._number, self._board, self._flows = number, board, flows
        self._parser, self._features, self._detection = parser, features, detection
        self._out = board.part("out", number)
        self._last = np.zeros(len(flows), np.int64)
        self._marks = np.zeros(parser.pool.strings_max, np.int64)
        self._does: Mapping[Order, Callable[[Any], object]] = {
            Order.PARSE: self._parse, Order.KEEP: lambda wanted: parser.keep(*wanted), Order.JUDGE: self._judge,
            Order.FILLS: lambda _: self._fills(), Order.STATE: self._state,
            Order.TAKE_OVER: lambda settings: detection.take_over(detection.prepare(settings)),
        }  # fmt: skip

    def serve(self, orders: Connection) -> None:
        """Do as told until told to end."""
        while True:
            order, what = orders.recv()
            if order == Order.END:
                return
            orders.send(self._does[order](what))

    def _parse(self, _: object) -> list[Tunnel]:
        """Read the hand that was dealt, and put the transactions on the board; the tunnels that it opened."""
        board, out, number = self._board, self._out, self._number
        dealt, places = board.part("dealt", number), board.part("places", number)
        count = int(board.counts[number])
        out[Out.ROWS] = 0
        out[Out.REJECTED] = -self._parser.pool.rejected
        out[Out.ARENA], out[Out.ARENA_END] = number * ARENA_BYTES, (number + 1) * ARENA_BYTES
        out[Out.TEXTS], out[Out.TEXTS_END] = number * TEXTS_MAX + 1, (number + 1) * TEXTS_MAX
        out[Out.TEXT_BYTES], out[Out.TEXT_BYTES_END] = number * TEXT_BYTES_MAX, (number + 1) * TEXT_BYTES_MAX
        rows, contents, keys = (board.part(table, number) for table in ("rows", "contents", "keys"))
        strings, start = self._parser.pool.tables, 0
        tunnels: list[Tunnel] = []
        while start < count:
            stop = run_end(dealt, places, start, count, self._last)
            out[Out.CHUNK] = start
            for part in self._parser.process(board.payload, _NO_BYTES, _NO_BYTES, dealt[start:stop]):
                pack(
                    part.transactions, part.contents, part.arena, strings.entries, strings.bytes, self._marks, dealt,
                    places, stop, self._flows, rows, contents, board.arena, board.texts, board.text_bytes, keys, out,
                )  # fmt: skip
            tunnels += self._parser.tunnels
            start = stop
        out[Out.REJECTED] += self._parser.pool.rejected
        counters = board.part("counters", number)
        counters[: len(self._parser.counters.values)] = self._parser.counters.values[: len(counters)]
        return tunnels

    def _judge(self, what: Judging) -> Verdicts:
        """What this worker's detectors say of rows on the board."""
        board = self._board
        transactions = copied(board.merged[what.start : what.stop])  # features complete them
        contents = board.merged_contents[what.start : what.stop]
        entities = self._features.process(transactions)
        self._detection.resting = what.resting
        detections = self._detection.process(
            transactions, board.ended[: what.flows], board.ended_streams[: 2 * what.flows], what.now, entities,
            self._features.tables, contents, board.arena, board.told[: what.told],
            board.told_streams[: 2 * what.told], tls=what.tls, dns=what.dns,
        )  # fmt: skip
        features, detection = self._features.counters.values, self._detection.counters.values
        return Verdicts(detections, features, detection, self._detection.spent_ns)

    def _fills(self) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
        """Of the entity tables, and of the parser's."""
        tables = self._features.tables._asdict()
        return {name: (int(each.state[Use.ROWS]), each.rows) for name, each in tables.items()}, self._parser.fills()

    def _state(self, name: str) -> dict[str, Rows]:
        memory = self._features if name == "features" else self._detection.memories[name]
        return memory.state()


def be_a_child() -> None:
    """End with the parent, and leave its signals to it: it says when it is time to stop."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
