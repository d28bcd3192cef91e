"""`tapir` with a wall clock that is wrong: a file with seconds, and arguments of tapir, go in.

    python -m tests.bench.stepped_clock FILE run --read-loop ...

The file may change while it runs. Law: steady clocks, which the system sees to, go on as they are.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

_TIME_NS = time.time_ns


def stepped(path: Path) -> None:
    """From now on, time.time() and time.time_ns() are off by what the file says."""

    def time_ns() -> int:
        return _TIME_NS() + int(path.read_text()) * 1_000_000_000

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


if __name__ == "__main__":
    stepped(Path(sys.argv.pop(1)))
    from sensor.__main__ import main

    main()
