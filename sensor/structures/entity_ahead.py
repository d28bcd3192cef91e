"""Asking ahead for rows of an EntityTable: in: hashes of keys that will be searched; out: nothing.

A search waits for memory twice, for its slot and for its row, and what is kept by row once more. Asked for together,
many are under way at once. The one law: results do not depend on it; a search that does not end in its first slot waits
as it would have.
"""

from sensor._jit import part_kernel
from sensor.structures.hash_table import home, row_of
from sensor.structures.prefetch import prefetch

AHEAD = 32
"""Searches asked for together where they are made one by one; what they take stays in the first-level cache."""


@part_kernel
def ask_for_rows(entities, slots, records, hashes, n):
    """Ask for what searches for the first `n` hashes will read, and for records of the rows that they seem to find."""
    for i in range(n):
        prefetch(slots, home(slots, hashes[i]))
    for i in range(n):
        row = row_of(slots[home(slots, hashes[i])])
        if row >= 0:
            prefetch(entities, row)
            prefetch(records, row)
