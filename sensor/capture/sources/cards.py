"""What network cards say: in: names of interfaces; out: packets that came on each, and packets lost before the ring.

From /proc/net/dev of this thread's network namespace. The one law: only what was counted since the capture began
counts, and an interface that comes back with its figures at zero takes nothing back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_TABLE = Path("/proc/thread-self/net/dev")
_PACKETS, _DROPPED, _FULL = 1, 3, 4
"""Columns behind the name: packets; those for which card, driver or system had no room, or which no one took; those
that overran the card's own buffer.
"""


class Cards:
    """`look` now and then; `packets` by interface, as the system counts them, and `dropped` on all since the start."""

    def __init__(self, interfaces: Sequence[str], table: Path = _TABLE) -> None:
        self._names, self._table = frozenset(interfaces), table
        self._lost: dict[str, int] = {}
        self.packets: dict[str, int] = {}
        self.dropped = 0
        self.look()

    def look(self) -> None:
        """Take over what the system has counted; an interface that is not there stays as it was."""
        try:
            lines = self._table.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            name, colon, rest = line.partition(":")
            if colon and (name := name.strip()) in self._names:
                figures = rest.split()
                lost = int(figures[_DROPPED]) + int(figures[_FULL])
                self.dropped += max(lost - self._lost.get(name, lost), 0)
                self._lost[name] = lost
                self.packets[name] = int(figures[_PACKETS])
