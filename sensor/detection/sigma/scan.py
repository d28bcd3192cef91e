"""Which rules can match which rows: in: the literals of all rules; out: candidate rows, from one scan of each column.

All literals go through one Hyperscan database per pooled column; the column's distinct texts of a batch are scanned as
one buffer. The one law: a row that is no candidate cannot match; that a candidate matches is for the rule to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import hyperscan
import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Batch, Strings
from sensor.detection.sigma.column import Of
from sensor.detection.sigma.conditions import Guard
from sensor.limits import SIGMA_HITS_MAX

Rows = npt.NDArray[np.intp]


class Scan:
    """Built of the guards of rules of one table, in their order; rules without one are candidates for every row."""

    def __init__(self, of: Of, guards: Sequence[Guard | None]) -> None:
        self._of = of
        self.unguarded = [rule for rule, guard in enumerate(guards) if guard is None]
        self._rules: dict[str, list[list[int]]] = {}
        self._databases: dict[str, hyperscan.Database] = {}
        self.shed = 0
        by_literal: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for rule, guard in enumerate(guards):
            for column, literal in guard or ():
                by_literal[column][literal.lower()].add(rule)
        for column, literals in by_literal.items():
            patterns = ["".join(f"\\x{ord(char):02x}" for char in literal).encode() for literal in literals]
            database = hyperscan.Database()
            flags = [hyperscan.HS_FLAG_CASELESS] * len(patterns)
            database.compile(expressions=patterns, ids=list(range(len(patterns))), elements=len(patterns), flags=flags)
            self._databases[column] = database
            self._rules[column] = [sorted(rules) for rules in literals.values()]

    def candidates(self, batch: Batch, strings: Strings) -> dict[int, Rows]:
        """Rows of the batch's table by rule, for the rules that have a guard and any candidate."""
        found: dict[int, list[Rows]] = defaultdict(list)
        for column, database in self._databases.items():
            which, offsets, text = self._distinct(column, batch, strings)
            for literal, places in self._hits(database, offsets, text).items():
                rows = np.flatnonzero(np.isin(which, places))
                for rule in self._rules[column][literal]:
                    found[rule].append(rows)
        return {rule: np.unique(np.concatenate(parts)) for rule, parts in found.items()}

    def _distinct(
        self, column: str, batch: Batch, strings: Strings
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], bytes]:
        """Which distinct text each row has in a column, and these texts one behind the other, with their offsets."""
        if self._of is Of.TRANSACTIONS:
            codes, which = np.unique(batch.transactions[column], return_inverse=True)
            offsets, text = strings.gather(codes)
            return which, offsets, text.tobytes()
        rows = batch.dns.rows
        _, places, which = np.unique(rows["name_hash"], return_index=True, return_inverse=True)
        lengths = np.cumsum([0, *rows["query_length"][places].tolist()])
        return which, lengths, "".join(map(batch.dns.query, rows[places])).encode()

    def _hits(
        self, database: hyperscan.Database, offsets: npt.NDArray[np.int64], text: bytes
    ) -> dict[int, npt.NDArray[np.intp]]:
        """Literal -> places of the texts in which it ends."""
        ends: list[tuple[int, int]] = []

        def hit(literal: int, start: int, end: int, flags: int, context: object) -> bool | None:
            ends.append((literal, end))
            return len(ends) >= SIGMA_HITS_MAX or None

        try:
            database.scan(text, match_event_handler=hit)
        except hyperscan.ScanTerminated:
            self.shed += 1
        if not ends:
            return {}
        table = np.array(ends, np.int64)
        places = np.searchsorted(offsets, table[:, 1] - 1, side="right") - 1
        pairs = np.unique(np.column_stack([table[:, 0], places]), axis=0)
        return {int(literal): pairs[pairs[:, 0] == literal, 1] for literal in np.unique(pairs[:, 0])}
