#!/usr/bin/env python3
"""Where the time goes: stages.py [CAPTURE]   (a generated one of a million packets without it).

Goes in: a capture. Comes out: nanoseconds of CPU per packet of each stage. The law: kernels are loaded before the clock
runs, and what no stage claims (the wiring) is a row of its own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.config import Settings
from sensor.export.writers import NO_STREAMS, open_writer
from sensor.pipeline import Pipeline
from tests.bench import captures

STAGES = ("decode", "reassembly", "protocols", "detection", "alerting")


class Clock:
    """CPU seconds by name, each moment counted for the innermost name only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._outer = 0.0

    def call(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        before, start = self._outer, time.process_time()
        self._outer = 0.0
        result = function(*arguments)
        spent = time.process_time() - start
        self.seconds[name] = self.seconds.get(name, 0.0) + spent - self._outer
        self._outer = before + spent
        return result

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, on the clock; when it is a generator, its steps are."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = self.call(name, partial(function, **named), *arguments)
            return self._steps(name, result) if isinstance(result, Iterator) else result

        return wrapped

    def _steps(self, name: str, steps: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while (step := self.call(name, next, steps, end)) is not end:
            yield step


def measure(capture: Path) -> tuple[dict[str, float], float, int]:
    """CPU seconds of each stage, of everything, and how many packets there were."""
    clock, pipeline = Clock(), Pipeline(Settings(), [str(capture)])
    for name in STAGES:
        stage = getattr(pipeline, f"_{name}")
        stage.process = clock.timed(name, stage.process)
    pipeline._capture.blocks = clock.timed("capture", pipeline._capture.blocks)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(dir=captures.folder()) as folder:
        transactions = open_writer(f"{folder}/transactions.jsonl", "transactions", ordered=True)
        flows = open_writer(f"{folder}/flows.jsonl", "flows", ordered=True)
        start = time.process_time()
        for batch in pipeline:
            clock.call("export", transactions.write, batch.transactions, NO_STREAMS, pipeline.pool)
            clock.call("export", flows.write, batch.flows, batch.streams, pipeline.pool)
        clock.call("export", transactions.close)
        clock.call("export", flows.close)
        total = time.process_time() - start
    return clock.seconds, total, pipeline.counters()["capture"]["frames"]


def main() -> None:
    capture = Path(sys.argv[1]) if sys.argv[1:] else captures.capture(1_000_000)
    seconds, total, packets = measure(capture)
    print("| stage | ns per packet |\n|---|---:|")
    for name, spent in seconds.items():
        print(f"| {name} | {spent / packets * 1e9:.0f} |")
    print(f"| wiring | {(total - sum(seconds.values())) / packets * 1e9:.0f} |")
    print(f"| all | {total / packets * 1e9:.0f} |")


if __name__ == "__main__":
    main()
