"""Whom each transaction is ascribed to: in: the transactions of a batch; out: ENTITIES, a row for each.

The tables are shared by all detectors, which therefore hash no addresses, tokens or endpoints of their own. An account
is one identity through all of its tokens: what a login's or a refresh's answer hands out is tied to the account. The
one law: the rows depend on the transactions and their order alone, not on how they were cut into batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.config import FeatureSettings
from sensor.features.entities_kernel import Progress, resolve
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_tables import ENTITIES, EntityTables, SharedTable
from sensor.structures.memory import Memory
from sensor.structures.string_pool import PoolTables

Rows = npt.NDArray[np.void]


_ROWS = 512
"""Transactions worked on at a time: what one needs of them stays in the first cache."""


class Entities:
    """`tables` are the shared ones; `tied` counts credentials that were tied to an account."""

    def __init__(self, settings: FeatureSettings) -> None:
        self.tables = EntityTables(
            client=SharedTable(settings.clients_max),
            identity=SharedTable(settings.identities_max),
            endpoint=SharedTable(settings.endpoints_max, reserved=1),
            server=SharedTable(settings.servers_max),
            identity_endpoint=SharedTable(settings.identity_endpoints_max),
        )
        self.ties = EntityTable(settings.credentials_max)
        self.subjects = np.zeros(settings.credentials_max, np.uint64)
        self.progress = np.zeros(len(Progress), np.int64)
        self._rows = [np.zeros(_ROWS, np.uint64) for _ in range(3)]
        self.faults = 0
        self.memory = Memory()
        self.memory.keep("credential", self.ties, subjects=self.subjects)
        for name, table in self.tables._asdict().items():
            self.memory.keep(name, table, generations=table.generations[table.reserved :])
        self._shared: list[Any] = [array for table in self.tables for array in (*table.arrays, table.generations)]

    @property
    def evicted(self) -> int:
        return self.tables.evicted + self.ties.evicted

    @property
    def tied(self) -> int:
        return int(self.progress[Progress.TIED])

    def process(self, transactions: Rows, strings: PoolTables) -> Rows:
        """ENTITIES[len(transactions)]; writes `subject` where a token was tied to an account."""
        out = np.zeros(len(transactions), ENTITIES)
        start, rows = 0, _ROWS
        while start < len(transactions):
            try:
                start = resolve(  # type: ignore[call-arg]  # counts no items of a list
                    transactions, start, strings.entries, out, *self.ties.arrays, self.subjects, *self._shared,
                    *(each[:rows] for each in self._rows), self.progress,
                )  # fmt: skip
            except IndexError:
                if rows > 1:
                    rows = 1  # so that it costs the row that it was on
                else:
                    self.faults += 1
                    start = int(self.progress[Progress.ROW]) + 1
        return out
