"""Tapir: a passive network sensor for API security.

What can be used from here is in `__all__`; each is loaded when it is first used, so that `import sensor` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sensor._version import __version__

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.api import Capture, read
    from sensor.bus.subscriber import Subscriber
    from sensor.config import Settings

__all__ = ["Alert", "Capture", "Settings", "Subscriber", "__version__", "read"]

_HOME = {
    "Alert": "sensor.alert",
    "Capture": "sensor.api",
    "Settings": "sensor.config",
    "Subscriber": "sensor.bus.subscriber",
    "read": "sensor.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
