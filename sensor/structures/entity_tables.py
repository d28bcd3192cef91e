"""The entity tables that features fill and detectors share: in: how many rows of each; out: the tables, by name.

A detector keeps its own columns by a table's row and remembers the row's generation with them: when that is another,
the row has been given to somebody else, and the detector's columns begin anew. The one law: a generation never comes
back.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from sensor.structures.entity_table import EntityTable

ENTITIES = np.dtype(
    [
        ("client", "i4"),             # address, IPv6 as /64
        ("identity", "i4"),           # subject, else credential, else client address
        ("endpoint", "i4"),           # server, method and template; 0 for what no server has ever had
        ("server", "i4"),             # address and port
        ("identity_endpoint", "i4"),
        ("identity_kind", "i4"),      # IdentityKind
    ],
    align=True,
)
"""To whom a transaction is ascribed, one row for each: each column is a row of the entity table of that name."""


class IdentityKind(IntEnum):
    CLIENT = 0      # nothing but the address tells
    CREDENTIAL = 1  # a credential of which nothing more is known
    SUBJECT = 2     # an account: by its name, or tied to the credential by the answer that issued it


class SharedTable(EntityTable):
    """An EntityTable with a generation for each row: 0 while it is nobody's, one more for each new owner.

    `generations` uint32[rows], one for each of the `rows` = reserved + rows_max that a column kept by row needs: row
    numbers begin behind the reserved ones.
    """

    def __init__(self, rows_max: int, reserved: int = 0) -> None:
        super().__init__(rows_max)
        self.reserved, self.rows = reserved, reserved + rows_max
        self.generations = np.zeros(self.rows, np.uint32)

    def key(self, row: int) -> tuple[int, int, int, int]:
        """The four words of the row's present owner; zeros of a reserved row."""
        if row < self.reserved:
            return 0, 0, 0, 0
        entity = self.entities[row - self.reserved]
        return int(entity["key0"]), int(entity["key1"]), int(entity["key2"]), int(entity["key3"])


class EntityTables(NamedTuple):
    """Keys: client (address hi, lo); identity (fingerprint, 0, kind) or (address hi, lo, 0); endpoint (server lo, hi
    and port, method, template); server (address hi, lo, port); identity_endpoint (identity row and
    generation, endpoint row and generation). Row 0 of `endpoint` is shared by everything that no server has ever had.
    """

    client: SharedTable
    identity: SharedTable
    endpoint: SharedTable
    server: SharedTable
    identity_endpoint: SharedTable

    @property
    def evicted(self) -> int:
        """Entities of all tables that gave way so far."""
        return sum(table.evicted for table in self)
