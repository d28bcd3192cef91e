"""The processes that share the work: in: settings, flows; out: a crew whose workers read protocols. Law: a worker's
stage of protocols is that of a single process, but for the bodies, which are decoded where all rows come together.
"""

from __future__ import annotations

import numpy as np

from sensor.config import Settings
from sensor.counters import Counters
from sensor.protocols.coding.bodies import Bodies
from sensor.protocols.http1.tables import NUMBERS, Count
from sensor.protocols.stage import ProtocolStage
from sensor.workers.crew import Crew, Rows


def crew_of(settings: Settings, flows: Rows, key: bytes) -> Crew:
    """What takes the place of the stages from the protocols on, with several workers."""
    protocols = settings.protocols
    return Crew(
        settings.workers.count, flows, Counters(Count, np.zeros(NUMBERS, np.int64)),
        parser=lambda: ProtocolStage(protocols, flows, key, decodes_bodies=False),
        bodies=lambda pool: Bodies(protocols.decoding_ms_per_second, pool.tables, key),
        most=(protocols.request_body_bytes, protocols.response_body_bytes),
    )  # fmt: skip
