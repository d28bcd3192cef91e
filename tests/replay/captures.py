"""The captures of pcaps/ and what is expected of them. In: MANIFEST.json; out: Expected, one a capture.

The law: the expectation was written by the servers that answered, never by Tapir.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"


@dataclass(frozen=True)
class Expected:
    name: str
    compare: str                            # which halves the mirror showed: both, requests, responses
    alerts: list[tuple[str, str, str | None]]  # rule, kind of entity, entity (None: a keyed fingerprint)
    lost_heads: int                         # message heads that the mirror did not show
    rows: list[dict[str, Any]]              # as the server logged them, in order per connection

    @property
    def path(self) -> Path:
        return PCAPS / f"{self.name}.pcap"

    def __str__(self) -> str:
        return self.name


def expected() -> list[Expected]:
    """Every capture of the manifest."""
    found = []
    for entry in json.loads((PCAPS / "MANIFEST.json").read_text()):
        lines = (PCAPS / f"{entry['name']}.expected.jsonl").read_text().splitlines()
        alerts = [(alert["rule"], alert["entity_kind"], alert["entity"]) for alert in entry["alerts"]]
        rows = [json.loads(line) for line in lines]
        found.append(Expected(entry["name"], entry["compare"], alerts, entry.get("lost_heads", 0), rows))
    return found
