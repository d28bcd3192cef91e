"""Places of addresses: tables in MaxMind's format and an address go in; country, city and network come out.

Law: an address that no table knows has no place; nothing is asked of anybody over the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from sensor.errors import SettingError

_KEY = "collector.investigation.location_tables"


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the tables say of an address."""

    country: str = ""
    city: str = ""
    network: str = ""  # the autonomous system: number and name


class Places:
    """Raises SettingError when a table, or the package that reads it, is not there."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._readers = [_opened(path) for path in paths]

    def of(self, address: str | None) -> Place | None:
        """None for what is no address, or in no table."""
        found: dict[str, str] = {}
        for reader in self._readers:
            try:
                record = reader.get(address or "")
            except ValueError:
                continue
            if isinstance(record, dict):
                found |= {name: value for name, value in _fields(record).items() if value}
        return Place(**found) if found else None


def _opened(path: str) -> Any:
    try:
        import maxminddb
    except ImportError:
        raise SettingError(f"{_KEY}: needs the package maxminddb: pip install 'tapir-sensor[geo]'") from None
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise SettingError(f"{_KEY}: {path}: {error}; a MaxMind DB is expected") from None


def _fields(record: dict[str, Any]) -> dict[str, str]:
    """MaxMind nests names by language; others write them flat."""
    country, city = record.get("country"), record.get("city")
    number = record.get("autonomous_system_number") or record.get("asn")
    name = record.get("autonomous_system_organization") or record.get("as_name")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code")
    town = city.get("names", {}).get("en") if isinstance(city, dict) else city
    network = [f"AS{str(number).removeprefix('AS')}"] if number else []
    network += [str(name)] if name else []
    return {"country": str(code or ""), "city": str(town or ""), "network": " ".join(network)}
