"""An alert as Tapir has it. Law: the same fields as docs/alert.schema.json, nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from sensor.alert import Alert


def native(alert: Alert) -> dict[str, Any]:
    """The alert as plain objects."""
    built: dict[str, Any] = msgspec.to_builtins(alert)
    return built
