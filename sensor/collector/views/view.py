"""What a view is: something that shows alerts as they come. One file a view; sensor/collector/collector.py chooses."""

from __future__ import annotations

from typing import Protocol

from sensor.bus.message import Message


class View(Protocol):
    """Shows one alert after another. Raises OSError when what it writes to fails."""

    def show(self, message: Message) -> None:
        """Show one alert, at once: nothing stays in a buffer."""

    def close(self) -> None:
        """Let go of what it writes to."""
