"""What network cards say: in: names of interfaces; out: packets that came on each, and packets lost before the ring.

From /proc/net/dev of this thread's network namespace. Not all that is called dropped there is lost: the system counts
frames with several VLAN tags that it has no interface for, though the sensor gets them, and drivers count frames of
protocols that they do not know, which drip whatever the traffic. The one law: only what was counted since the capture
began counts, and an interface that comes back with its figures at zero takes nothing back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

_TABLE = Path("/proc/thread-self/net/dev")
_PACKETS, _DROPPED, _FULL = 1, 3, 4
"""Columns behind the name: packets; those for which card, driver or system had no room, or which no one took; those
that overran the card's own buffer.
"""
_FEW, _FEW_IN = 10, 1_000
"""So many dropped between two looks, and one in so many packets that came, may be frames that nobody wanted."""


class Cards:
    """`look` once in a second or so; `packets` by interface, as the system counts them. Since the start, on all:
    `dropped`, and `unwanted`, by the system itself or so few at a time that nobody may have wanted them.
    """

    def __init__(self, interfaces: Sequence[str], table: Path = _TABLE) -> None:
        self._names, self._table = frozenset(interfaces), table
        self._figures: dict[str, tuple[int, int, int]] = {}
        self.packets: dict[str, int] = {}
        self.dropped = self.unwanted = 0
        self._unseen = self._passed = self._waiting = 0
        self._lately = self._credit = 0
        self.look()

    def look(self, unwanted: int = 0, passed: int | None = None) -> None:
        """Take over what the system has counted; an interface that is not there stays as it was.

        So many `unwanted` frames came so far that the system itself may have dropped behind the sensor; a filter let so
        many packets pass, None without one.
        """
        came = dropped = full = 0
        for name, figures in self._read():
            before = self._figures.get(name, figures)
            more = [max(now - then, 0) for now, then in zip(figures, before, strict=True)]
            came, dropped, full = came + more[0], dropped + more[1], full + more[2]
            self._figures[name], self.packets[name] = figures, figures[0]
        kept = 0 if passed is None else max(came - (passed - self._passed), 0)
        explained = max(unwanted - self._unseen, 0) + kept
        self._unseen, self._passed = unwanted, passed or 0
        self._credit = min(self._credit, self._lately) + explained  # what was in the ring at the last look is read now
        self._lately = explained
        self._judge(came)
        self._waiting = dropped
        self.dropped += full

    def settle(self) -> None:
        """Nobody will look again: what was dropped since the look before the last is judged too."""
        self._judge(0)
        self._waiting = 0

    def _judge(self, came: int) -> None:
        """What was dropped until the look before this one."""
        explained = min(self._waiting, self._credit)
        self._credit -= explained
        rest = self._waiting - explained
        few = rest <= _FEW + came // _FEW_IN
        self.unwanted += explained + (rest if few else 0)
        self.dropped += 0 if few else rest

    def _read(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        try:
            lines = self._table.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            name, colon, rest = line.partition(":")
            if colon and (name := name.strip()) in self._names:
                figures = rest.split()
                yield name, (int(figures[_PACKETS]), int(figures[_DROPPED]), int(figures[_FULL]))
