"""A test of a string, made once for each distinct one: in: codes of the string pool; out: which of them pass.

The one law: a code is judged again when it has become another string's, so codes may be given again at any time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Strings


class ByCode:
    """Verdicts of `test` on the texts of codes; no string passes that is absent."""

    def __init__(self, strings: Strings, test: Callable[[str], bool]) -> None:
        self._strings, self._test = strings, test
        self._hashes = np.zeros(len(strings.tables.entries), np.uint64)  # of the string that was judged last
        self._passes = np.zeros(len(strings.tables.entries), np.bool_)
        self._passed = 0  # verdicts of True so far: while there are none, no row needs a look

    def passing(self, codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
        """Places of the codes whose text passes, in order."""
        hashes = self._strings.tables.entries["hash"][codes]
        unknown = np.flatnonzero(self._hashes[codes] != hashes)
        for place in unknown.tolist():
            code = int(codes[place])
            if self._hashes[code] != hashes[place]:
                self._hashes[code] = hashes[place]
                self._passes[code] = self._test(self._strings.text(code))
                self._passed += int(self._passes[code])
        return np.flatnonzero(self._passes[codes]) if self._passed else np.zeros(0, np.intp)
