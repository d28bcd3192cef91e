"""Batches into detections: in: transactions, flows that ended, packet time; out: what the detectors say of them.

The one law: detections leave in the order (packet time, rule), and none is older than the packet time at the end of the
batch before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection
from sensor.config import DetectionSettings
from sensor.counters import Counters
from sensor.detection.detector import NO_BYTES, NO_CONTENTS, NO_FLOWS, NO_STREAMS, Batch, Detector, Strings, Table
from sensor.detection.detectors import DETECTORS
from sensor.schema import Wanted
from sensor.structures.entity_tables import EntityTables
from sensor.structures.memory import Remembering
from sensor.tls import TlsConnection


class Count(IntEnum):
    TRANSACTIONS = 0
    FLOWS = 1
    DETECTIONS = 2
    EVICTED = 3       # entities forgotten because a detector's table was full
    KERNEL_FAULT = 4  # rows on which a detector's kernel raised


class DetectionStage:
    """The detectors that the settings enable, by name, in the order of DETECTORS.

    `spent_ns` is the time that each has taken so far, by the machine's steady clock.
    """

    def __init__(self, settings: DetectionSettings, pool: Strings) -> None:
        self.counters = Counters(Count)
        self.strings = pool
        self.detectors: dict[str, Detector] = {}
        self.spent_ns: dict[str, int] = {}
        self.memories: dict[str, Remembering] = {}
        for name, detector in DETECTORS.items():
            if getattr(settings, name).enabled:
                made = self.detectors[name] = detector(getattr(settings, name), pool)
                self.spent_ns[name] = 0
                if isinstance(made, Remembering):
                    self.memories[f"detection.{name}"] = made

    @property
    def notes(self) -> list[str]:
        """One line for everything that a detector was given and cannot use."""
        return [note for detector in self.detectors.values() for note in getattr(detector, "notes", [])]

    @property
    def wanted(self) -> Wanted:
        """What the detectors want kept of messages: the most that any of them wants."""
        each = [getattr(detector, "wanted", Wanted()) for detector in self.detectors.values()]
        return Wanted(*map(max, zip(Wanted(), *each, strict=True)))

    @property
    def every_response(self) -> bool:
        """Whether one of them must see the body of every response, whatever that costs."""
        return any(getattr(detector, "every_response", False) for detector in self.detectors)

    def process(
        self,
        transactions: Table,
        flows: Table,
        streams: Table,
        now: int,
        entities: Table,
        tables: EntityTables,
        contents: Table = NO_CONTENTS,
        arena: npt.NDArray[np.uint8] = NO_BYTES,
        told: Table = NO_FLOWS,
        told_streams: Table = NO_STREAMS,
        tls: Sequence[TlsConnection] = (),
    ) -> list[Detection]:
        """Detections of one batch: TRANSACTION[n], FLOW[m], STREAM[2 * m] with rows 2*i and 2*i+1 of flow i, and
        ENTITIES[n], whose rows are those of `tables`.

        `now` is packet time (ns) at the batch's end. `now` of the transactions and `end_now` of the flows never
        decrease, are not after it, and not before that of the batch before. `contents` CONTENT[n] says what was kept of
        the transactions' bytes in `arena`, or is empty when nothing was. `told` are flows that live, see Batch.
        """
        batch = Batch(transactions, flows, streams, now, entities, tables, contents, arena, told, told_streams, tls)
        detections: list[Detection] = []
        for name, detector in self.detectors.items():
            began = time.perf_counter_ns()
            detections += detector.process(batch)
            self.spent_ns[name] += time.perf_counter_ns() - began
        detections.sort(key=lambda detection: (detection.now, detection.rule.id))
        counts = self.counters.values
        counts[Count.TRANSACTIONS] += len(transactions)
        counts[Count.FLOWS] += len(flows)
        counts[Count.DETECTIONS] += len(detections)
        counts[Count.EVICTED] = sum(detector.evicted for detector in self.detectors.values())
        counts[Count.KERNEL_FAULT] = sum(detector.faults for detector in self.detectors.values())
        return detections
