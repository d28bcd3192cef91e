"""The index of an entity table made anew: in: entities restored from a file; out: slots that find them."""

from sensor._jit import U64s, kernel
from sensor.structures.entity_table_kernels import ENTITY
from sensor.structures.hash_table import following, home, insert


@kernel
def index_entities(entities: ENTITY, rows: int, slots: U64s) -> None:
    """Fill the empty `slots` with the first `rows` entities."""
    for row in range(rows):
        hashed = entities[row]["hash"]
        position = home(slots, hashed)
        while slots[position] != 0:
            position = following(slots, position)
        insert(slots, position, hashed, row)
