"""Where addresses are: in: a MaxMind DB and addresses; out: countries, coordinates, autonomous systems.

The one law: an address is looked up once while it is remembered, and a table that cannot be read is a SettingError.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from sensor import limits
from sensor.errors import SettingError

EARTH_KM = 6371.0


class Place(NamedTuple):
    country: str
    latitude: float | None
    longitude: float | None


class Network(NamedTuple):
    """An autonomous system (RFC 1930) and whose it is, empty when the table does not say."""

    number: int
    holder: str


def kilometres(one: Place, other: Place) -> float:
    """Distance along a great circle; 0 when it is not known."""
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return 0.0
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    half = math.sin((b - a) / 2) ** 2
    turn = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half + math.cos(a) * math.cos(b) * turn)))


def _open(path: str, setting: str) -> Any:
    """The table; raises SettingError when it, or the package that reads it, is not there."""
    try:
        import maxminddb
    except ImportError as error:
        raise SettingError(f"{setting}: needs the package maxminddb: pip install tapir-sensor[geo]") from error
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise SettingError(f"{setting}: {path}: {error}; a MaxMind DB is expected") from error


class Map:
    """A table of cities, or of countries; `setting` names where the path was given."""

    def __init__(self, path: str, setting: str) -> None:
        self._reader = _open(path, setting)
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


class Networks:
    """A table of autonomous systems."""

    def __init__(self, path: str, setting: str) -> None:
        self._reader = _open(path, setting)
        self.network = functools.lru_cache(limits.PLACES_CACHED)(self._network)

    def _network(self, address: str) -> Network | None:
        found = self._reader.get(address)
        number = found.get("autonomous_system_number") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(number, int):
            return None
        return Network(number, str(found.get("autonomous_system_organization", "")))
