"""Many expressions searched at once: in: expressions, then bytes; out: which of them match, or where.

Hyperscan is imported and a database compiled, or loaded from the cache, when something is first searched. The one law:
expressions are matched without regard to case over bytes, whose line ends are ordinary bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sensor._jit import cache_folder


def _kept(expressions: Sequence[bytes], flags: int, literals: bool) -> Path:
    """Where a compiled database lies: in the kernels' private folder, under a digest of what it is made of."""
    parts = (version("hyperscan"), platform.machine(), str(flags), str(literals), *map(repr, expressions))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return cache_folder() / f"patterns-{digest}.hs"


class Scanner:
    """Expression i is known as i. `single`: each is reported once in a search; else at every end of a match.

    `literals`: they are texts, not expressions; `loose`: what hyperscan has no word for it takes as anything, so that
    there may be more matches than there are. Raises ValueError for an expression that does not compile.
    """

    def __init__(
        self, expressions: Sequence[str | bytes], single: bool = False, literals: bool = False, loose: bool = False
    ) -> None:
        self.expressions = [part.encode() if isinstance(part, str) else part for part in expressions]
        self._single, self._literals, self._loose = single, literals, loose
        self._database: Any = None
        self._found: list[tuple[int, int]] = []

    def compile(self) -> None:
        """Build the database now instead of at the first search."""
        import hyperscan

        flags = self._flags()
        kept = _kept(self.expressions, flags, self._literals)
        with contextlib.suppress(OSError, hyperscan.HyperscanError):
            self._database = hyperscan.loadb(kept.read_bytes(), hyperscan.HS_MODE_BLOCK)
            self._database.scratch = hyperscan.Scratch(self._database)
            return
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        ids = list(range(len(self.expressions)))
        try:
            database.compile(
                expressions=self.expressions, ids=ids, elements=len(ids), flags=flags, literal=self._literals
            )
        except hyperscan.HyperscanError as error:
            raise ValueError(str(error)) from None
        self._database = database
        if len(self.expressions) > 1:
            with contextlib.suppress(OSError):
                unfinished = kept.with_suffix(f".{os.getpid()}")
                unfinished.write_bytes(hyperscan.dumpb(database))
                os.replace(unfinished, kept)

    @property
    def is_kept(self) -> bool:
        """Whether the database need not be compiled, but loaded only."""
        return _kept(self.expressions, self._flags(), self._literals).exists()

    def _flags(self) -> int:
        import hyperscan

        flags: int = hyperscan.HS_FLAG_CASELESS
        if not self._literals:
            flags |= hyperscan.HS_FLAG_DOTALL
        if self._loose:
            flags |= hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_ALLOWEMPTY
        if self._single:
            flags |= hyperscan.HS_FLAG_SINGLEMATCH
        return flags

    def compiles(self) -> bool:
        """Whether hyperscan takes the expressions, none of which may match nothing at all."""
        try:
            self.compile()
        except ValueError:
            return False
        return not self.matches(b"")

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
        append = found.append

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            append((number, end))
            return len(found) >= limit

        with contextlib.suppress(hyperscan.ScanTerminated):
            self._database.scan(octets, match_event_handler=note)
        return found
