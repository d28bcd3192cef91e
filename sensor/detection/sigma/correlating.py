"""Correlations at work: in: matches of rules in order of packet time; out: moments at which a correlation holds.

Each group (client, user ... by `group-by`) has the matches of its time span, and the span slides in packet time: a
group is judged whenever a match is added. Once it holds it is said, and said again only after the condition has
failed, or a whole span has passed. The one law: groups and what is remembered of each are bounded, and what is
forgotten is counted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from statistics import fmean
from typing import Any, NamedTuple

from sensor.detection.sigma.correlation_rules import Correlation
from sensor.limits import SIGMA_EVENTS_MAX, SIGMA_GROUPS_MAX

_SPANS_MIN = 3
"""Spans that must be over before anything counts as usual."""

Key = tuple[tuple[str, ...], ...]


class Match(NamedTuple):
    """A rule matched: `rule` is its place among the correlation's rules, `value` that of the correlation's field."""

    now: int
    rule: int
    group: Key
    value: tuple[str, ...]


class Held(NamedTuple):
    """A correlation holds: its value, what was usual (None without a baseline), matches in the span, and since when."""

    group: Key
    value: float
    baseline: float | None
    matches: int
    first: int


class _Sums:
    """What slides of a count or a sum: (now, amount, matches). When there are too many, neighbours become one: the
    moment at which they leave the span moves by less than the span's share of SIGMA_EVENTS_MAX / 2.
    """

    def __init__(self, correlation: Correlation) -> None:
        self._counts = correlation.type == "event_count"
        self._entries: deque[tuple[int, float, int]] = deque()
        self._total = 0.0
        self.matches = 0

    def add(self, match: Match) -> bool:
        amount = 1.0 if self._counts else sum(_numbers(match))
        self._entries.append((match.now, amount, 1))
        self._total += amount
        self.matches += 1
        if len(self._entries) > SIGMA_EVENTS_MAX:
            each = list(self._entries)
            pairs = zip(each[::2], each[1::2], strict=False)
            rest = each[len(each) & ~1 :]
            self._entries = deque([*((b[0], a[1] + b[1], a[2] + b[2]) for a, b in pairs), *rest])
        return False

    def drop(self, since: int) -> None:
        while self._entries and self._entries[0][0] < since:
            _, amount, matches = self._entries.popleft()
            self._total -= amount
            self.matches -= matches

    def value(self, since: int | None = None) -> float:
        return self._total if since is None else sum(amount for now, amount, _ in self._entries if now >= since)

    @property
    def first(self) -> int:
        return self._entries[0][0]

    def kept(self) -> list[Any]:
        return list(self._entries)

    def resume(self, kept: list[Any]) -> None:
        self._entries = deque((now, amount, matches) for now, amount, matches in kept)
        self._total = sum(amount for _, amount, _ in self._entries)
        self.matches = sum(matches for _, _, matches in self._entries)


class _Matches:
    """What slides of other kinds: the matches themselves, the oldest of which is forgotten when there are too many."""

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation
        self._entries: deque[Match] = deque()

    def add(self, match: Match) -> bool:
        """Whether one was forgotten."""
        self._entries.append(match)
        if len(self._entries) <= SIGMA_EVENTS_MAX:
            return False
        self._entries.popleft()
        return True

    def drop(self, since: int) -> None:
        while self._entries and self._entries[0].now < since:
            self._entries.popleft()

    def value(self, since: int | None = None) -> float:
        entries = self._entries if since is None else deque(each for each in self._entries if each.now >= since)
        return _value(self._correlation, entries)

    @property
    def matches(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> int:
        return self._entries[0].now

    def kept(self) -> list[Any]:
        return list(self._entries)

    def resume(self, kept: list[Any]) -> None:
        self._entries = deque(
            Match(now, rule, tuple(map(tuple, group)), tuple(value)) for now, rule, group, value in kept
        )


class _Group:
    """`spans`: (end, value) of spans gone by, for the baseline."""

    def __init__(self, correlation: Correlation) -> None:
        self.held_since: int | None = None
        self.spans: deque[tuple[int, float]] = deque()
        self.span_end = 0
        self.sliding = (_Sums if correlation.type in ("event_count", "value_sum") else _Matches)(correlation)


class Correlating:
    """The groups of one correlation."""

    def __init__(self, correlation: Correlation) -> None:
        self.correlation = correlation
        self.evicted = self.forgotten = 0
        self._groups: OrderedDict[Key, _Group] = OrderedDict()

    def add(self, match: Match) -> Held | None:
        """One more match, none earlier than those before; what it brings about."""
        group = self._group(match.group)
        if self.correlation.times:
            self._close_spans(group, match.now)
        sliding = group.sliding
        sliding.drop(match.now - self.correlation.span_ns)
        self.forgotten += sliding.add(match)
        value = sliding.value()
        usual = fmean(value for _, value in group.spans) if len(group.spans) >= _SPANS_MIN else None
        if not self._holds(value, usual):
            group.held_since = None
            return None
        if group.held_since is not None and match.now - group.held_since <= self.correlation.span_ns:
            return None
        group.held_since = match.now
        return Held(match.group, value, usual, sliding.matches, sliding.first)

    @property
    def name(self) -> str:
        """What must be the same for its groups to be of use after a restart."""
        each = self.correlation
        return f"{each.rule.id} {each.type} {each.span_ns} {' '.join(each.group_by)} {' '.join(each.rules)}"

    def kept(self) -> list[Any]:
        """Its groups, the one not used for longest first."""
        return [
            (key, group.held_since, list(group.spans), group.span_end, group.sliding.kept())
            for key, group in self._groups.items()
        ]

    def resume(self, kept: list[Any]) -> None:
        """Take over what `kept` gave, before a restart perhaps."""
        for key, held_since, spans, span_end, sliding in kept[-SIGMA_GROUPS_MAX:]:
            group = self._groups[tuple(map(tuple, key))] = _Group(self.correlation)
            group.held_since, group.span_end = held_since, span_end
            group.spans = deque((end, value) for end, value in spans)
            group.sliding.resume(sliding)

    def _holds(self, value: float, usual: float | None) -> bool:
        if not self.correlation.holds(value):
            return False
        return not self.correlation.times or (usual is not None and value > self.correlation.times * usual)

    def _group(self, key: Key) -> _Group:
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= SIGMA_GROUPS_MAX:
                self._groups.popitem(last=False)
                self.evicted += 1
            group = self._groups[key] = _Group(self.correlation)
        else:
            self._groups.move_to_end(key)
        return group

    def _close_spans(self, group: _Group, now: int) -> None:
        """Keep the value of each span that is over, 0 for those without a match, as far back as the baseline goes."""
        span, reach = self.correlation.span_ns, self.correlation.baseline_ns
        if not group.span_end:
            group.span_end = now + span
        if now >= group.span_end:
            group.spans.append((group.span_end, group.sliding.value(group.span_end - span)))
            empty = (now - group.span_end) // span
            first = max(0, empty - reach // span)
            group.spans.extend((group.span_end + (place + 1) * span, 0.0) for place in range(first, empty))
            group.span_end += (empty + 1) * span
        while group.spans and group.spans[0][0] < now - reach:
            group.spans.popleft()


def _value(correlation: Correlation, matches: deque[Match]) -> float:
    kind = correlation.type
    if kind == "value_count":
        return float(len({match.value for match in matches if match.value}))
    if kind == "temporal":
        return float(len({match.rule for match in matches}))
    if kind in ("temporal_ordered", "chained"):
        return float(_in_order(matches, len(correlation.rules)))
    return _figure(kind, correlation.percentile, [number for match in matches for number in _numbers(match)])


def _in_order(matches: deque[Match], rules: int) -> int:
    """How many rules, from the first on, matched one after the other in their order."""
    wanted = 0
    for match in matches:
        if wanted < rules and match.rule == wanted:
            wanted += 1
    return wanted


def _numbers(match: Match) -> list[float]:
    found = []
    for text in match.value:
        try:
            found.append(float(text))
        except ValueError:
            continue
    return found


def _figure(kind: str, percentile: float, numbers: list[float]) -> float:
    """Mean or percentile (nearest rank) of the field's values."""
    if not numbers:
        return 0.0
    if kind == "value_avg":
        return fmean(numbers)
    share = 50.0 if kind == "value_median" else percentile
    ordered = sorted(numbers)
    rank = -(-share * len(ordered) // 100)
    return ordered[min(max(int(rank), 1), len(ordered)) - 1]
