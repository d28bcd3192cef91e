"""A test of a string, made once for each distinct one: in: codes of the string pool; out: which of them pass.

The one law: a code is judged again when it has become another string's, so codes may be given again at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Strings
from sensor.detection.scan import Scanner

Test = Callable[[Sequence[str]], Sequence[bool]]
_MATCHES_MAX = 1 << 30


def each(test: Callable[[str], bool]) -> Test:
    """One text at a time: for strings of which there are few."""
    return lambda texts: [test(text) for text in texts]


def matching(scanner: Scanner) -> Test:
    """All texts in one search: those in which something matches; no expression matches a line end."""

    def test(texts: Sequence[str]) -> list[bool]:
        ends = np.cumsum([len(text) + 1 for text in texts])
        found = scanner.positions("\n".join(texts).encode("ascii"), _MATCHES_MAX)
        places = np.searchsorted(ends, [end for _, end in found])
        passes = np.zeros(len(texts), np.bool_)
        passes[places] = True
        return passes.tolist()  # type: ignore[no-any-return]

    return test


def code_of(text: str, codes: npt.NDArray[np.uint32], strings: Strings) -> int:
    """Which of the codes is this text's; -1 when none is."""
    return next((int(code) for code in np.unique(codes).tolist() if strings.text(code) == text), -1)


class ByCode:
    """Verdicts of `test` on the texts of codes; no string passes that is absent."""

    def __init__(self, strings: Strings, test: Test) -> None:
        self._strings, self._test = strings, test
        self._hashes = np.zeros(len(strings.tables.entries), np.uint64)  # of the string that was judged last
        self._passes = np.zeros(len(strings.tables.entries), np.bool_)
        self._passed = 0  # verdicts of True so far: while there are none, no row needs a look

    def passing(self, codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
        """Places of the codes whose text passes, in order."""
        hashes = self._strings.tables.entries["hash"]
        unknown = codes[self._hashes[codes] != hashes[codes]]
        if len(unknown):
            new = np.unique(unknown)
            self._hashes[new] = hashes[new]
            self._passes[new] = self._test(self._texts(new))
            self._passed += int(np.count_nonzero(self._passes[new]))
        return np.flatnonzero(self._passes[codes]) if self._passed else np.zeros(0, np.intp)

    def _texts(self, codes: npt.NDArray[np.uint32]) -> list[str]:
        """All at once: one by one they take three times as long."""
        offsets, octets = self._strings.gather(codes)
        whole = octets.tobytes().decode("ascii")
        return [whole[start:stop] for start, stop in pairwise(offsets.tolist())]
