"""Which rows have an address in certain networks: in: networks of a setting, columns of addresses; out: a mask.

The one law: addresses are compared as numbers, whole columns at a time, because traffic brings as many as it likes.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.errors import SettingError

_LOW = (1 << 64) - 1
_MAPPED, _MAPPED_MASK = 0xFFFF << 32, (1 << 128) - (1 << 32)


class Networks:
    """`texts` of the setting named `key`, in CIDR notation; SettingError when one is no network."""

    def __init__(self, texts: tuple[str, ...], key: str) -> None:
        self._tests: list[tuple[bool, tuple[np.uint64, ...]]] = []
        for text in texts:
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError as error:
                raise SettingError(f"{key}: {text!r} is no network (expected one like 10.0.0.0/8): {error}") from None
            is_v4 = network.version == 4
            address = int(network.network_address) | (_MAPPED if is_v4 else 0)
            mask = int(network.netmask) | (_MAPPED_MASK if is_v4 else 0)
            words = (address >> 64, address & _LOW, mask >> 64, mask & _LOW)
            self._tests.append((is_v4, tuple(np.uint64(word) for word in words)))

    def __len__(self) -> int:
        return len(self._tests)

    def hold(self, rows: npt.NDArray[Any], side: str, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Of rows with these numbers, whether the address of this side (`client`, `server`) is in one of them."""
        hi, lo = rows[f"{side}_hi"][numbers], rows[f"{side}_lo"][numbers]
        are_v4 = (hi == 0) & (lo >> np.uint64(32) == 0xFFFF)
        held = np.zeros(len(numbers), np.bool_)
        for is_v4, (net_hi, net_lo, mask_hi, mask_lo) in self._tests:
            held |= (are_v4 == is_v4) & (hi & mask_hi == net_hi) & (lo & mask_lo == net_lo)
        return held
