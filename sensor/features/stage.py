"""Features: in: the transactions of a batch; out: to whom each is ascribed.

The one law: every transaction passes here once, in order, before any detector sees it.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sensor.config import FeatureSettings
from sensor.counters import Counters
from sensor.features.entities import Entities
from sensor.structures.entity_tables import EntityTables
from sensor.structures.string_pool import PoolTables

Rows = npt.NDArray[np.void]


class Count(IntEnum):
    TRANSACTIONS = 0
    CREDENTIALS_TIED = 1  # tokens tied to the account that they were issued to
    EVICTED = 2           # entities forgotten because a table was full
    KERNEL_FAULT = 3      # rows on which a kernel raised


class FeatureStage:
    """`tables` are the entity tables whose rows `process` gives."""

    def __init__(self, settings: FeatureSettings, strings: PoolTables) -> None:
        self.counters = Counters(Count)
        self._strings = strings
        self._entities = Entities(settings)
        self.state, self.restore = self._entities.memory.state, self._entities.memory.restore

    @property
    def tables(self) -> EntityTables:
        return self._entities.tables

    def process(self, transactions: Rows) -> Rows:
        """ENTITIES[n] of TRANSACTION[n]; `subject` of the transactions is completed."""
        entities = self._entities.process(transactions, self._strings)
        counts = self.counters.values
        counts[Count.TRANSACTIONS] += len(transactions)
        counts[Count.CREDENTIALS_TIED] = self._entities.tied
        counts[Count.EVICTED] = self._entities.evicted
        counts[Count.KERNEL_FAULT] = self._entities.faults
        return entities
