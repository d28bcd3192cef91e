"""What network cards say: in: names of interfaces; out: packets that came on each, and packets lost before the ring.

From /proc/net/dev of this thread's network namespace. Drivers count frames that nobody wanted (of protocols or VLANs
that they do not know) as dropped too: these drip whatever the traffic, and what is lost comes in floods. The one law:
only what was counted since the capture began counts, and an interface that comes back with its figures at zero takes
nothing back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_TABLE = Path("/proc/thread-self/net/dev")
_PACKETS, _DROPPED, _FULL = 1, 3, 4
"""Columns behind the name: packets; those for which card, driver or system had no room, or which no one took; those
that overran the card's own buffer.
"""
_FEW, _FEW_IN = 10, 1_000
"""So many dropped between two looks, and one in so many packets that came, may be frames that nobody wanted."""


class Cards:
    """`look` once in a second or so; `packets` by interface, as the system counts them; since the start, on all of them,
    `dropped`, and `unwanted`: so few at a time that they may be frames that nobody wanted.
    """

    def __init__(self, interfaces: Sequence[str], table: Path = _TABLE) -> None:
        self._names, self._table = frozenset(interfaces), table
        self._figures: dict[str, tuple[int, int, int]] = {}
        self.packets: dict[str, int] = {}
        self.dropped = self.unwanted = 0
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
                self._take(name, (int(figures[_PACKETS]), int(figures[_DROPPED]), int(figures[_FULL])))

    def _take(self, name: str, figures: tuple[int, int, int]) -> None:
        before = self._figures.get(name, figures)
        packets, dropped, full = (max(now - then, 0) for now, then in zip(figures, before, strict=True))
        few = dropped <= _FEW + packets // _FEW_IN
        self.unwanted += dropped if few else 0
        self.dropped += full + (0 if few else dropped)
        self._figures[name] = figures
        self.packets[name] = figures[0]
