"""Loaded Sigma rules at work: in: transactions and flows; out: detections.

Each match is a detection of its own, folded by rule and client into one alert. Rules that a correlation refers to are
told only when it says `generate`. The one law: which rows match depends on the rows alone, and correlations see matches
in order of packet time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace

from sensor.alert import Detection, Entity, Numbers, Rule
from sensor.detection.detector import Batch, Strings
from sensor.detection.evidence import address, community_id, http_of
from sensor.detection.lookups.ends import ends_of
from sensor.detection.sigma.column import Of
from sensor.detection.sigma.columns import Source
from sensor.detection.sigma.correlating import Correlating, Held, Key, Match
from sensor.detection.sigma.correlation_rules import Correlation
from sensor.detection.sigma.matching import Matching
from sensor.detection.sigma.rules import Detecting, RuleSet
from sensor.dns import type_name
from sensor.limits import NS

_SIDES = {Of.TRANSACTIONS: ("client", "server"), Of.FLOWS: ("orig", "resp"), Of.LOOKUPS: ("client", "server")}


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

    def take_over(self, before: SigmaRun) -> None:
        """Go on with the groups of each correlation that reads as one of those before."""
        self._correlating = [
            next((old for old in before._correlating if old.correlation == each.correlation), each)
            for each in self._correlating
        ]

    def kept(self) -> dict[str, Any]:
        """The groups of each correlation by its rule, to be given to `resume` after a restart."""
        return {each.name: each.kept() for each in self._correlating}

    def resume(self, kept: Mapping[str, Any]) -> None:
        for each in self._correlating:
            if each.name in kept:
                each.resume(kept[each.name])

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
            (now, row, place, at)
            for place in places
            for at, (now, row) in enumerate(self._moments(batch, place, matched[place]))
        )
        detections = []
        ready: dict[tuple[int, int], tuple[list[Key], list[tuple[str, ...]]]] = {}
        for now, row, place, at in moments:
            rule = self.loaded.detecting[place]
            for above, number in self._feeds[place]:
                if (place, above) not in ready:
                    correlation = self.loaded.correlations[above]
                    ready[place, above] = self._keys(correlation, rule.names, rule.source, batch, matched[place])
                groups, values = ready[place, above]
                detections += self._add(above, Match(now, number, groups[at], values[at]), rule.source, batch, row)
        return detections

    def _moments(self, batch: Batch, place: int, rows: Any) -> list[tuple[int, int]]:
        times = _now(batch, self.loaded.detecting[place].source)[rows]
        return list(zip(times.tolist(), rows.tolist(), strict=True))

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
            groups, values = self._keys(other, correlation.names, source, batch, np.array([row]))
            detections += self._add(higher, Match(match.now, number, groups[0], values[0]), source, batch, row)
        return detections

    def _keys(
        self, correlation: Correlation, names: frozenset[str], source: Source, batch: Batch, rows: Any
    ) -> tuple[list[Key], list[tuple[str, ...]]]:
        """For each row its group, and the first value of each field that the correlation is about."""
        groups = [self._values(correlation, name, names, source, batch, rows) for name in correlation.group_by]
        fields = [self._values(correlation, name, names, source, batch, rows) for name in correlation.fields]
        keys: list[Key] = list(zip(*groups, strict=True)) if groups else [()] * len(rows)
        firsts: list[tuple[str, ...]] = [
            tuple(text for texts in found for text in texts[:1]) for found in zip(*fields, strict=True)
        ]
        return keys, firsts or [()] * len(rows)

    def _values(
        self, correlation: Correlation, name: str, names: frozenset[str], source: Source, batch: Batch, rows: Any
    ) -> list[tuple[str, ...]]:
        """The values of a field, or of the field for which an alias stands in this rule, row by row."""
        aliased = correlation.aliases.get(name, {})
        field = next((aliased[each] for each in names if each in aliased), name)
        column = source.fields.get(field)
        if column is None:
            return [()] * len(rows)
        values, which = column.texts(batch, self._strings, rows)
        return [values[place] for place in which.tolist()]

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
        told = self._about(
            correlation.rule, source, batch, row, numbers, held.matches, correlation.confidence, details, held.first
        )
        return replace(told, entity=entity_of(group) or told.entity)

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
        one, (client, server) = source.of.rows(batch)[row], _SIDES[source.of]
        ts, now = (int(one[name]) for name in source.of.moments)
        if source.of is Of.LOOKUPS:
            ends, run = ends_of(one), f"{one['flow']}:{one['trans_id']}:{one['ts']}"
            details = {"query": batch.dns.query(one), "qtype_name": type_name(int(one["qtype"])), **details}
        else:
            run = f"{one['flow']}:{one['trans_depth']}" if http else f"{one['serial']}"
            ends = {
                "client_ip": address(one, client), "client_port": int(one[f"{client}_port"]),
                "server_ip": address(one, server), "server_port": int(one[f"{server}_port"]),
                "community_id": community_id(one, client, server),
            }  # fmt: skip
        return Detection(
            now=now,
            rule=rule,
            entity=Entity("client", address(one, client)),
            numbers=numbers,
            count=count,
            run=run,
            first_ts=min(first or ts, ts),
            last_ts=ts,
            confidence=confidence,
            **ends,
            http=http_of(one, self._strings) if http else None,
            details=details,
        )


_ENTITIES = {
    "user": ("identity", "user", "account", "subject", "cs-username", "username"),
    "client": ("client_ip", "c-ip", "src_ip", "id.orig_h", "source.ip"),
    "endpoint": ("endpoint",),
    "server": ("server_ip", "s-ip", "dst_ip", "id.resp_h", "destination.ip", "cs-host", "host"),
}


def entity_of(group: Mapping[str, list[str]]) -> Entity | None:
    """Whom a group of values speaks of; None when none of its fields says."""
    for kind, names in _ENTITIES.items():
        value = next((group[name][0] for name in names if group.get(name)), "")
        if value:
            return Entity("client" if kind == "user" and ("." in value or ":" in value) else kind, value)
    return None


def _now(batch: Batch, source: Source) -> Any:
    return source.of.rows(batch)[source.of.moments[1]]


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
