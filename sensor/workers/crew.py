"""Several processes at one capture: in: chunks of ordered bytes, flows that ended; out: what one process would give.

    one process     capture, decode, reassembly                            alerting, outputs
    each worker                                  its flows' bytes | its detectors

Each connection, whatever tunnels it came through, is one worker's, which reads its bytes; each detector is one
worker's, which gives it every row. In between the crew brings the rows of all into the order in which their packets
came. The one law: transactions, their order and the verdicts are those of a single process, so that what is known of an
entity does not depend on how many workers there are.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection
from sensor.config import DetectionSettings
from sensor.counters import Counters
from sensor.dns import Lookups
from sensor.errors import WorkerError
from sensor.schema import Wanted
from sensor.structures.memory import Remembering, State
from sensor.structures.records import put
from sensor.structures.string_pool import StringPool
from sensor.structures.string_pool_kernels import State as PoolState
from sensor.tls import TlsConnection
from sensor.tunnel import Tunnel
from sensor.workers.board import COUNTERS_MAX, MERGED_ROWS, ROWS_MAX, TEXTS_MAX, board, shared_pool
from sensor.workers.exchange_kernel import Out, deal, intern_texts, merge
from sensor.workers.worker import Detecting, Features, Judging, Order, Parser, Verdicts, Worker, be_a_child

Rows = npt.NDArray[Any]


class Merged(NamedTuple):
    """As the protocols' stage hands on."""

    transactions: Rows
    contents: Rows
    arena: Rows
    last: bool


class Decoding(Protocol):
    """Undoes content codings; of the protocols' stage."""

    counters: Counters
    wanted: tuple[int, int]

    def decode(self, transactions: Rows, contents: Rows, arena: Rows) -> Iterator[int]: ...


class Crew:
    """Takes the place of protocols, features and detection. `workers` processes begin with `start`; before it, restore
    what `features` and `detection` remember. `tunnels`: as of the protocols' stage.

    `counters`: the protocols', with an array of its own; `parser` makes their stage, which does not decode bodies:
    `bodies` makes what does that here, for the strings given, `most` bytes of a request's and a response's.
    """

    def __init__(
        self, workers: int, flows: Rows, counters: Counters, parser: Callable[[], Parser],
        bodies: Callable[[StringPool], Decoding], most: tuple[int, int],
    ) -> None:  # fmt: skip
        self.counters, self._flows, self._parser = counters, flows, parser
        self.pool = shared_pool()
        self._bodies, self._most = bodies(self.pool), most
        self.coding = self._bodies.counters
        self._board = board(workers, len(flows))
        self._codes = np.zeros(workers * TEXTS_MAX, np.uint32)
        self._members = [_Member(number) for number in range(workers)]
        self._wanted: tuple[Wanted, bool] = (Wanted(), False)
        self._stop = 0
        self._judging = False
        self._answers: list[Verdicts] = []
        self.tunnels: list[Tunnel] = []

    def start(self, features: Features, detection: Detecting, leave: Callable[[], None]) -> None:
        """Fork the workers; detectors that look into heads and bodies cost most and are dealt first. In each, `leave`
        lets go of what is the crew's alone.
        """
        self._features, self._detection = features, detection
        names = sorted(detection.names, key=lambda name: (not _looks_inside(detection.detectors.get(name)), name))
        self._owners = {name: number % len(self._members) for number, name in enumerate(names)}
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()
        for member in self._members:
            own = {name for name, owner in self._owners.items() if owner == member.number}
            member.fork(partial(self._work, member.number, own, leave))
        gc.unfreeze()
        try:
            self._all(Order.KEEP, self._wanted)
        except WorkerError:
            self.close()
            raise

    def _work(self, number: int, own: set[str], leave: Callable[[], None], orders: Connection) -> None:
        """In the worker's process."""
        leave()
        for before in self._members[:number]:
            before.leave()
        self._detection.keep_only(own)
        worker = Worker(number, self._board, self._flows, self._parser(), self._features, self._detection)
        worker.serve(orders)

    def _all(self, order: Order, what: object = None) -> list[Any]:
        """Give an order to every worker, and wait for all answers."""
        self._collect()
        for member in self._members:
            member.tell(order, what)
        return [member.answer() for member in self._members]

    def keep(self, wanted: Wanted, every_response: bool = False) -> None:
        """As the protocols' stage."""
        self._wanted = (wanted, every_response)
        self._bodies.wanted = (min(wanted.request_body, self._most[0]), min(wanted.response_body, self._most[1]))
        if self._members[0].begun:
            self._all(Order.KEEP, self._wanted)

    def process(
        self, data: Rows, datagrams: Rows, pages: Rows, chunks: Rows, more: bool = False
    ) -> Iterator[Merged]:
        """The transactions that these chunks finish, in parts that are good until the next one is asked for."""
        here, start = self._board, 0
        self.tunnels = []
        if not len(chunks) and not more:
            yield Merged(here.merged[:0], here.merged_contents[:0], here.arena, True)
        while start < len(chunks):
            if self.pool.needs_sweep():
                self.pool.sweep()
            start = deal(
                chunks, start, data, datagrams, pages, self._flows, here.dealt, here.places, here.counts, here.payload
            )
            if here.counts.any():
                for opened in self._all(Order.PARSE):
                    self.tunnels += opened
            else:
                here.out.reshape(-1, len(Out))[:, (Out.ROWS, Out.TEXTS, Out.REJECTED)] = 0
            self._count()
            yield from self._merged(start == len(chunks))

    def _merged(self, last: bool) -> Iterator[Merged]:
        """The rows of all workers in the order of the chunks that finished them."""
        here = self._board
        out = here.out.reshape(-1, len(Out))
        for number, each in enumerate(out):
            intern_texts(
                self.pool.tables, here.texts, number * TEXTS_MAX + 1, int(each[Out.TEXTS]), here.text_bytes, self._codes
            )
        self.pool.tables.state[PoolState.REJECTED] += out[:, Out.REJECTED].sum()
        ranges = [(number * ROWS_MAX, int(each[Out.ROWS])) for number, each in enumerate(out)]
        rows = np.concatenate([np.arange(first, first + count) for first, count in ranges])
        order = rows[np.argsort(here.keys[rows], kind="stable")]
        for start in range(0, max(len(order), 1), MERGED_ROWS):
            taken = order[start : start + MERGED_ROWS]
            merge(taken, here.rows, here.contents, self._codes, here.merged, here.merged_contents)
            yield from self._decoded(len(taken), last and start + MERGED_ROWS >= len(order))

    def _decoded(self, rows: int, last: bool) -> Iterator[Merged]:
        """The merged rows, with bodies decoded, in as many parts as have room for those."""
        here, start = self._board, 0
        transactions, contents = here.merged[:rows], here.merged_contents[:rows]
        for stop in self._bodies.decode(transactions, contents, here.arena):
            self._stop = stop
            yield Merged(transactions[start:stop], contents[start:stop], here.arena, last and stop == rows)
            start = stop

    def _count(self) -> None:
        own = self._board.counters.reshape(-1, COUNTERS_MAX)
        self.counters.values[:] = own.sum(axis=0)[: len(self.counters.values)]

    def judge(
        self, transactions: Rows, flows: Rows, streams: Rows, told: Rows, told_streams: Rows, dns: Lookups, now: int,
        tls: Sequence[TlsConnection],
    ) -> None:  # fmt: skip
        """Let the detectors judge the last rows of the part that was handed out, and these flows, while the next block
        is decoded and ordered here: `verdicts` waits for them.
        """
        here = self._board
        for table, rows in (
            (here.ended, flows), (here.ended_streams, streams), (here.told, told), (here.told_streams, told_streams)
        ):  # fmt: skip
            put(table[: len(rows)], rows)
        stop = self._stop if len(transactions) else 0
        rested = self._detection.resting
        what = Judging(stop - len(transactions), stop, len(flows), len(told), now, list(tls), dns, rested)
        self._collect()
        for member in self._members:
            member.tell(Order.JUDGE, what)
        self._judging = True

    def _collect(self) -> None:
        """Take the answers of those who judge: they have to be done before anything else is asked of them."""
        if self._judging:
            self._judging = False
            self._answers = [member.answer() for member in self._members]

    def verdicts(self) -> list[Detection]:
        """What the detectors say."""
        self._collect()
        answers = self._answers
        self._features.counters.values[:] = answers[0].features
        counted = np.stack([answer.detection for answer in answers])
        self._detection.counters.values[:] = counted.sum(axis=0)
        self._detection.counters.values[:2] = counted[0, :2]  # rows that each of them saw
        for answer in answers:
            self._detection.spent_ns.update(answer.spent_ns)
        found = [detection for answer in answers for detection in answer.detections]
        return sorted(found, key=lambda detection: (detection.now, detection.rule.id))

    def take_over(self, settings: DetectionSettings) -> None:
        """Let every worker change its detectors to those of other settings, between two batches."""
        self._all(Order.TAKE_OVER, settings)

    def memories(self, memories: Mapping[str, Remembering]) -> Mapping[str, Remembering]:
        """What outlives a restart, by its name, wherever it is by then."""
        return {name: _Elsewhere(memory, name, self) for name, memory in memories.items()}

    def state_of(self, name: str) -> State | None:
        """What a memory holds; None before the workers began."""
        if not self._members[0].begun:
            return None
        self._collect()
        member = self._members[self._owners.get(name.removeprefix("detection."), 0)]
        member.tell(Order.STATE, name)
        state: State = member.answer()
        return state

    def fills(self) -> dict[str, tuple[int, int]]:
        """Of the tables that traffic fills: those of entities are alike in every worker, parsers have each their own.
        """
        answers = self._all(Order.FILLS)
        entities: dict[str, tuple[int, int]]
        entities, parsers = answers[0][0], [answer[1] for answer in answers]
        for name in parsers[0]:
            entities[name] = sum(each[name][0] for each in parsers), sum(each[name][1] for each in parsers)
        return entities

    def close(self) -> None:
        """End the workers."""
        for member in self._members:
            member.end()


class _Elsewhere:
    """A memory that is restored here, before the workers begin, and lives in one of them afterwards."""

    def __init__(self, memory: Remembering, name: str, crew: Crew) -> None:
        self._memory, self._name, self._crew = memory, name, crew
        self.restore = memory.restore

    def state(self) -> State:
        state = self._crew.state_of(self._name)
        return self._memory.state() if state is None else state


class _Member:
    """One worker as the crew sees it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.begun = False
        self._pid = 0

    def fork(self, work: Callable[[Connection], None]) -> None:
        self._orders, theirs = Pipe()
        self._pid = os.fork()
        if not self._pid:
            code = 1
            try:
                be_a_child()
                self._orders.close()
                work(theirs)
                code = 0
            except (EOFError, BrokenPipeError):
                code = 0  # the crew is gone
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()
        self.begun = True

    def leave(self) -> None:
        """In the process of another worker: this one's line is none of its business."""
        self._orders.close()

    def tell(self, order: Order, what: object) -> None:
        try:
            self._orders.send((order, what))
        except OSError as error:
            raise self._gone() from error

    def answer(self) -> Any:
        try:
            return self._orders.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error

    def _gone(self) -> WorkerError:
        self.begun = False
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return WorkerError(f"worker {self.number + 1} {how}: start again; what it learned since the checkpoint is lost")

    def end(self) -> None:
        if self.begun:
            self.begun = False
            with suppress(OSError):  # it ended before
                self._orders.send((Order.END, None))
            self._orders.close()  # so that it waits for nobody to take its answer
            os.waitpid(self._pid, 0)


def _looks_inside(detector: object) -> bool:
    """Whether it asks for heads or bodies."""
    return any(getattr(detector, "wanted", Wanted()))
