"""A bounded table of entities: in: how many; out: the arrays that the kernels of entity_table_kernels.py work on.

The one law: memory is taken once; when it is full an entity that was not used lately gives way, and that is counted.
"""

import secrets

import numpy as np

from sensor.structures.entity_table_kernels import ENTITY, Use


class EntityTable:
    """Rows 0 to `rows_max` - 1, each one entity's; pass `*table.arrays` to `touch`.

    `entities` ENTITY[rows_max], `slots` uint64, `state` int64 (see Use), `seeds` uint64[2].
    """

    def __init__(self, rows_max: int) -> None:
        self.entities = np.zeros(rows_max, ENTITY)
        self.slots = np.zeros(1 << (2 * rows_max - 1).bit_length(), np.uint64)
        self.state = np.zeros(len(Use), np.int64)
        self.seeds = np.array([secrets.randbits(64), secrets.randbits(64)], np.uint64)
        self.arrays = (self.entities, self.slots, self.state, self.seeds)

    @property
    def evicted(self) -> int:
        """Entities that gave way so far."""
        return int(self.state[Use.EVICTED])
