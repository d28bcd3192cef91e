"""What a run begins with: in: settings, inputs; out: the capture, and the processes that share the work.

The one law: interfaces are opened first and alone, because only that needs rights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensor.capture.live import LiveCapture
from sensor.capture.paced import PacedCapture
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings, Settings
from sensor.counters import Counters
from sensor.protocols.coding.bodies import Bodies
from sensor.protocols.http1.tables import NUMBERS, Count
from sensor.protocols.stage import ProtocolStage
from sensor.workers.crew import Crew, Rows


def open_live(settings: Settings) -> LiveCapture | None:
    """Begin to capture, if interfaces are named."""
    return LiveCapture(settings.capture) if settings.capture.interfaces else None


def open_files(settings: CaptureSettings, inputs: Sequence[str], loop: bool) -> CaptureStage | PacedCapture:
    """`loop`: they are replayed again and again."""
    return PacedCapture(settings, inputs, settings.replay_pace) if loop else CaptureStage(settings, inputs)


def open_crew(settings: Settings, flows: Rows, key: bytes) -> Crew:
    """What takes the place of the stages from the protocols on, with several workers."""
    protocols = settings.protocols
    return Crew(
        settings.workers.count, flows, Counters(Count, np.zeros(NUMBERS, np.int64)),
        parser=lambda: ProtocolStage(protocols, flows, key, decodes_bodies=False),
        bodies=lambda pool: Bodies(protocols.decoding_ms_per_second, pool.tables),
        most=(protocols.request_body_bytes, protocols.response_body_bytes),
    )  # fmt: skip
