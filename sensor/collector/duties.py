"""What a collector does beside receiving: steps go in, a thread for each comes out, called every second.

Law: a step that fails is said and tried again; it ends neither its thread nor the collector.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from sensor.errors import TapirError

Step = Callable[[float], None]
"""Gets the time, in seconds since 1970."""

_EVERY_SECONDS = 0.5
_ENDING_SECONDS = 15.0  # for all together: what is under way is noted, or tried again by the next run


class Duties:
    """Runs while inside. `report` gets a line when a step begins to fail with it."""

    def __init__(self, steps: dict[str, Step], report: Callable[[str], None]) -> None:
        self._ending = threading.Event()
        self._report = report
        self._threads = [
            threading.Thread(target=self._run, args=(name, step), name=name, daemon=True)
            for name, step in steps.items()
        ]

    def _run(self, name: str, step: Step) -> None:
        said = ""
        last = False
        while not last:
            last = self._ending.is_set()  # one more step then, for what was stored since
            try:
                step(time.time())
                said = ""
            except Exception as error:  # whatever it is: a thread that ended unseen would do nothing for ever
                told = str(error) if isinstance(error, (TapirError, OSError)) else f"failed: {type(error).__name__}"
                if told != said:
                    said = told
                    self._report(f"{name}: {said}; it is tried again")
            self._ending.wait(_EVERY_SECONDS)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ending.set()
        end = time.monotonic() + _ENDING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
