"""The alerts of a journal: in: its folder; out: their JSON, oldest first. Law: nothing is changed, and what was cut or
changed is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sensor.alerting.journal import segment_paths
from sensor.alerting.journal_lines import parse, raw_lines


def journal_bodies(folder: Path) -> Iterator[bytes]:
    """Every revision as it was published."""
    for path in segment_paths(folder):
        for text, _ in raw_lines(path, 0):
            line = parse(text)
            if line is not None:
                yield line.record.body
