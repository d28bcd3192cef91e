"""Many expressions searched at once: in: expressions, then bytes; out: which of them match, or where.

Hyperscan is imported and a database compiled when something is first searched. The one law: expressions are matched
without regard to case over bytes, whose line ends are ordinary bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any


class Scanner:
    """Expression i is known as i. `single`: each is reported once in a search; else at every end of a match.

    `literals`: they are texts, not expressions. Raises ValueError naming an expression that does not compile.
    """

    def __init__(self, expressions: Sequence[str | bytes], single: bool = False, literals: bool = False) -> None:
        self.expressions = [part.encode() if isinstance(part, str) else part for part in expressions]
        self._single, self._literals = single, literals
        self._database: Any = None
        self._found: list[tuple[int, int]] = []

    def compile(self) -> None:
        """Build the database now instead of at the first search."""
        import hyperscan

        flags = hyperscan.HS_FLAG_CASELESS
        if not self._literals:
            flags |= hyperscan.HS_FLAG_DOTALL
        if self._single:
            flags |= hyperscan.HS_FLAG_SINGLEMATCH
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        ids = list(range(len(self.expressions)))
        try:
            database.compile(
                expressions=self.expressions, ids=ids, elements=len(ids), flags=flags, literal=self._literals
            )
        except hyperscan.HyperscanError as error:
            raise ValueError(str(error)) from None
        self._database = database

    def matches(self, octets: bytes) -> list[int]:
        """Numbers of the expressions that match, each once."""
        if not self.expressions:
            return []
        if self._database is None:
            self.compile()
        found: list[int] = []
        self._database.scan(octets, match_event_handler=lambda number, *_: found.append(number))
        return sorted(set(found))

    def positions(self, octets: bytes, limit: int) -> list[tuple[int, int]]:
        """(number, end of the match) of at most `limit` matches, in the order in which they end."""
        import hyperscan

        if not self.expressions:
            return []
        if self._database is None:
            self.compile()
        found: list[tuple[int, int]] = []

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            found.append((number, end))
            return len(found) >= limit

        with contextlib.suppress(hyperscan.ScanTerminated):
            self._database.scan(octets, match_event_handler=note)
        return found
