"""A rule's condition as a tree: in: what pySigma has parsed; out: which of some rows it holds for.

The one law: a part of the condition is asked only of the rows for which the answer still matters, and of each distinct
value once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from sensor.detection.detector import Batch
from sensor.detection.sigma.column import Asked, Column, Of, Rows
from sensor.detection.sigma.columns import COUNTRIES, Source
from sensor.detection.sigma.predicates import Unsupported, any_test, literals, moment_test, number_test, text_test

Mask = npt.NDArray[np.bool_]
Guard = frozenset[tuple[str, str]]
"""(pooled column, literal): a row can match only when one of the literals occurs in its column."""

GUARD_LENGTH_MIN = 3
_KNOWN_MAX = 1_024
"""Verdicts that a test remembers: of agents and hosts a network has hundreds."""


class Node(Protocol):
    """A part of a condition."""

    @property
    def guard(self) -> Guard | None:
        """None when rows without any literal can match."""
        ...

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask: ...


class All(NamedTuple):
    """Every part holds."""

    parts: tuple[Node, ...]

    @property
    def guard(self) -> Guard | None:
        guards = [guard for part in self.parts if (guard := part.guard) is not None]
        return max(guards, key=_worth, default=None)

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        held = np.ones(len(rows), np.bool_)
        for part in self.parts:
            asked = np.flatnonzero(held)
            if not len(asked):
                break
            held[asked] = part.holds(batch, strings, rows[asked])
        return held


class Any(NamedTuple):
    """At least one part holds."""

    parts: tuple[Node, ...]

    @property
    def guard(self) -> Guard | None:
        guards = [part.guard for part in self.parts]
        return None if None in guards else frozenset().union(*(guard for guard in guards if guard is not None))

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        held = np.zeros(len(rows), np.bool_)
        for part in self.parts:
            asked = np.flatnonzero(~held)
            if not len(asked):
                break
            held[asked] = part.holds(batch, strings, rows[asked])
        return held


class Not(NamedTuple):
    """The part does not hold."""

    part: Node

    @property
    def guard(self) -> Guard | None:
        return None

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        return ~self.part.holds(batch, strings, rows)


class TextIs(NamedTuple):
    """The test holds for one spelling of the field's value; for an absent one when `absent` says so. `values` are what
    the test was made of; `known` verdicts on values that come again.
    """

    column: Column
    test: Callable[[str], bool]
    known: dict[tuple[str, ...], bool]
    absent: bool = False
    needed: Guard | None = None
    values: tuple[object, ...] = ()

    @property
    def guard(self) -> Guard | None:
        return self.needed

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        values, which = strings.values(self.column, batch, rows)
        if len(values) <= len(rows):
            return np.array([self._verdict(spellings) for spellings in values], np.bool_)[which]
        verdicts = np.zeros(len(values), np.bool_)
        for place in np.unique(which).tolist():
            verdicts[place] = self._verdict(values[place])
        return verdicts[which]

    def _verdict(self, spellings: tuple[str, ...]) -> bool:
        if not spellings:
            return self.absent
        if not self.column.repeats:
            return any(map(self.test, spellings))
        verdict = self.known.get(spellings)
        if verdict is None:
            if len(self.known) >= _KNOWN_MAX:
                self.known.clear()
            verdict = self.known[spellings] = any(map(self.test, spellings))
        return verdict


class NumberIs(NamedTuple):
    """The test holds for the field's value as a number; an absent one is negative and never does."""

    column: Column
    test: Callable[[float], bool]

    @property
    def guard(self) -> Guard | None:
        return None

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        assert self.column.numbers is not None
        values, which = np.unique(self.column.numbers(batch, rows), return_inverse=True)
        test = self.test
        verdicts = np.array([value >= 0 and test(value) for value in values.tolist()], np.bool_)
        return verdicts[which] if len(values) else np.zeros(len(rows), np.bool_)


class MomentIs(NamedTuple):
    """The test holds for packet time."""

    of: Of
    test: Callable[[int], bool]

    @property
    def guard(self) -> Guard | None:
        return None

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        times = self.of.rows(batch)[self.of.moments[0]]
        return np.array([self.test(ns) for ns in times[rows].tolist()], np.bool_)


class FieldsAgree(NamedTuple):
    """Two fields of one row have a spelling in common, or one begins or ends with the other."""

    one: Column
    other: Column
    agree: Callable[[str, str], bool]

    @property
    def guard(self) -> Guard | None:
        return None

    def holds(self, batch: Batch, strings: Asked, rows: Rows) -> Mask:
        values, which = self.one.texts(batch, strings, rows)
        others, where = self.other.texts(batch, strings, rows)
        return np.array(
            [
                any(self.agree(text.lower(), given.lower()) for text in values[at] for given in others[place])
                for at, place in zip(which.tolist(), where.tolist(), strict=True)
            ],
            np.bool_,
        )


def _worth(guard: Guard) -> tuple[int, int]:
    """Long literals are rare, and few of them rarer."""
    return min(len(literal) for _, literal in guard), -len(guard)


def fields_of(parsed: object) -> set[str]:
    """The fields that a parsed condition speaks of."""
    if isinstance(parsed, ConditionFieldEqualsValueExpression):
        value = parsed.value
        return {parsed.field, value.field} if isinstance(value, SigmaFieldReference) else {parsed.field}
    return set().union(*(fields_of(part) for part in getattr(parsed, "args", ())))


def tree(parsed: object, source: Source) -> Node:
    """The tree of a parsed condition; Unsupported names what cannot be tested on the wire."""
    if isinstance(parsed, ConditionAND):
        return All(tuple(tree(part, source) for part in parsed.args))
    if isinstance(parsed, ConditionOR):
        return any_of([tree(part, source) for part in parsed.args])
    if isinstance(parsed, ConditionNOT):
        return Not(tree(parsed.args[0], source))
    if isinstance(parsed, ConditionFieldEqualsValueExpression):
        return _leaf(parsed.field, parsed.value, source)
    if isinstance(parsed, ConditionValueExpression):
        if not source.keywords:
            raise Unsupported("keywords, of which flows have none")
        return any_of([_keyword(source.fields[field], parsed.value) for field in source.keywords])
    raise Unsupported(f"a condition of kind {type(parsed).__name__}")


def any_of(parts: Sequence[Node]) -> Node:
    """At least one of these holds; texts that one column is tested for become one test."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Any) else (part,))]
    together: dict[int, list[TextIs]] = {}
    for part in flat:
        if isinstance(part, TextIs) and part.values:
            together.setdefault(id(part.column), []).append(part)
    rest = [part for part in flat if not (isinstance(part, TextIs) and part.values)]
    joined = rest + [_together(group) for group in together.values()]
    return joined[0] if len(joined) == 1 else Any(tuple(joined))


def _together(group: Sequence[TextIs]) -> TextIs:
    if len(group) == 1:
        return group[0]
    values = tuple(value for part in group for value in part.values)
    guards = [part.needed for part in group]
    needed = None if None in guards else frozenset().union(*(guard for guard in guards if guard is not None))
    absent = any(part.absent for part in group)
    return TextIs(group[0].column, any_test(values), {}, absent, needed, values)


def _keyword(column: Column, value: object) -> Node:
    """A value without a field occurs anywhere in the text."""
    if isinstance(value, SigmaNumber):
        value = SigmaString(str(value.number))
    if not isinstance(value, SigmaString):
        return _test(column, value)
    around = value
    if not value.startswith(SpecialChars.WILDCARD_MULTI):
        around = SigmaString("*") + around
    if not value.endswith(SpecialChars.WILDCARD_MULTI):
        around = around + SigmaString("*")
    return _test(column, around)


def _leaf(field: str, value: object, source: Source) -> Node:
    if isinstance(value, SigmaTimestampPart):
        return MomentIs(source.of, moment_test(value))
    column = source.fields.get(field)
    if column is None:
        if field in COUNTRIES:
            raise Unsupported(f"field {field!r}, which takes `category: api` and detection.sigma.location_table")
        near = get_close_matches(field, source.fields, 3)
        alike = f"; alike: {', '.join(near)}" if near else ""
        raise Unsupported(f"field {field!r}, which is not known here{alike}")
    if isinstance(value, SigmaExpansion):
        return any_of([_test(column, each) for each in value.values])
    if isinstance(value, SigmaFieldReference):
        other = source.fields.get(value.field)
        if other is None:
            raise Unsupported(f"field {value.field!r}, which the wire does not show")
        return FieldsAgree(column, other, _agreement(value))
    return _test(column, value)


def _agreement(value: SigmaFieldReference) -> Callable[[str, str], bool]:
    if value.starts_with and value.ends_with:
        return lambda text, given: given in text
    if value.starts_with:
        return lambda text, given: text.startswith(given)
    if value.ends_with:
        return lambda text, given: text.endswith(given)
    return lambda text, given: text == given


def _test(column: Column, value: object) -> Node:
    if isinstance(value, SigmaNull):
        return TextIs(column, lambda text: False, {}, absent=True)
    if isinstance(value, SigmaExists):
        return TextIs(column, lambda text: bool(value.exists), {}, absent=not value.exists)
    if column.numbers is not None and (number := number_test(value)) is not None:
        return NumberIs(column, number)
    text = text_test(value)
    if text is None:
        raise Unsupported(f"a value of kind {type(value).__name__} for this field")
    absent = isinstance(value, SigmaString) and not value.s  # a wildcard stands for a value that is there
    return TextIs(column, text, {}, absent, _guard(column, value), (value,))


def _guard(column: Column, value: object) -> Guard | None:
    """The literals of which a row's pooled text must contain one for the value to match."""
    if column.scanned is None:
        return None
    guards = [_literal_guard(column.scanned, literal) for literal in literals(value)]
    if not guards or None in guards:
        return None
    found = {(scanned, _ascii(literal)) for guard in guards if guard is not None for scanned, literal in guard}
    return frozenset(found) if all(len(literal) >= GUARD_LENGTH_MIN for _, literal in found) else None


def _ascii(literal: str) -> str:
    """The longest part whose letters the scan knows in both cases."""
    return max(re.split(r"[^ -~]+", literal), key=len)


def _literal_guard(scanned: str, literal: str) -> Guard | None:
    """Where a literal of a column's value must stand; that of a URI may be one of a URL, which begins in the host."""
    if scanned == "uri":
        literal = literal.partition("://")[2] or literal.partition("://")[0]
    if len(literal) < GUARD_LENGTH_MIN:
        return None
    if scanned != "uri":
        return frozenset({(scanned, literal)})
    host, slash, path = literal.lstrip("/").partition("/")
    if slash and len(host) < GUARD_LENGTH_MIN:
        inside = literal if literal.startswith("/") else path
        return frozenset({("uri", inside)}) if len(inside) >= GUARD_LENGTH_MIN else None
    return frozenset({("uri", literal), ("host", host)})
