"""Where and with what an account works: in: transactions; out: detections of impossible travel, of countries that are
new for an account, and of tools in accounts of people with browsers.

Places come from a MaxMind DB of cities or countries, when one is given. Travel is impossible when the distance between
two uses would take more than an aeroplane's speed; where the table has countries only, it counts nothing. The one law:
places are looked up for clients that are new to an account, never for each transaction.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from sensor import limits
from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import AccountChangesSettings
from sensor.detection.by_row import ByRow, Columns
from sensor.detection.detector import Batch, Strings, sweep
from sensor.detection.detectors.account_changes_kernel import HABITS, HIT, PLACES, Change, Progress, find_changes
from sensor.detection.evidence import address_text, detection_of, identity_of
from sensor.errors import SettingError
from sensor.limits import NS
from sensor.structures.word_search import folded_words

TRAVEL = Rule(
    id="impossible-travel",
    version=1,
    title="An account is used from two places that are too far apart",
    category="session",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,  # people turn on VPNs
    owasp=("API2:2023",),
    attack=("T1078",),
)
COUNTRY = Rule(
    id="new-country",
    version=1,
    title="An account is used from a country that is new for it",
    category="session",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
    owasp=("API2:2023",),
    attack=("T1078",),
)
TOOL = Rule(
    id="tool-in-account",
    version=1,
    title="A tool works in an account that only browsers used",
    category="session",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
    owasp=("API2:2023", "API6:2023"),
    attack=("T1078",),
)
BROWSERS = ("mozilla/", "opera/")
TOOLS = (
    "curl", "wget", "python", "aiohttp", "httpx", "go-http", "java/", "libwww", "axios", "node", "undici", "postman",
    "insomnia", "httpie", "ruby", "perl", "php", "guzzle", "scrapy", "powershe", "okhttp", "restshar", "headless",
)  # fmt: skip
EARTH_KM = 6371.0


class Place(NamedTuple):
    country: str
    latitude: float | None
    longitude: float | None


def kilometres(one: Place, other: Place) -> float:
    """Distance along a great circle; 0 when it is not known."""
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return 0.0
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    half = math.sin((b - a) / 2) ** 2
    turn = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half + math.cos(a) * math.cos(b) * turn)))


class Map:
    """A MaxMind DB; raises SettingError when it, or the package that reads it, is not there."""

    def __init__(self, path: str) -> None:
        try:
            import maxminddb
        except ImportError as error:
            raise SettingError(
                "detection.account_changes.location_table: needs the package maxminddb: pip install tapir-sensor[geo]"
            ) from error
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise SettingError(
                f"detection.account_changes.location_table: {path}: {error}; a MaxMind DB is expected"
            ) from error
        self.place = functools.lru_cache(limits.PLACES_CACHED)(self._place)

    def _place(self, address: str) -> Place | None:
        found = self._reader.get(address)
        if not isinstance(found, dict):
            return None
        country, location = found.get("country"), found.get("location")
        code = country.get("iso_code") if isinstance(country, dict) else found.get("country_code")
        if not isinstance(code, str):
            return None
        spot = location if isinstance(location, dict) else {}
        latitude, longitude = spot.get("latitude"), spot.get("longitude")
        known = isinstance(latitude, float) and isinstance(longitude, float)
        return Place(code, latitude if known else None, longitude if known else None)  # type: ignore[arg-type]


class AccountChanges:
    """See the file's head; settings: AccountChangesSettings."""

    rules = (TRAVEL, COUNTRY, TOOL)

    def __init__(self, settings: AccountChangesSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.map = Map(settings.location_table) if settings.location_table else None
        self.browsers, self.tools = folded_words(BROWSERS), folded_words(TOOLS)
        self.habits = ByRow(HABITS)
        self.columns = Columns(habits=self.habits)
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.faults = 0
        self.evicted = 0
        self.state, self.restore = self.columns.state, self.columns.restore

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        identity = batch.tables.identity
        columns = self.habits.of(identity), identity.generations
        pool = self.strings.tables
        self.faults += sweep(
            lambda start: find_changes(
                batch.transactions, batch.entities, start, pool.entries, pool.bytes, *columns, self.browsers,
                self.tools, self.settings.uses_min, int(self.map is not None), self.hits, self.progress,
            ),
            len(batch.transactions),
            self.progress,
            lambda hits: detections.extend(one for hit in self.hits[:hits] for one in self._detections(hit, batch)),
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
        if hit["change"] & Change.CLIENT and self.map is not None:
            here = self.map.place(address_text(int(transaction["client_hi"]), int(transaction["client_lo"])))
            if here is not None:
                found += self._moved(hit, batch, here, self.map)
        return found

    def _moved(self, hit: Any, batch: Batch, here: Place, places: Map) -> list[Detection]:
        known = [
            places.place(address_text(int(hit[f"hi{i}"]), int(hit[f"lo{i}"])))
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
