"""Which settings a running sensor takes over: in: settings before and after; out: what differs, what is in effect then.

The one law: a setting that is not named here needs a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from sensor.config import Settings

LIVE = (
    "capture.filter",
    "capture.gather_ms",
    "capture.promiscuous",
    "capture.ring_block_bytes",
    "capture.ring_bytes",
    "capture.ring_timeout_ms",
    "detection",
    "evidence",
    "alerting.quiet_seconds",
    "alerting.update_seconds",
    "alerting.open_max",
    "alerting.allow_file",
    "alerting.false_alerts_per_day_max",
    "bus.heartbeat_seconds",
    "bus.linger_seconds",
    "bus.publish_tables",
    "state.checkpoint_seconds",
    "outputs",
    "overload",
    "service.silent_seconds",
)
"""Groups and settings that can change while packets are captured."""
_OTHERS = ("collector",)
"""Groups that are none of the sensor's."""


def is_live(key: str) -> bool:
    """Whether the setting of this dotted key, or its group, is taken over without a restart."""
    return any(key == each or key.startswith(f"{each}.") for each in LIVE)


def needs_restart(key: str) -> bool:
    """Whether a sensor must be started again for the setting of this dotted key."""
    return not is_live(key) and key.partition(".")[0] not in _OTHERS


def differences(before: msgspec.Struct, after: msgspec.Struct, group: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and new value of every setting that is not the same."""
    for name in before.__struct_fields__:
        key = f"{group}.{name}" if group else name
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct):
            yield from differences(old, new, key)
        elif old != new:
            yield key, new


def taken_over(before: Settings, after: Settings) -> Settings:
    """`before` with all of `after` that is taken over without a restart."""
    taken: Settings = _taken(before, after, "")
    return taken


def _taken(before: Any, after: Any, group: str) -> Any:
    changed = {}
    for name in before.__struct_fields__:
        key = f"{group}.{name}" if group else name
        old, new = getattr(before, name), getattr(after, name)
        if is_live(key):
            changed[name] = new
        elif isinstance(old, msgspec.Struct):
            changed[name] = _taken(old, new, key)
    return msgspec.structs.replace(before, **changed)
