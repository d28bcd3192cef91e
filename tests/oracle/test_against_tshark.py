"""Our own captures hold for TShark what they hold for Tapir."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.oracle.against_tshark import by_tapir, by_tshark

PCAPS = Path(__file__).parents[2] / "pcaps"
NAMES = ["api-keepalive", "chunked", "hydra-form", "tls-nginx", "ipv6"]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_both_see_the_same(name: str) -> None:
    theirs, mine = by_tshark(PCAPS / f"{name}.pcap"), by_tapir(PCAPS / f"{name}.pcap")
    for kind in theirs._fields:
        assert getattr(mine, kind) == getattr(theirs, kind), kind
