"""A bounded run of the fuzzer; `python -m tests.fuzz.packets` has the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import packets


@pytest.mark.parametrize("seed", range(4))
def test_mutated_packets_go_through_every_stage(seed: int, tmp_path: Path) -> None:
    assert packets.run(seed, 15_000, tmp_path) >= 15_000
