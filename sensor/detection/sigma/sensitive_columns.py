"""How many personal data and secrets a message holds, as fields of rules: in: a batch's bodies; out: numbers.

`response_email`, `request_card` and so on, and `response_sensitive`, `request_sensitive` for all kinds together. They
are counted as the detector of sensitive data does, with check digits, and never kept. The one law: a body is looked
into once a batch, and only when a rule asks.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Batch, Strings, sweep
from sensor.detection.sensitive.kinds import KINDS, Kind
from sensor.detection.sensitive.names import name_table
from sensor.detection.sensitive.news_kernel import Progress, find_news
from sensor.detection.sensitive.strings import IDLE_NAMES
from sensor.detection.sigma.column import Column, Rows, Values, spelled
from sensor.schema import Wanted

BODY_BYTES = 16_384
"""Of each body: records beyond repeat those before."""
Counts = npt.NDArray[np.float64]
_SIDES = ("request", "response")
_HITS = 256


class _Counted:
    """One side's counts of the batch at hand, -1 for rows that nobody has asked for."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._names = name_table()
        self._idle, self._digits = np.zeros(IDLE_NAMES, np.uint64), np.zeros(32, np.uint8)
        self._hits, self._found = np.zeros(_HITS, np.int64), np.zeros(_HITS * KINDS, np.uint32)
        self._batch: weakref.ref[Batch] | None = None
        self._known = np.zeros((0, KINDS))

    def of(self, batch: Batch, rows: Rows) -> Counts:
        """Counts of these rows, by kind."""
        if self._batch is None or self._batch() is not batch:
            self._batch, self._known = weakref.ref(batch), np.full((len(batch.transactions), KINDS), -1.0)
        new = rows[self._known[rows, 0] < 0]
        if len(new):
            self._known[new] = self._count(batch, new)
        return self._known[rows]

    def _count(self, batch: Batch, rows: Rows) -> Counts:
        counts = np.zeros((len(rows), KINDS))
        if not len(batch.contents):
            return counts
        contents = batch.contents[rows]
        lengths = [f"{side}_body_len" for side in _SIDES]
        contents[lengths[1 - self._side]] = 0
        contents[lengths[self._side]] = np.minimum(contents[lengths[self._side]], BODY_BYTES)
        transactions, entities, none = batch.transactions[rows], batch.entities[rows], np.zeros(0, np.uint32)
        progress = np.zeros(len(Progress), np.int64)

        def count(start: int) -> int:
            return find_news(
                contents, batch.arena, transactions, entities, none, none, none, start, *self._names, self._idle,
                self._digits, self._hits, self._found, progress, True,
            )  # fmt: skip

        def take(hits: int) -> None:
            counts[self._hits[:hits] >> 1] = self._found.reshape(_HITS, KINDS)[:hits]

        sweep(count, len(rows), progress, take)
        counts[2 * counts[:, Kind.CARD] < counts[:, Kind.CARD_LIKE], Kind.CARD] = 0  # numbers of another sort
        counts[:, Kind.CARD_LIKE] = 0
        return counts


def _column(counted: _Counted, wanted: Wanted, kind: Kind | None) -> Column:
    def numbers(batch: Batch, rows: Rows) -> Counts:
        counts = counted.of(batch, rows)
        found: Counts = counts.sum(axis=1) if kind is None else counts[:, kind]
        return found

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        found, which = np.unique(numbers(batch, rows), return_inverse=True)
        return [spelled(value) for value in found.tolist()], which

    return Column(texts, numbers, wanted=wanted)


def _columns() -> dict[str, Column]:
    columns: dict[str, Any] = {}
    for number, side in enumerate(_SIDES):
        counted = _Counted(number)
        wanted = Wanted(response_body=BODY_BYTES) if number else Wanted(request_body=BODY_BYTES)
        columns[f"{side}_sensitive"] = _column(counted, wanted, None)
        for kind in Kind:
            if kind != Kind.CARD_LIKE:
                columns[f"{side}_{kind.name.lower()}"] = _column(counted, wanted, kind)
    return columns


SENSITIVE: Mapping[str, Column] = _columns()
