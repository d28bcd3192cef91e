"""What an identity costs in memory: all tables with a row for each are summed, with every detector on."""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.config import DetectionSettings, FeatureSettings
from sensor.detection.stage import DetectionStage
from sensor.features.stage import FeatureStage
from tests.detection.tables import NO_FLOWS, NO_STREAMS, Pool, transaction

ROWS = 1 << 16
SMALL = {"clients_max": 1_024, "endpoints_max": 1_024, "servers_max": 64, "credentials_max": 1_024}
ALL = DetectionSettings()


def arrays(thing: Any, name: str, seen: set[int], found: dict[str, int]) -> dict[str, int]:
    """Bytes of every array that can be reached from here, once each, by the way to it."""
    while isinstance(thing, np.ndarray) and isinstance(thing.base, np.ndarray):
        thing = thing.base
    if id(thing) in seen:
        return found
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        found[name] = thing.nbytes
    elif isinstance(thing, dict):
        for key, value in thing.items():
            arrays(value, f"{name}.{key}", seen, found)
    elif isinstance(thing, list | tuple):
        for place, value in enumerate(thing):
            arrays(value, f"{name}.{place}", seen, found)
    elif type(thing).__module__.startswith("sensor.") and hasattr(thing, "__dict__"):
        arrays(vars(thing), name, seen, found)
    return found


def bytes_of(identities: int, pairs: int = 1_024) -> dict[str, int]:
    """Of all tables of features and detectors, made for so many identities, once a request was seen."""
    pool = Pool()
    given = FeatureSettings(identities_max=identities, identity_endpoints_max=pairs, **SMALL)
    features, stage = FeatureStage(given, pool.tables), DetectionStage(ALL, pool)
    rows = transaction(pool, 1.0, user=5, subject=6, object_id=7)
    entities = features.process(rows)
    stage.process(rows, NO_FLOWS, NO_STREAMS, int(rows["now"][-1]), entities, features.tables)
    everything = {"features": features, "owners": stage._owners, **stage.detectors}
    return arrays(everything, "", set(), {})


def test_an_identity_takes_at_most_512_bytes():
    few, many = bytes_of(ROWS), bytes_of(2 * ROWS)
    each = {name: (many[name] - few.get(name, 0)) / ROWS for name in many if many[name] != few.get(name, 0)}
    assert {"slow_exfiltration", "account_changes", "features"} <= {name.split(".")[1] for name in each}
    assert sum(each.values()) <= 512, sorted(each.items(), key=lambda pair: -pair[1])


def test_a_million_identities_fit_in_a_gibibyte():
    """With as many pairs of identity and endpoint as there are by default."""
    assert sum(bytes_of(1_000_000, FeatureSettings().identity_endpoints_max).values()) <= 1 << 30
