"""Sigma correlations as the specification tells them: in: a correlation as YAML gives it, and matches of rules in their
order; out: the moments at which it is told.

Every match is kept for ever and every window is counted anew. The one law: a group that holds is told at once,
and again only after it has failed to hold or a whole span has passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COMPARE = {
    "gt": lambda found, given: found > given, "gte": lambda found, given: found >= given,
    "lt": lambda found, given: found < given, "lte": lambda found, given: found <= given,
    "eq": lambda found, given: found == given, "neq": lambda found, given: found != given,
}  # fmt: skip


class Seen(NamedTuple):
    """A rule, by its name, matched a row at a moment (ns)."""

    now: int
    rule: str
    row: Mapping[str, tuple[str, ...]]


class Told(NamedTuple):
    """A correlation held at this moment, at this row: its value and how many matches stood in the window."""

    now: int
    value: float
    matches: int
    row: Mapping[str, tuple[str, ...]]


def told(body: Mapping[str, Any], seen: Sequence[Seen]) -> list[Told]:
    """The moments at which the correlation is told."""
    condition = body.get("condition") or {}
    rules = body["rules"]
    span = int(body["timespan"][:-1]) * _SECONDS[body["timespan"][-1]] * 1_000_000_000
    limits = [(_COMPARE[key], float(value)) for key, value in condition.items() if key in _COMPARE]
    if body["type"].startswith("temporal") or body["type"] == "chained":
        limits = limits or [(_COMPARE["gte"], float(len(rules)))]
    last: dict[Any, int] = {}
    found = []
    mine = [each for each in seen if each.rule in rules]
    keys = [tuple(_field(body, each, name) for name in body.get("group-by") or ()) for each in mine]
    for at, one in enumerate(mine):
        group = keys[at]
        window = [
            each for each, key in zip(mine[: at + 1], keys, strict=False) if key == group and each.now >= one.now - span
        ]
        value = _value(body, condition, window)
        if not all(compare(value, given) for compare, given in limits):
            last.pop(group, None)
        elif group not in last or one.now - last[group] > span:
            last[group] = one.now
            found.append(Told(one.now, value, len(window), one.row))
    return found


def _field(body: Mapping[str, Any], seen: Seen, name: str) -> tuple[str, ...]:
    return seen.row.get((body.get("aliases") or {}).get(name, {}).get(seen.rule, name), ())


def _value(body: Mapping[str, Any], condition: Mapping[str, Any], window: Sequence[Seen]) -> float:
    kind, rules = body["type"], body["rules"]
    if kind == "event_count":
        return len(window)
    if kind == "temporal":
        return len({each.rule for each in window})
    if kind in ("temporal_ordered", "chained"):
        reached = 0
        for each in window:
            reached += reached < len(rules) and each.rule == rules[reached]
        return reached
    named = condition["field"] if isinstance(condition["field"], list) else [condition["field"]]
    values = [tuple(text for name in named for text in _field(body, each, name)[:1]) for each in window]
    if kind == "value_count":
        return len({value for value in values if value})
    numbers = sorted(float(text) for value in values for text in value if _numeric(text))
    if kind == "value_sum":
        return sum(numbers)
    if not numbers:
        return 0.0
    if kind == "value_avg":
        return sum(numbers) / len(numbers)
    share = 50 if kind == "value_median" else condition.get("percentile", 50)
    below = [number for number in numbers if 100 * sum(other <= number for other in numbers) >= share * len(numbers)]
    return below[0]


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
