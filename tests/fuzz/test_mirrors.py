"""A bounded run of the mirrors' variants; `python -m tests.fuzz.mirrors` has the long one."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz import mirrors

SEEDS = range(1_000, 1_060)


def test_what_a_mirror_does_costs_what_was_lost_and_nothing_else(tmp_path: Path) -> None:
    """Wrapped up to three times, doubled, fragmented, one-sided, retagged, with losses, retransmissions, RSTs that lie
    and acknowledgements that come early: no wrong pair and none twice; with nothing lost everything is whole.
    """
    runs = [mirrors.run(seed, tmp_path) for seed in SEEDS]
    assert {variant.seed: figures.faults for variant, figures in runs if figures.faults} == {}
    assert sum(figures.wrong for _, figures in runs) == 0
    left, paired = (sum(getattr(figures, name) for _, figures in runs) for name in ("left", "paired"))
    assert left > 1_000
    assert paired >= 0.99 * left
