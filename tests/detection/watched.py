"""A detector by itself and what it is shown: in: rows, one after the other; out: what it says of them, in batches or
over a restart.

The one law: rows are shown in the order of packet time, however they were added.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sensor.config import DetectionSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import Pool, alone, features_of, join, run_transactions, transaction


class Watched:
    """Subclasses say which `detector`, by the name of its settings, and what people do."""

    detector = ""

    def __init__(self, **settings: Any) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []
        self.settings = settings

    def add(self, seconds: float, client: str = "10.0.0.1", **columns: Any) -> None:
        self.rows.append(transaction(self.pool, seconds, client, **columns))

    def stage(self) -> DetectionStage:
        shipped = getattr(DetectionSettings(), self.detector)
        return DetectionStage(alone(**{self.detector: msgspec.structs.replace(shipped, **self.settings)}), self.pool)

    def sorted(self) -> np.ndarray:
        return join(sorted(self.rows, key=lambda row: int(row["now"][0])))

    def found(self, batch: int = 1 << 30) -> list[Any]:
        return run_transactions(self.stage(), self.sorted(), batch)

    def restarted(self, at: int) -> list[Any]:
        """What is said when the sensor is started again in front of row `at`, which may be counted from the end."""
        rows, before, after = self.sorted(), self.stage(), self.stage()
        name = f"detection.{self.detector}"
        found = run_transactions(before, rows[:at])
        saved = {key: each.copy() for key, each in before.memories[name].state().items()}
        assert after.memories[name].restore(saved)
        assert features_of(after).restore(features_of(before).state())
        return found + run_transactions(after, rows[at:])
