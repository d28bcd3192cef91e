"""Random rules tell of the same conversations as in Suricata (`python -m tests.fuzz.signatures` tries more)."""

from __future__ import annotations

import shutil

import pytest

from tests.fuzz.signatures import differences


@pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is not installed")
def test_random_rules_do_what_they_do_in_suricata() -> None:
    same, wrong = differences(seed=1, count=300)
    assert same > 50
    assert wrong == []
