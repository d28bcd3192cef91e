"""What a field of a log source is: a column that gives the distinct values of some rows, and which row has which.

A value is a tuple: some fields stand for several spellings of one thing (a URL with and without its host), and a test
holds when it holds for one of them. The one law: a test runs once for each distinct value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Batch, Strings, Table
from sensor.schema import Wanted

Rows = npt.NDArray[np.intp]
Values = tuple[list[tuple[str, ...]], npt.NDArray[np.intp]]


_FEW = 8
"""A column is made of all rows when more than one of so many are asked for: others will be."""
_REPEATING = ("host", "method", "referrer", "request_content_type", "response_content_type", "status_msg", "user_agent")


class Of(Enum):
    """Which table a log source speaks of."""

    TRANSACTIONS = "transactions"
    FLOWS = "flows"
    LOOKUPS = "lookups"

    def rows(self, batch: Batch) -> Table:
        """Of this table."""
        tables = {Of.TRANSACTIONS: batch.transactions, Of.FLOWS: batch.flows}
        return batch.dns.rows if self is Of.LOOKUPS else tables[self]

    @property
    def moments(self) -> tuple[str, str]:
        """Columns: when a row began, and at which packet time it is told."""
        return ("start_ts", "end_now") if self is Of.FLOWS else ("ts", "now")


_OCTETS = re.compile(r"(?:\\x[0-9a-f]{2})+")


def spellings(text: str) -> tuple[str, ...]:
    """A text as the string pool has it, octets that are no signs of ASCII as \\xNN, and with these read as UTF-8."""
    if "\\x" not in text:
        return (text,)
    read = _OCTETS.sub(_read, text)
    return (text,) if read == text else (text, read)


def _read(octets: re.Match[str]) -> str:
    written = octets[0]
    try:
        found = bytes.fromhex(written.replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return written
    return written if any(" " <= char <= "~" for char in found) else found  # a client wrote these itself


def spelled(value: float) -> tuple[str, ...]:
    """A number as rules write it; a negative one is absent."""
    return (f"{value:g}" if value % 1 else str(int(value)),) if value >= 0 else ()


class Column(NamedTuple):
    """`texts` gives the values of some rows; `numbers` the same as numbers where they are; `scanned` is the pooled
    column in whose text a literal of this field must occur, None when there is none; `wanted` what of messages must be
    kept for it.
    """

    texts: Callable[[Batch, Strings, Rows], Values]
    numbers: Callable[[Batch, Rows], npt.NDArray[np.float64]] | None = None
    scanned: str | None = None
    wanted: Wanted = Wanted()

    @property
    def repeats(self) -> bool:
        """Whether the same values come batch after batch."""
        return self.scanned in _REPEATING


class Asked:
    """The string pool during one batch of `total` rows: each text, and each column of all rows, is made once."""

    def __init__(self, strings: Strings, total: int) -> None:
        self._total = total
        self.tables, self.gather = strings.tables, strings.gather
        self._strings = strings
        self._texts: dict[int, str] = {}
        self._values: dict[int, Values] = {}

    def text(self, code: int) -> str:
        text = self._texts.get(code)
        if text is None:
            text = self._texts[code] = self._strings.text(code)
        return text

    def values(self, column: Column, batch: Batch, rows: Rows) -> Values:
        """`column.texts` of these rows, which are different ones in their order; with values of others among them."""
        found = self._values.get(id(column))
        if found is None:
            if _FEW * len(rows) < self._total:
                return column.texts(batch, self, rows)
            found = self._values[id(column)] = column.texts(batch, self, np.arange(self._total))
        return found if len(rows) == self._total else (found[0], found[1][rows])
