"""Real clients and servers on a mirror that loses packets: exchanges of which both heads are left come out whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.losses import survey
from tests.oracle.candidates import SHARED

OWN = Path(__file__).resolve().parents[2] / "pcaps"


@pytest.mark.parametrize("name", ["api-keepalive", "nginx-browsing", "hydra-form", "pipelining", "continue-100"])
def test_recorded_clients(name: str) -> None:
    """Each connection begins with requests of other sizes than later ones, and may lose these, or its handshake."""
    figures = survey(OWN / f"{name}.pcap", 0.05, 3)
    assert figures.left > 0
    assert figures.paired >= 0.99 * figures.left
    assert not figures.wrong


def test_an_api_with_sixty_clients() -> None:
    """Logins come before other requests, and are smaller; clients think for seconds between requests."""
    path = SHARED / "real" / "01a-benign.pcap.xz"
    if not path.exists():
        pytest.skip("../shared/real is not there")
    figures = survey(path, 0.05, 2)
    assert figures.left > 12_000
    assert figures.paired >= 0.999 * figures.left
    assert not figures.wrong
