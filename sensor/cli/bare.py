"""A pipeline that only reads: in: settings; out: the same without interfaces, detectors, allowances and state.

The one law: nothing is captured, judged or kept with them.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sensor.config import Settings


def bare(settings: Settings) -> Settings:
    """What is left decodes, follows connections and reads HTTP as the settings say."""
    return replace(
        settings,
        capture=replace(settings.capture, interfaces=()),
        detection=_off(settings.detection),
        alerting=replace(settings.alerting, allow_file=""),
        state=replace(settings.state, folder=""),
        workers=replace(settings.workers, count=1),
    )


def _off(detection: Any) -> Any:
    """Every detector that can be switched off, off."""
    groups = {name: getattr(detection, name) for name in detection.__struct_fields__}
    return replace(
        detection, **{name: replace(one, enabled=False) for name, one in groups.items() if hasattr(one, "enabled")}
    )
