"""What a regular expression cannot match without: in: a pattern; out: literals, one of which is in every match.

Python's own parser reads the pattern. The one law: when nothing can be said, nothing is; a literal too few costs
time, one too many would cost a match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

_LITERALS_MAX = 64


def literals_of(pattern: str) -> list[str]:
    """Of a pattern that compiles; none when there are no such literals, or too many."""
    try:
        found = _best(_parser.parse(pattern))
    except (re.error, RecursionError, OverflowError):
        return []
    return sorted(found) if len(found) <= _LITERALS_MAX else []


def _best(items: Iterable[Any]) -> frozenset[str]:
    """Of all that a sequence of items needs, the set whose shortest literal is longest."""
    return max(_needed(items), key=lambda found: min(map(len, found), default=0), default=frozenset())


def _needed(items: Iterable[Any]) -> Iterator[frozenset[str]]:
    """Sets of literals: something of each is in every match."""
    run = ""
    for kind, given in items:
        if kind is _constants.LITERAL:
            run += chr(given)
            continue
        if run:
            yield frozenset({run})
        run = ""
        if kind is _constants.SUBPATTERN:
            yield _best(given[-1])
        elif kind is _constants.ATOMIC_GROUP:
            yield _best(given)
        elif kind is _constants.BRANCH:
            branches = [_best(branch) for branch in given[1]]
            yield frozenset().union(*branches) if all(branches) else frozenset()
        elif kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT) and given[0]:
            yield _best(given[2])
    if run:
        yield frozenset({run})
