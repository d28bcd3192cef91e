"""Error shares of the rows of one entity table: in: errors by row and kind; out: rows whose share has left the usual.

A few steps make the window; what is older makes the baseline, unless the row was in trouble then. The one law: one
client, or a few, cannot make a spike: of each client only so many errors count as its neighbours have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.config import ErrorSpikeSettings
from sensor.detection.by_row import ByRow
from sensor.detection.carried import refill
from sensor.detection.error_shares_kernel import DOWN, REQUESTS, USUAL, WIDTH, grow_old, look_back
from sensor.structures.entity_table_kernels import Use
from sensor.structures.entity_tables import SharedTable

KINDS = ("4xx", "5xx", "401", "403", "429")
"""4xx are those that have no kind of their own."""
STEPS = 4
_LIFE_STEPS = 720.0  # steps with requests after which half of the baseline is new
_DOWN_SHARE = 0.9
_DEVIATIONS = 4.0

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


class Errors(NamedTuple):
    """Errors of the window, one for each: the row it is counted at, its client's row, its kind."""

    rows: npt.NDArray[np.int32]
    clients: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]


class Spike(NamedTuple):
    """`errors` of `requests` in the window against shares that were usual and would be too much."""

    row: int
    kind: int
    errors: int
    requests: int
    clients: int
    share: float
    threshold: float
    usual: float


def _used(table: SharedTable) -> int:
    """Rows that were ever taken: the others are not worth a look."""
    return table.reserved + int(table.state[Use.ROWS])


class Shares:
    """Counts by row of one table. `down_requests` int64[rows]: requests since a row last answered, by whole steps."""

    def __init__(self, settings: ErrorSpikeSettings) -> None:
        self.settings = settings
        self.usual = ByRow(USUAL)
        self.cells = np.zeros((STEPS, 0, WIDTH), np.int32)
        self.troubled = np.zeros(0, np.int64)  # packet time of the last tick at which the row was in trouble
        self.down_requests = np.zeros(0, np.int64)
        self.down_since = np.zeros(0, np.int64)
        self.named = np.zeros(0, np.uint8)
        self._place = np.zeros(1, np.int64)
        self._saved: Mapping[str, npt.NDArray[Any]] = {}
        self._filled = [True] * STEPS  # whether a step may have requests: those that were restored may
        self._active = np.zeros(0, np.int32)  # rows with requests in the step that is looked at
        self._silent = np.ones(1, np.int64)  # how many rows are silent for long; after a restart some may be
        self._room = np.zeros(0, np.int32)

    def _windows(self, rows: int) -> dict[str, npt.NDArray[Any]]:
        """What is kept by row besides `usual`, of the first so many rows."""
        return {
            "cells": self.cells[:, :rows], "troubled": self.troubled[:rows], "named": self.named[:rows],
            "down_requests": self.down_requests[:rows], "down_since": self.down_since[:rows], "place": self._place,
        }  # fmt: skip

    def state(self) -> dict[str, npt.NDArray[Any]]:
        usual = self.usual.state()
        return {"usual": usual, **(self._windows(len(usual)) if self.cells.shape[1] else self._saved)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        self._saved = {name: array for name, array in saved.items() if name != "usual"}
        return "usual" in saved and self.usual.restore(saved["usual"])

    def begin(self, table: SharedTable, changed: npt.NDArray[np.integer]) -> None:
        """Make room, and begin anew with rows that belong to others than before."""
        if not self.cells.shape[1]:
            self.cells = np.zeros((STEPS, table.rows, WIDTH), np.int32)
            self.troubled, self.down_requests, self.down_since = np.zeros((3, table.rows), np.int64)
            self.named = np.zeros(table.rows, np.uint8)
            self._room = np.zeros(table.rows, np.int32)
            refill(self._windows(table.rows), self._saved)
            self._saved = {}
        if len(changed):
            self.cells[:, changed] = 0
            for column in (self.troubled, self.down_requests, self.down_since, self.named):
                column[changed] = 0

    @property
    def counted(self) -> tuple[npt.NDArray[np.int32], int, npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """For the kernel: counts by step, where the present one's begin, `down_requests`, 1 for rows with a name."""
        cells = self.cells.reshape(-1)
        return cells, int(self._place[0]) * (len(cells) // STEPS), self.down_requests, self.named

    def count(self) -> None:
        """The present step is going to have requests."""
        self._filled[int(self._place[0])] = True

    def look(self, table: SharedTable, tick: int, step_ns: int) -> None:
        """At the end of a step, before the judgements: who answered in it."""
        place = int(self._place[0])
        self._active = self._room[:0]
        if self._filled[place]:
            found = look_back(
                self.cells.reshape(-1), self._begin(place), _used(table), self.down_requests, self.down_since,
                tick - step_ns, _DOWN_SHARE, self.settings.down_requests_min, self._room, self._silent,
            )  # fmt: skip
            self._active = self._room[:found]
            self._filled[place] = found > 0

    def _begin(self, place: int) -> int:
        """Where the counts of a step begin."""
        return place * (self.cells.size // STEPS)

    @property
    def is_silent(self) -> bool:
        """Whether a row may have been without an answer for long."""
        return bool(self._silent[0])

    def down(self, table: SharedTable) -> list[int]:
        """Rows with so many requests since they last answered."""
        if not self.is_silent:
            return []
        rows: list[int] = np.flatnonzero(
            self.down_requests[: _used(table)] >= self.settings.down_requests_min
        ).tolist()
        return rows

    def answered_before(self, table: SharedTable, row: int) -> bool:
        """Whether the row used to answer."""
        usual = self.usual.of(table)[row]
        requests, down = float(usual["requests"]), float(usual["errors"][DOWN])
        return requests - down >= self.settings.down_known_requests_min and down < requests / 2

    def spikes(self, table: SharedTable, errors: Errors) -> list[Spike]:
        """Rows and kinds whose share of errors is too much."""
        recent = self._active
        if not len(recent) or len(errors.rows) < self.settings.errors_min:
            return []
        sums = self.cells[:, recent].sum(axis=0)
        kinds, requests = sums[:, : len(KINDS)], sums[:, REQUESTS]
        enough = (kinds >= self.settings.errors_min).any(axis=1)
        recent, kinds, requests = recent[enough], kinds[enough], requests[enough]
        usual = self.usual.of(table)[recent]
        known = usual["requests"] >= self.settings.known_requests_min
        upper = (usual["errors"][:, : len(KINDS)] + 2.0) / (usual["requests"][:, None] + 4.0)
        limit = np.maximum(self.settings.share_min, np.minimum(self.settings.ratio_min * upper, 0.5 + upper / 2))
        suspects = known[:, None] & (kinds >= self.settings.errors_min) & (kinds >= limit * requests[:, None])
        found = []
        for at, kind in np.argwhere(suspects).tolist():
            mine = (errors.rows == recent[at]) & (errors.kinds == kind)
            of_clients = np.unique(errors.clients[mine], return_counts=True)[1]
            if len(of_clients) < self.settings.clients_min:
                continue
            counted = int(np.minimum(of_clients, max(2, round(2 * float(np.median(of_clients))))).sum())
            total = int(requests[at]) - int(of_clients.sum()) + counted
            share, expected = counted / total, float(upper[at, kind])
            noise = _DEVIATIONS * float(np.sqrt(total * expected * (1 - expected)))
            if counted < self.settings.errors_min or share < limit[at, kind] or counted < total * expected + noise:
                continue
            found.append(
                Spike(
                    int(recent[at]), kind, int(kinds[at, kind]), int(requests[at]), len(of_clients), share,
                    float(limit[at, kind]), float(usual["errors"][at, kind] / usual["requests"][at]),
                )
            )  # fmt: skip
        return found

    def step(self, table: SharedTable, tick: int, step_ns: int) -> None:
        """The present step is over; the oldest becomes part of the baseline, unless its row was in trouble."""
        self._place[0] = (self._place[0] + 1) % STEPS
        place = int(self._place[0])
        if self._filled[place]:
            grow_old(
                self.cells.reshape(-1), self._begin(place), _used(table), self.troubled, tick - STEPS * step_ns,
                self.usual.of(table).view(np.float64), 0.5 ** (1 / _LIFE_STEPS),
            )  # fmt: skip
            self._filled[place] = False
