"""Loaded Sigma rules at work: in: transactions and flows; out: detections.

Each match is a detection of its own, folded by rule and client into one alert. Rules that a correlation refers to are
told only when it says `generate`. The one law: which rows match depends on the rows alone, and correlations see matches
in order of packet time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.alert import Detection, Entity, Numbers, Rule
from sensor.detection.detector import Batch, Strings
from sensor.detection.evidence import address, community_id, http_of
from sensor.detection.sigma.columns import Of, Source
from sensor.detection.sigma.correlating import Correlating, Held, Match
from sensor.detection.sigma.correlation_rules import Correlation
from sensor.detection.sigma.matching import Matching
from sensor.detection.sigma.rules import Detecting, RuleSet
from sensor.limits import NS

_SIDES = {Of.TRANSACTIONS: ("client", "server"), Of.FLOWS: ("orig", "resp")}


class SigmaRun:
    """The detection rules and correlations of `loaded`; `rules` are what their alerts say."""

    def __init__(self, loaded: RuleSet, strings: Strings) -> None:
        self._strings = strings
        self.loaded = loaded
        self._told = self.loaded.told
        self._matching = Matching(self.loaded.detecting)
        self._correlating = [Correlating(each) for each in self.loaded.correlations]
        self._feeds = _feeds(self.loaded)
        self.rules: tuple[Rule, ...] = (
            *(each.rule for each in loaded.detecting),
            *(each.rule for each in loaded.correlations),
        )

    @property
    def evicted(self) -> int:
        """Groups and matches that correlations have forgotten, and scans that were broken off."""
        return sum(each.evicted + each.forgotten for each in self._correlating) + self._matching.shed

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        if not self.loaded.detecting:
            return detections
        matched = self._matching.rows(batch, self._strings)
        for place, rows in matched.items():
            if self._told[place]:
                rule = self.loaded.detecting[place]
                detections += [self._detection(rule, batch, int(row)) for row in rows]
        if self._correlating:
            detections += self._correlate(batch, matched)
        return detections

    def _correlate(self, batch: Batch, matched: dict[int, Any]) -> list[Detection]:
        """Give matches to the correlations in order of packet time, and what they bring about to those above them."""
        places = [place for place in matched if self._feeds[place]]
        moments = sorted(
            (int(_now(batch, self.loaded.detecting[place].source)[row]), place, int(row))
            for place in places
            for row in matched[place]
        )
        detections = []
        for now, place, row in moments:
            source = self.loaded.detecting[place].source
            for above, number in self._feeds[place]:
                correlation = self.loaded.correlations[above]
                match = self._match(correlation, number, source, batch, row, now, self.loaded.detecting[place].names)
                detections += self._add(above, match, source, batch, row)
        return detections

    def _add(self, place: int, match: Match, source: Source, batch: Batch, row: int) -> list[Detection]:
        held = self._correlating[place].add(match)
        if held is None:
            return []
        correlation = self.loaded.correlations[place]
        above = self._feeds[len(self.loaded.detecting) + place]
        detections: list[Detection] = []
        if not above or correlation.generate:
            detections.append(self._told_of(correlation, held, source, batch, row))
        for higher, number in above:
            other = self.loaded.correlations[higher]
            next_match = self._match(other, number, source, batch, row, match.now, correlation.names)
            detections += self._add(higher, next_match, source, batch, row)
        return detections

    def _match(
        self,
        correlation: Correlation,
        number: int,
        source: Source,
        batch: Batch,
        row: int,
        now: int,
        names: frozenset[str],
    ) -> Match:
        group = tuple(self._values(correlation, field, names, source, batch, row) for field in correlation.group_by)
        values = tuple(
            text
            for field in correlation.fields
            for text in self._values(correlation, field, names, source, batch, row)[:1]
        )
        return Match(now, number, group, values)

    def _values(
        self, correlation: Correlation, name: str, names: frozenset[str], source: Source, batch: Batch, row: int
    ) -> tuple[str, ...]:
        """The values of a field, or of the field for which an alias stands in this rule."""
        aliased = correlation.aliases.get(name, {})
        field = next((aliased[each] for each in names if each in aliased), name)
        column = source.fields.get(field)
        if column is None:
            return ()
        values, which = column.texts(batch, self._strings, np.array([row]))
        return values[int(which[0])]

    def _detection(self, rule: Detecting, batch: Batch, row: int) -> Detection:
        numbers = Numbers(observed=1.0, threshold=1.0, unit="matches", window_seconds=0.0)
        return self._about(rule.rule, rule.source, batch, row, numbers, 1, rule.confidence, {})

    def _told_of(self, correlation: Correlation, held: Held, source: Source, batch: Batch, row: int) -> Detection:
        threshold = correlation.times * held.baseline if held.baseline is not None and correlation.times else None
        numbers = Numbers(
            observed=held.value,
            threshold=correlation.limits[0][1] if correlation.limits else threshold or 0.0,
            unit=correlation.type.replace("_", " "),
            window_seconds=correlation.span_ns / NS,
            baseline=held.baseline,
        )
        group = {name: list(values) for name, values in zip(correlation.group_by, held.group, strict=True)}
        details = {"group": group}
        return self._about(correlation.rule, source, batch, row, numbers, held.matches, 0.8, details, held.first)

    def _about(
        self,
        rule: Rule,
        source: Source,
        batch: Batch,
        row: int,
        numbers: Numbers,
        count: int,
        confidence: float,
        details: dict[str, Any],
        first: int = 0,
    ) -> Detection:
        http = source.of is Of.TRANSACTIONS
        one, (client, server) = (batch.transactions if http else batch.flows)[row], _SIDES[source.of]
        ts, now = int(one["ts" if http else "start_ts"]), int(_now(batch, source)[row])
        return Detection(
            now=now,
            rule=rule,
            entity=Entity("client", address(one, client)),
            numbers=numbers,
            count=count,
            run=f"{one['flow']}:{one['trans_depth']}" if http else f"{one['serial']}",
            first_ts=min(first or ts, ts),
            last_ts=ts,
            confidence=confidence,
            client_ip=address(one, client),
            client_port=int(one[f"{client}_port"]),
            server_ip=address(one, server),
            server_port=int(one[f"{server}_port"]),
            community_id=community_id(one, client, server),
            http=http_of(one, self._strings) if http else None,
            details=details,
        )


def _now(batch: Batch, source: Source) -> Any:
    return batch.transactions["now"] if source.of is Of.TRANSACTIONS else batch.flows["end_now"]


def _feeds(loaded: RuleSet) -> list[list[tuple[int, int]]]:
    """For each detection rule, then for each correlation: (correlation above it, its place among that one's rules)."""
    below = [*(each.names for each in loaded.detecting), *(each.names for each in loaded.correlations)]
    return [
        [
            (above, number)
            for above, correlation in enumerate(loaded.correlations)
            for number, name in enumerate(correlation.rules)
            if name in names
        ]
        for names in below
    ]
