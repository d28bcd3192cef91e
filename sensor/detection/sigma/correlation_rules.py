"""A correlation as written: in: a document's `correlation`; out: type, rules, grouping, span and condition, checked.

Specification: https://github.com/SigmaHQ/sigma-specification, correlation rules 2.1.0. Beyond it, a condition may
compare with what is usual: `gt_baseline: 3` with `baseline: 1h` holds when a group's value in its time span is more
than three times its mean over spans of the hour before. The one law: what cannot be understood is an error that names
the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sensor.alert import Rule
from sensor.detection.sigma.predicates import Unsupported
from sensor.limits import NS

TYPES = (
    "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median", "temporal",
    "temporal_ordered", "chained",
)  # fmt: skip
_VALUED = ("value_count", "value_sum", "value_avg", "value_percentile", "value_median")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda found, given: found > given,
    "gte": lambda found, given: found >= given,
    "lt": lambda found, given: found < given,
    "lte": lambda found, given: found <= given,
    "eq": lambda found, given: found == given,
    "neq": lambda found, given: found != given,
}


class Correlation(NamedTuple):
    """`aliases`: alias -> name of a rule -> field. `limits`: (operator, number), all of which must hold. `times`: how
    many times the usual value must be exceeded, 0 for no such condition. `confidence` of what it says, 0 to 1.
    """

    rule: Rule
    names: frozenset[str]
    type: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: Mapping[str, Mapping[str, str]]
    span_ns: int
    limits: tuple[tuple[str, float], ...]
    fields: tuple[str, ...]
    percentile: float
    times: float
    baseline_ns: int
    generate: bool
    confidence: float

    @property
    def named(self) -> set[str]:
        """Every field that it speaks of."""
        aliased = {field for fields in self.aliases.values() for field in fields.values()}
        return {*self.group_by, *self.fields} | aliased

    def holds(self, value: float) -> bool:
        """Whether the value meets every limit."""
        return all(COMPARE[operator](value, given) for operator, given in self.limits)


def correlation_of(document: Mapping[str, Any], rule: Rule, confidence: float) -> Correlation:
    """The correlation of a document; Unsupported says what is wrong with it."""
    body = document["correlation"]
    if not isinstance(body, dict):
        raise Unsupported("correlation: a mapping expected")
    kind = _one_of(body, "type", TYPES)
    rules = _names(body, "rules")
    condition = body.get("condition", {})
    if isinstance(condition, str):  # an expression over names, as later drafts of the specification write `chained`
        condition = {}
    if not isinstance(condition, dict):
        raise Unsupported("correlation.condition: a mapping expected")
    fields = condition.get("field", ())
    fields = (fields,) if isinstance(fields, str) else tuple(map(str, fields))
    if kind in _VALUED and not fields:
        raise Unsupported(f"correlation.condition.field: {kind} needs the field that it is about")
    limits = tuple((key, _number(condition, key)) for key in condition if key in COMPARE)
    unknown = set(condition) - set(COMPARE) - {"field", "percentile", "gt_baseline", "baseline"}
    if unknown:
        raise Unsupported(f"correlation.condition: unknown keys {', '.join(sorted(map(str, unknown)))}")
    times = _number(condition, "gt_baseline") if "gt_baseline" in condition else 0.0
    if kind in ("temporal", "temporal_ordered", "chained"):
        limits = limits or (("gte", float(len(rules))),)
    elif not limits and not times:
        raise Unsupported(f"correlation.condition: {kind} needs one of {', '.join(COMPARE)} or gt_baseline")
    return Correlation(
        rule=rule,
        names=frozenset(str(document[key]) for key in ("id", "name", "title") if document.get(key)),
        type=kind,
        rules=rules,
        group_by=_names(body, "group-by") if body.get("group-by") else (),
        aliases=_aliases(body),
        span_ns=_span(body.get("timespan", body.get("timeframe"))),
        limits=limits,
        fields=fields,
        percentile=_number(condition, "percentile") if "percentile" in condition else 50.0,
        times=times,
        baseline_ns=_span(condition["baseline"]) if "baseline" in condition else 3_600 * NS,
        generate=bool(body.get("generate", document.get("generate", False))),
        confidence=confidence,
    )


def _one_of(body: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str:
    value = body.get(key)
    if value not in known:
        raise Unsupported(f"correlation.{key}: {value!r}, expected one of {', '.join(known)}")
    return str(value)


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise Unsupported(f"correlation.{key}: a name or a list of names expected, got {value!r}")


def _number(body: Mapping[str, Any], key: str) -> float:
    value = body[key]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unsupported(f"correlation.condition.{key}: a number expected, got {value!r}")
    try:
        return float(value)
    except ValueError:
        raise Unsupported(f"correlation.condition.{key}: a number expected, got {value!r}") from None


def _span(value: Any) -> int:
    match = re.fullmatch(r"\s*(\d+)\s*([smhdwMy])\s*", str(value))
    if match is None or not int(match[1]):
        raise Unsupported(f"correlation.timespan: a number and s, m, h or d expected, got {value!r}")
    return int(match[1]) * _UNITS[match[2]] * NS


def _aliases(body: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    aliases = body.get("aliases") or {}
    good = isinstance(aliases, dict) and all(
        isinstance(each, dict) and all(isinstance(name, str) for name in each.values()) for each in aliases.values()
    )
    if not good:
        raise Unsupported("correlation.aliases: a mapping of aliases to mappings of rules to fields expected")
    return {str(alias): {str(rule): name for rule, name in each.items()} for alias, each in aliases.items()}
