"""Does a signature match a transaction? In: signature, message, direction; out: yes or no.

Contents that lie relative to the one before are tried at each of its places, as Suricata does. The one law: at most
STEPS_MAX places are tried for one part, so that no rule and no text can hold the sensor up; beyond, it does not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sensor.detection.signatures.buffers import ONE_BY_ONE, Message
from sensor.detection.signatures.rule import ByteTest, Content, IsDataAt, Part, Pcre, Signature, Size, Test

STEPS_MAX = 2_000
_OPERATIONS: dict[str, Callable[[int, int], bool]] = {
    "<": int.__lt__, ">": int.__gt__, "=": int.__eq__, "<=": int.__le__, ">=": int.__ge__,
    "&": lambda a, b: bool(a & b), "^": lambda a, b: bool(a ^ b),
}  # fmt: skip


_NUMBERS = {
    8: re.compile(rb"[ \t-\r]*([+-]?[0-7]+)"), 10: re.compile(rb"[ \t-\r]*([+-]?[0-9]+)"),
    16: re.compile(rb"[ \t-\r]*([+-]?(?:0[xX](?=[0-9a-fA-F]))?[0-9a-fA-F]+)"),
}  # fmt: skip


_DIGITS_MAX = 23


def _number(octets: bytes, base: int) -> int | None:
    """The number that a text begins with, as C reads one."""
    found = _NUMBERS[base].match(octets)
    return int(found.group(1), base) % 2**64 if found else None


def matches(signature: Signature, message: Message, direction: str) -> bool:
    """Whether every part of the signature holds."""
    return all(_holds(part, message, direction) for part in signature.parts)


def _holds(part: Part, message: Message, direction: str) -> bool:
    octets = message.buffer(part.buffer, direction, part.transforms)
    if octets is None:
        return False
    each = octets.split(b"\r\n") if part.buffer in ONE_BY_ONE else (octets,)
    return any(_Buffer(one, part.tests).search(0, 0) for one in each)


class _Buffer:
    def __init__(self, octets: bytes, tests: tuple[Test, ...]) -> None:
        self.octets, self.tests = octets, tests
        self.lower = octets.lower() if any(isinstance(test, Content) and test.nocase for test in tests) else octets
        self.steps = 0

    def search(self, number: int, at: int) -> bool:
        """Whether the tests from `number` on hold, the last match having ended at `at`."""
        if number == len(self.tests):
            return True
        test = self.tests[number]
        if isinstance(test, Content):
            return self._content(test, number, at)
        if isinstance(test, Pcre):
            return self._pcre(test, number, at)
        return self._simple(test, at) and self.search(number + 1, at)

    def _content(self, test: Content, number: int, at: int) -> bool:
        base = at if test.relative else 0
        text = self.lower if test.nocase else self.octets
        needle = test.octets.lower() if test.nocase else test.octets
        start = max(base + test.start, 0)
        stop = len(text) if test.stop is None else min(base + test.stop, len(text))
        if test.at_end:
            start = max(start, len(text) - len(needle))
        goes_on = number + 1 < len(self.tests) and getattr(self.tests[number + 1], "relative", False)
        place = text.find(needle, start, max(stop, 0)) if stop > 0 else -1
        if test.negated:
            return place < 0 and self.search(number + 1, at)
        while place >= 0 and self.steps < STEPS_MAX:
            self.steps += 1
            if self.search(number + 1, place + len(needle)):
                return True
            if not goes_on:
                return False
            place = text.find(needle, place + 1, stop)
        return False

    def _pcre(self, test: Pcre, number: int, at: int) -> bool:
        octets = self.octets[at:] if test.relative else self.octets
        base = at if test.relative else 0
        found = test.expression.search(octets)
        if test.negated:
            return found is None and self.search(number + 1, at)
        goes_on = number + 1 < len(self.tests) and getattr(self.tests[number + 1], "relative", False)
        while found is not None and self.steps < STEPS_MAX:
            self.steps += 1
            if self.search(number + 1, base + found.end()):
                return True
            if not goes_on:
                return False
            found = test.expression.search(octets, found.start() + 1)
        return False

    def _simple(self, test: Test, at: int) -> bool:
        if isinstance(test, Size):
            return test.least <= len(self.octets) <= test.most
        if isinstance(test, IsDataAt):
            needed = at + test.offset if test.relative else test.offset + 1
            return (len(self.octets) >= needed) != test.negated
        return isinstance(test, ByteTest) and self._byte_test(test, at)

    def _byte_test(self, test: ByteTest, at: int) -> bool:
        start = (at if test.relative else 0) + test.offset
        length = test.length or (_DIGITS_MAX if test.base else 0)  # of a text without a length: as far as it goes
        octets = self.octets[start : start + length] if start >= 0 else b""
        if len(octets) < test.length or not octets:
            return False
        value = _number(octets, test.base) if test.base else int.from_bytes(octets, "little" if test.little else "big")
        if value is None:
            return False
        return bool(_OPERATIONS[test.operator](value, test.value)) != test.negated
