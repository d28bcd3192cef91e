"""`tapir read` over a pipeline that has its batches ready."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from sensor.cli import compiling
from sensor.cli.reading import Options, run
from tests.cli.pipeline import ReadyPipeline, two_batches
from tests.export.test_alerts import an_alert

ALERTS = [an_alert("a", 1), an_alert("b", 1), an_alert("a", 2)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Call with the options of `tapir read`; also batches, faults and before_batch of the pipeline."""

    def call(
        inputs: tuple[str, ...] = ("x.pcap",),
        batches: Any = None,
        faults: Any = (),
        before_batch: Callable[[int], None] = lambda number: None,
        **options: Any,
    ) -> int:
        module = ModuleType("sensor.pipeline")
        ready = ReadyPipeline(two_batches(ALERTS) if batches is None else batches, list(faults), before_batch)
        module.Pipeline = lambda settings, names, epoch=None: ready  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "sensor.pipeline", module)
        monkeypatch.setattr(compiling, "told_when_compiling", lambda quiet: None)
        return run(Options(inputs=inputs, **options))

    return call
