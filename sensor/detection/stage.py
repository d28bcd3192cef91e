"""Batches into detections: in: transactions, flows that ended, packet time; out: what the detectors say of them.

The one law: detections leave in the order (packet time, rule), and none is older than the packet time at the end of the
batch before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Rule
from sensor.config import DetectionSettings, SigmaSettings
from sensor.counters import Counters
from sensor.detection.detector import NO_BYTES, NO_CONTENTS, NO_FLOWS, NO_STREAMS, Batch, Detector, Strings, Table
from sensor.detection.detectors import DETECTORS
from sensor.detection.owners import NewOwners
from sensor.dns import NO_LOOKUPS, Lookups
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
    RULE_FAULTS = 5   # rules that were not loaded, at present


class Prepared(NamedTuple):
    """Detectors made for other settings: `made` by name, those that stay are not among them; `stamps` of their files.
    """

    settings: DetectionSettings
    made: dict[str, Detector]
    stamps: dict[str, tuple[object, ...]]


class DetectionStage:
    """The detectors that the settings enable, by name, in the order of DETECTORS.

    `spent_ns` is the time that each has taken so far, by the machine's steady clock. Those in `resting` get no batches.
    """

    def __init__(self, settings: DetectionSettings, pool: Strings) -> None:
        self.counters = Counters(Count)
        self.strings = pool
        self.detectors: dict[str, Detector] = {}
        self.spent_ns: dict[str, int] = {}
        self._names = frozenset(DETECTORS)
        self.resting: frozenset[str] = frozenset()
        self._settings = DetectionSettings()
        self._stamps: dict[str, tuple[object, ...]] = {}
        self._gone = [0, 0]  # evicted and faults of detectors that others have replaced
        self._owners = NewOwners()
        self.take_over(self.prepare(settings))

    def prepare(self, settings: DetectionSettings) -> Prepared:
        """Make the detectors that the settings change or whose files have changed, in whatever thread. Raises
        SettingError.
        """
        made: dict[str, Detector] = {}
        stamps = {name: _stamps(getattr(settings, name)) for name in DETECTORS}
        for name, detector in DETECTORS.items():
            chosen = getattr(settings, name)
            same = chosen == getattr(self._settings, name) and stamps[name] == self._stamps.get(name)
            if chosen.enabled and name in self._names and not (same and name in self.detectors):
                made[name] = detector(chosen, self.strings)
                follows = getattr(made[name], "follows", None)
                if follows is not None and name in self.detectors:
                    follows(self.detectors[name])
        return Prepared(settings, made, stamps)

    def take_over(self, prepared: Prepared) -> list[str]:
        """Let them judge from the next batch on, with what those before them knew; names of those that begin anew."""
        anew = []
        before = self.detectors
        self._settings, self._stamps = prepared.settings, prepared.stamps
        self.detectors = {
            name: prepared.made.get(name) or before[name]
            for name in DETECTORS
            if getattr(prepared.settings, name).enabled and name in self._names
        }
        for name, old in before.items():
            new = self.detectors.get(name)
            if new is not old:
                was = old.evicted, old.faults
                if new is not None and not _hand_on(old, new):
                    anew.append(name)
                still = (new.evicted, new.faults) if new else (0, 0)
                self._gone = [gone + each - left for gone, each, left in zip(self._gone, was, still, strict=True)]
        self.spent_ns = {name: self.spent_ns.get(name, 0) for name in self.detectors}
        self.memories = {
            f"detection.{name}": each for name, each in self.detectors.items() if isinstance(each, Remembering)
        }
        return anew

    @property
    def names(self) -> frozenset[str]:
        """Of the detectors that there can be here, enabled or not."""
        return self._names

    def keep_only(self, names: set[str]) -> None:
        """Leave the other detectors to somebody else."""
        self._names = frozenset(names)
        self.detectors = {name: detector for name, detector in self.detectors.items() if name in names}
        self.spent_ns = {name: spent for name, spent in self.spent_ns.items() if name in names}

    @property
    def notes(self) -> list[str]:
        """One line for everything that a detector was given and cannot use."""
        return [note for detector in self.detectors.values() for note in getattr(detector, "notes", [])]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All that are looked for at present."""
        return tuple(rule for detector in self.detectors.values() for rule in detector.rules)

    @property
    def wanted(self) -> Wanted:
        """What the detectors want kept of messages: the most that any of them wants."""
        each = [getattr(detector, "wanted", Wanted()) for detector in self.detectors.values()]
        return Wanted(*map(max, zip(Wanted(), *each, strict=True)))

    @property
    def every_response(self) -> bool:
        """Whether one of them must see the body of every response, whatever that costs."""
        return any(getattr(detector, "every_response", False) for detector in self.detectors.values())

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
        dns: Lookups = NO_LOOKUPS,
    ) -> list[Detection]:
        """Detections of one batch: TRANSACTION[n], FLOW[m], STREAM[2 * m] with rows 2*i and 2*i+1 of flow i, and
        ENTITIES[n], whose rows are those of `tables`.

        `now` is packet time (ns) at the batch's end. `now` of the transactions and `end_now` of the flows never
        decrease, are not after it, and not before that of the batch before. `contents` CONTENT[n] says what was kept of
        the transactions' bytes in `arena`, or is empty when nothing was. `told` are flows that live, see Batch.
        """
        batch = Batch(
            transactions, flows, streams, now, entities, tables, contents, arena, told, told_streams, tls, dns,
            self._owners.of(entities, tables),
        )  # fmt: skip
        detections: list[Detection] = []
        for name, detector in self.detectors.items():
            if name in self.resting:
                continue
            began = time.perf_counter_ns()
            detections += detector.process(batch)
            self.spent_ns[name] += time.perf_counter_ns() - began
        detections.sort(key=lambda detection: (detection.now, detection.rule.id))
        counts = self.counters.values
        counts[Count.TRANSACTIONS] += len(transactions)
        counts[Count.FLOWS] += len(flows)
        counts[Count.DETECTIONS] += len(detections)
        counts[Count.EVICTED] = self._gone[0] + sum(detector.evicted for detector in self.detectors.values())
        faulty = (getattr(each, "faulty", getattr(each, "notes", [])) for each in self.detectors.values())
        counts[Count.RULE_FAULTS] = sum(map(len, faulty))
        counts[Count.KERNEL_FAULT] = self._gone[1] + sum(detector.faults for detector in self.detectors.values())
        return detections


def _hand_on(old: Any, new: Any) -> bool:
    """Give a detector what the one before it knows; False when it begins anew."""
    if hasattr(new, "take_over"):
        new.take_over(old)
        return True
    if not isinstance(new, Remembering):
        return False
    state = old.state()
    return not state or new.restore(state)


def _stamps(settings: Any) -> tuple[object, ...]:
    """What tells that a file which the settings name has changed; rules in Suricata's syntax look for themselves."""
    named = [settings.rules] if isinstance(settings, SigmaSettings) else []
    given = (getattr(settings, name, "") for name in ("file", "location_table", "network_table"))
    named += [(path,) for path in given if path]
    paths = [Path(path) for paths in named for path in paths]
    files = sorted({file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])})
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())
