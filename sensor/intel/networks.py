"""A million networks asked at the speed of columns: in: rows of NETWORK4 and NETWORK6; out: which addresses lie in any.

Networks lie inside one another or apart, never across: so those that lie in no other, sorted, answer "in any?" with one
binary search a distinct address. Which networks those were is asked only of addresses that lie in one. The one law: the
answer is that of asking each network in turn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ABOUT = [("expires", "i8"), ("note", "u4"), ("confidence", "f4"), ("feed", "u2")]
NETWORK4 = np.dtype([("start", "u4"), ("end", "u4"), *_ABOUT])
"""`expires` seconds since 1970, 0 for never; `note` a row of notes; `feed` a row of feeds; `confidence` -1 for none."""
NETWORK6 = np.dtype([("start", "S16"), ("end", "S16"), *_ABOUT])
"""The same with addresses as 16 bytes, the first one first: they sort as the numbers do."""
_IPV4 = 0xFFFF
Rows = npt.NDArray[np.void]
U64 = npt.NDArray[np.uint64]


def ordered(rows: Rows) -> Rows:
    """By start, the wider network first."""
    if rows.dtype["start"].kind == "u":
        return rows[np.lexsort((~rows["end"], rows["start"]))]
    ends = [int.from_bytes(end.ljust(16, b"\0"), "big") for end in rows["end"].tolist()]
    starts = [start.ljust(16, b"\0") for start in rows["start"].tolist()]
    return rows[sorted(range(len(rows)), key=lambda row: (starts[row], -ends[row]))]


def _outermost(rows: Rows) -> npt.NDArray[np.intp]:
    """Of ordered rows, those that lie in no other."""
    if not len(rows):
        return np.zeros(0, np.intp)
    if rows.dtype["start"].kind == "u":
        reached = np.maximum.accumulate(rows["end"].astype(np.int64))
        return np.flatnonzero(np.concatenate([[True], rows["start"][1:] > reached[:-1]]))
    found: list[int] = []
    end = b""
    for row, (start, last) in enumerate(zip(rows["start"].tolist(), rows["end"].tolist(), strict=True)):
        if not found or start.ljust(16, b"\0") > end:
            found.append(row)
            end = last.ljust(16, b"\0")
    return np.array(found, np.intp)


class _Family:
    """Networks of one family, their addresses of one dtype."""

    def __init__(self, rows: Rows) -> None:
        self.rows = ordered(rows)
        self._outer = _outermost(self.rows)
        self._starts = np.ascontiguousarray(self.rows["start"][self._outer])
        self._ends = np.ascontiguousarray(self.rows["end"][self._outer])

    def listed(self, addresses: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
        places = np.searchsorted(self._starts, addresses, side="right") - 1
        inside: npt.NDArray[np.bool_] = (places >= 0) & (addresses <= self._ends[places])
        return inside

    def around(self, address: npt.NDArray[np.generic]) -> Rows:
        """The rows of all networks that one address lies in, the widest first."""
        place = int(np.searchsorted(self._starts, address, side="right")[0]) - 1
        if place < 0:
            return self.rows[:0]
        group = self.rows[self._outer[place] : int(np.searchsorted(self.rows["start"], address, side="right")[0])]
        inside: Rows = group[group["end"] >= address[0]]
        return inside


class Networks:
    """Addresses are given as the tables have them: 128 bits in two uint64, IPv4 as ::ffff:a.b.c.d."""

    def __init__(self, rows4: Rows, rows6: Rows) -> None:
        self._four, self._six = _Family(rows4), _Family(rows6)

    def __len__(self) -> int:
        return len(self._four.rows) + len(self._six.rows)

    @property
    def has_ipv6(self) -> bool:
        return len(self._six.rows) > 0

    def listed(self, hi: U64, lo: U64) -> npt.NDArray[np.intp]:
        """Places of the addresses that lie in any network, in order."""
        is4 = (hi == 0) & (lo >> np.uint64(32) == _IPV4)
        return np.union1d(
            _places(self._four, is4, lo.astype(np.uint32)) if len(self._four.rows) else _NONE,
            _places(self._six, ~is4, octets(hi, lo)) if len(self._six.rows) and not is4.all() else _NONE,
        )

    def around(self, hi: int, lo: int) -> Rows:
        """Rows of the networks that one address lies in, the widest first."""
        if hi == 0 and lo >> 32 == _IPV4:
            return self._four.around(np.array([lo & 0xFFFFFFFF], np.uint32))
        return self._six.around(octets(np.array([hi], np.uint64), np.array([lo], np.uint64)))


_NONE = np.zeros(0, np.intp)


def octets(hi: U64, lo: U64) -> npt.NDArray[np.bytes_]:
    """Addresses as NETWORK6 has them, S16[n]."""
    pairs = np.empty((len(hi), 2), ">u8")
    pairs[:, 0], pairs[:, 1] = hi, lo
    return pairs.view("S16").reshape(-1)


def _places(family: _Family, among: npt.NDArray[np.bool_], addresses: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    """Distinct addresses are asked, sorted as they come from that; which rows have them only where one is listed."""
    distinct = np.unique(addresses[among])
    found = distinct[family.listed(distinct)]
    return np.flatnonzero(among & np.isin(addresses, found)) if len(found) else _NONE
