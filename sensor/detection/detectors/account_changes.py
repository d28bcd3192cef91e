"""Where and with what an account works: in: transactions; out: detections of impossible travel, of countries and rare
networks that are new for an account, of tools in accounts of people with browsers, and of software hardly anyone has.

Places come from a MaxMind DB of cities or countries, networks from one of autonomous systems, when they are given.
Travel is impossible when the distance between two uses would take more than an aeroplane's speed; where the table has
countries only, it counts nothing. The one law: places are looked up for clients that are new to an account, never for
each transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import AccountChangesSettings
from sensor.detection import carried
from sensor.detection.by_row import ByRow
from sensor.detection.detector import Batch, Strings
from sensor.detection.detectors.account_changes_kernel import (
    HABITS,
    HIT,
    PLACES,
    Change,
    Located,
    Progress,
    find_changes,
)
from sensor.detection.evidence import address_text, detection_of, identity_of
from sensor.detection.kept import Kept
from sensor.detection.places import Map, Place, kilometres
from sensor.detection.usual_networks import UsualNetworks
from sensor.limits import NS
from sensor.structures.entity_table import EntityTable
from sensor.structures.word_search import folded_words


def _rule(name: str, title: str, severity: Severity = Severity.LOW, owasp: tuple[str, ...] = ("API2:2023",)) -> Rule:
    return Rule(
        id=name, version=1, title=title, category="session", kind=Kind.BEHAVIOUR, severity=severity, owasp=owasp,
        attack=("T1078",),
    )  # fmt: skip


_AUTOMATED = ("API2:2023", "API6:2023")
_TRAVEL = "An account is used from two places that are too far apart"
TRAVEL = _rule("impossible-travel", _TRAVEL, Severity.MEDIUM)  # people turn on VPNs
COUNTRY = _rule("new-country", "An account is used from a country that is new for it")
NETWORK = _rule("new-network", "An account is used from a network that is new for it and hardly anyone else's")
TOOL = _rule("tool-in-account", "A tool works in an account that only browsers used", owasp=_AUTOMATED)
AGENT = _rule("rare-agent", "An account is used with software that hardly any other account has", owasp=_AUTOMATED)
BROWSERS = ("mozilla/", "opera/")
TOOLS = (
    "curl", "wget", "python", "aiohttp", "httpx", "go-http", "java/", "libwww", "axios", "node", "undici", "postman",
    "insomnia", "httpie", "ruby", "perl", "php", "guzzle", "scrapy", "powershe", "okhttp", "restshar", "headless",
)  # fmt: skip
class AccountChanges(Kept):
    """See the file's head; settings: AccountChangesSettings."""

    rules = (TRAVEL, COUNTRY, NETWORK, TOOL, AGENT)

    def __init__(self, settings: AccountChangesSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        table, networks = settings.location_table, settings.network_table
        self.map = Map(table, "detection.account_changes.location_table") if table else None
        self.networks = UsualNetworks(networks, "detection.account_changes.network_table") if networks else None
        self.located = (Located.CHANGES if table or networks else 0) | (Located.FIRST if networks else 0)
        self.browsers, self.tools = folded_words(BROWSERS), folded_words(TOOLS)
        self.habits = ByRow(HABITS)
        self.people = np.zeros(settings.agents_max, np.uint32)
        agents = EntityTable(settings.agents_max)
        super().__init__("agents", agents, {"people": self.people}, {"habits": self.habits}, HIT, len(Progress))

    @property
    def evicted(self) -> int:
        return super().evicted + (self.networks.evicted if self.networks else 0)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        networks = carried.under("networks", self.networks.state()) if self.networks else {}
        return {**super().state(), **networks}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if self.networks:
            self.networks.restore(carried.of("networks", saved))
        return super().restore(saved)

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        identity, pool = batch.tables.identity, self.strings.tables
        columns: list[Any] = [self.habits.of(identity), identity.generations, *self.table.arrays, self.people]
        self.sweep(
            len(batch.transactions),
            lambda start: find_changes(  # type: ignore[call-arg]  # counts no items of a list
                batch.transactions, batch.entities, start, pool.entries, pool.bytes, *columns, self.browsers,
                self.tools, self.settings.uses_min, self.located, self.hits, self.progress,
            ),
            lambda hit: detections.extend(self._detections(hit, batch)),
        )  # fmt: skip
        return detections

    def _detections(self, hit: Any, batch: Batch) -> list[Detection]:
        transaction = batch.transactions[hit["row"]]
        found = []
        if hit["change"] & Change.TOOL:
            known = bool(hit["before"])
            details = {"from": "a client that it has used before" if known else "a client that is new for it"}
            numbers = Numbers(
                observed=1.0, threshold=1.0, unit="tools", window_seconds=0.0, baseline=float(hit["uses"])
            )
            severity = None if known else Severity.MEDIUM
            found.append(self._found(TOOL, hit, batch, numbers, severity, details))
        if hit["change"] & Change.AGENT:
            found += self._rare(AGENT, hit, batch, int(hit["others"]), int(hit["people"]), {})
        if hit["change"] & Change.CLIENT:
            address = address_text(int(transaction["client_hi"]), int(transaction["client_lo"]))
            here = self.map.place(address) if self.map is not None else None
            if here is not None and hit["uses"] > 0:
                found += self._moved(hit, batch, here, self.map)  # type: ignore[arg-type]  # there is one
            if self.networks is not None:
                row = int(batch.entities["identity"][hit["row"]])
                rare = self.networks.note(batch.tables.identity, row, address)
                if rare is not None and hit["uses"] >= self.settings.uses_min:
                    about = {"network": rare.network.number, "holder": rare.network.holder, "before": rare.before}
                    found += self._rare(NETWORK, hit, batch, rare.others, rare.people, about)
        return found

    def _rare(
        self, rule: Rule, hit: Any, batch: Batch, others: int, people: int, details: dict[str, Any]
    ) -> list[Detection]:
        """The detection of what `others` of `people` accounts have, when these are few of many."""
        most = self.settings.others_part_max * people
        if people < self.settings.people_min or others > most:
            return []
        unit = "other accounts in this network" if rule is NETWORK else "other accounts with this software"
        numbers = Numbers(
            observed=float(others), threshold=round(most, 2), unit=unit, window_seconds=0.0, baseline=float(people)
        )
        return [self._found(rule, hit, batch, numbers, None, details)]

    def _moved(self, hit: Any, batch: Batch, here: Place, places: Map) -> list[Detection]:
        known = [
            places.place(address_text(int(hit["his"][i]), int(hit["los"][i])))
            for i in range(min(int(hit["clients"]), PLACES))
        ]
        last = known[int(hit["last"])]
        if last is None:
            return []
        hours = max(int(batch.transactions["ts"][hit["row"]]) - int(hit["before_ts"]), 0) / NS / 3600
        distance = kilometres(last, here)
        countries = sorted({place.country for place in known if place})
        details = {"country": here.country, "countries_before": countries, "kilometres": round(distance)}
        settings = self.settings
        if distance >= settings.distance_km_min and distance > settings.speed_kmh_max * hours:
            numbers = Numbers(
                observed=round(distance / max(hours, 1 / 60)), threshold=settings.speed_kmh_max, unit="km/h",
                window_seconds=hours * 3600,
            )  # fmt: skip
            return [self._found(TRAVEL, hit, batch, numbers, None, details)]
        if here.country not in countries and int(hit["uses"]) >= settings.uses_min:
            numbers = Numbers(observed=1.0, threshold=1.0, unit="new countries", window_seconds=0.0)
            return [self._found(COUNTRY, hit, batch, numbers, None, details)]
        return []

    def _found(
        self, rule: Rule, hit: Any, batch: Batch, numbers: Numbers, severity: Severity | None, details: dict[str, Any]
    ) -> Detection:
        transaction = batch.transactions[hit["row"]]
        entity = identity_of(transaction, int(batch.entities["identity_kind"][hit["row"]]))
        return detection_of(
            transaction, self.strings, rule, entity, numbers, count=1, run=f"{entity.value}@{transaction['now']}",
            first_ts=int(transaction["ts"]), severity=severity, confidence=0.7, details=details,
        )  # fmt: skip
