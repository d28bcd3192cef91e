"""Which capture a run reads: in: settings, inputs; out: a live capture, files, or files again and again.

The one law: interfaces are opened apart from everything else, because only that needs rights.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensor.capture.live import LiveCapture
from sensor.capture.paced import PacedCapture
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings


def open_live(settings: CaptureSettings) -> LiveCapture | None:
    """Begin to capture, if interfaces are named."""
    return LiveCapture(settings) if settings.interfaces else None


def open_files(settings: CaptureSettings, inputs: Sequence[str], loop: bool) -> CaptureStage | PacedCapture:
    """`loop`: they are replayed again and again."""
    return PacedCapture(settings, inputs, settings.replay_pace) if loop else CaptureStage(settings, inputs)
