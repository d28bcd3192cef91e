"""In which networks accounts work: in: addresses that are new for an account; out: whether its network is rare.

The one law: a network is rare for an account when it is new for it, though others are known, and hardly any other
account was ever in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.detection.by_row import ByRow
from sensor.detection.carried import packed, unpacked
from sensor.detection.places import Network, Networks
from sensor.structures.entity_tables import SharedTable

_KNOWN = 8
_ACCOUNT = np.dtype([("generation", "u4"), ("networks", "u4", (_KNOWN,))], align=True)


class Rare(NamedTuple):
    """A network that is new for an account, in which `others` of `people` accounts were; those it was in before."""

    network: Network
    others: int
    people: int
    before: list[int]


class UsualNetworks:
    """Of each account the last networks, by number; of each network how many accounts were in it."""

    def __init__(self, path: str, setting: str) -> None:
        self.table = Networks(path, setting)
        self._accounts = ByRow(_ACCOUNT)
        self._people = 0
        self._others: dict[int, int] = {}
        self.evicted = 0

    def note(self, identities: SharedTable, row: int, address: str) -> Rare | None:
        """An account is at an address that is new for it."""
        network = self.table.network(address)
        if network is None:
            return None
        account = self._accounts.of(identities)[row]
        if account["generation"] != identities.generations[row]:
            account["generation"], account["networks"] = identities.generations[row], 0
        before: list[int] = [number for number in account["networks"].tolist() if number]
        if network.number in before:
            return None
        others = self._others.pop(network.number, 0)
        if len(self._others) >= limits.PLACES_CACHED:
            del self._others[next(iter(self._others))]
            self.evicted += 1
        self._others[network.number] = others + 1
        self._people += not before
        account["networks"] = [network.number, *before][:_KNOWN] + [0] * (_KNOWN - 1 - len(before))
        return Rare(network, others, self._people, before) if before else None

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"accounts": self._accounts.state(), "others": packed((self._people, self._others))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "others", tuple[int, dict[int, int]])
        if words is None or "accounts" not in saved:
            return False
        self._people, self._others = words
        return self._accounts.restore(saved["accounts"])
