"""What signatures remember: in: matches in the order of packet time; out: whether one is to be told.

Flow bits, address bits with a time to live, thresholds and detection filters. The one law: each table is bounded, the
oldest entry gives way and is counted, and time is packet time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from sensor.detection.signatures.rule import Bits, Signature, Threshold

ENTRIES_MAX = 65_536


class Where(NamedTuple):
    """A match's flow and addresses, source and target being those of the rule's direction."""

    flow: int
    source: str
    target: str
    now: int


class Memory:
    """`evicted` entries gave way."""

    def __init__(self) -> None:
        self._bits: OrderedDict[tuple[object, ...], int] = OrderedDict()
        self._counts: OrderedDict[tuple[object, ...], list[int]] = OrderedDict()
        self.evicted = 0

    def allows(self, bits: tuple[Bits, ...], where: Where) -> bool:
        """Whether the bits that must (not) be set are (not) set."""
        for option in bits:
            if option.command in ("isset", "isnotset"):
                is_set = any(self._bits.get(self._key(option, name, where), -1) >= where.now for name in option.names)
                if is_set != (option.command == "isset"):
                    return False
        return True

    def apply(self, bits: tuple[Bits, ...], where: Where) -> None:
        """Set, unset and toggle after a match."""
        for option in bits:
            for name in option.names:
                key = self._key(option, name, where)
                until = where.now + round(option.seconds * 1e9) if option.seconds else 1 << 62
                if option.command == "set" or (option.command == "toggle" and key not in self._bits):
                    self._bits.pop(key, None)
                    self._bits[key] = until
                    if len(self._bits) > ENTRIES_MAX:
                        self._bits.popitem(last=False)
                        self.evicted += 1
                elif option.command in ("unset", "toggle"):
                    self._bits.pop(key, None)

    def _key(self, option: Bits, name: str, where: Where) -> tuple[object, ...]:
        owner: object = {
            "flow": where.flow, "ip_src": where.source, "ip_dst": where.target,
            "ip_pair": tuple(sorted((where.source, where.target))),
        }[option.scope]  # fmt: skip
        return "host" if option.scope in ("ip_src", "ip_dst") else option.scope, name, owner

    def passes(self, signature: Signature, where: Where) -> bool:
        """Whether a match of this signature is told, by its threshold or detection filter."""
        threshold = signature.threshold
        if threshold is None:
            return True
        key = signature.sid, self._tracked(threshold, where)
        window = round(threshold.seconds * 1e9)
        count = self._counts.pop(key, None)
        if count is None or where.now - count[0] > window:
            count = [where.now, 0]
        count[1] += 1
        self._counts[key] = count
        if len(self._counts) > ENTRIES_MAX:
            self._counts.popitem(last=False)
            self.evicted += 1
        if threshold.kind == "limit":
            return count[1] <= threshold.limit
        if threshold.kind == "filter":
            return count[1] > threshold.limit
        if threshold.kind == "both":
            return count[1] == threshold.limit
        if count[1] >= threshold.limit:
            count[0], count[1] = where.now, 0
            return True
        return False

    def _tracked(self, threshold: Threshold, where: Where) -> object:
        return {
            "by_src": where.source, "by_dst": where.target, "by_rule": 0, "by_both": (where.source, where.target),
            "by_flow": where.flow,
        }[threshold.track]  # fmt: skip
