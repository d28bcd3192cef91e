"""What tests of sinks share: a store to hand on from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor.collector.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path)) as store:
        yield store
