"""The state of one run: in: the settings, the inputs, and whoever remembers; out: memory restored, checkpoints, and
what a resumed run has yet to judge.

A run over files that was killed is resumed when the same files are read with the same folder. The packets are read
again, quickly, because open connections cannot be kept; transactions and flows that were judged before the checkpoint
are not judged again, and alerts told before it are told again, so that the outputs are those of a run that was never
killed. The one law: which rows are judged is decided by counting them, never by how they fall into batches.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sensor.absence import Away
from sensor.alert import Alert, Detection
from sensor.alerting.own_health import STATE_DAMAGED, STATE_FAILING, failing
from sensor.config import StateSettings
from sensor.counters import Counters
from sensor.dns import Lookups
from sensor.errors import StateError
from sensor.state import FORMAT, FORMAT_VERSION, Manifest, Place, StateFolder, key_check, place_of
from sensor.structures.memory import Remembering
from sensor.structures.string_pool import StringPool

Rows = npt.NDArray[np.void]


_TOUCH_SECONDS = 1.0


class Count(IntEnum):
    RESUMED = 0            # 1 when this run goes on where another was killed
    SECTIONS_RESTORED = 1
    SECTIONS_RESET = 2     # memories that no longer fitted and began anew
    SAVED = 3              # times the state was written
    FAILED = 4             # times it could not be written


class Alerting(Remembering, Protocol):
    """Open alerts, and those told so far."""

    def resume(self, saved: Mapping[str, npt.NDArray[Any]]) -> list[Alert]: ...


class RunState:
    """Without a folder everything here does nothing."""

    def __init__(self, settings: StateSettings, files: list[str] | None) -> None:
        self.counters = Counters(Count)
        self.notes: list[str] = []
        self.can_resume = bool(settings.folder) and files is not None
        self._interval_ns = round(settings.checkpoint_seconds * 1e9)
        self._begun = time.monotonic()
        self._place = place_of(files) if self.can_resume and files else None
        self._folder = StateFolder(settings.folder, unattended=not self.can_resume) if settings.folder else None
        self._untold = self._folder.aside if self._folder else ""
        self.notes += [self._untold] if self._untold else []
        self._judged = [0, 0, 0, 0]  # transactions, flows, flows told of while they live and lookups that were judged
        self._passed = [0, 0, 0, 0]  # and those that were read
        self._until = 0           # packet time up to which the killed run had judged
        self._saved_now = 0
        self._touched = 0.0
        self._stopped = False

    @property
    def is_kept(self) -> bool:
        """Whether there is a folder, so that another run goes on with what this one learned."""
        return self._folder is not None

    def key_file(self, configured: str) -> str:
        """The configured file of the fingerprint key, or the one in the folder."""
        return configured or (str(self._folder.path / "fingerprint.key") if self._folder else "")

    def restore(
        self, key: bytes, pool: StringPool, memories: Mapping[str, Remembering], alerting: Alerting
    ) -> list[Alert]:
        """Give everyone their memory back; the alerts to tell again when a killed run is resumed.

        Raises StateError when the fingerprints of the state were made with another key.
        """
        self._key, self._pool = key, pool
        self._memories = {**memories, "alerting": alerting}
        if self._folder is None or self._folder.manifest is None:
            return []
        manifest = self._folder.manifest
        if manifest.key_check != key_check(key):
            raise StateError(
                f"{self._folder.file}: learned with another fingerprint key than {self.key_file('')}: put that key "
                "back, or begin with an empty folder"
            )
        pool.seed = manifest.string_seed
        for name, each in self._memories.items():
            section = self._folder.section(name)
            if len(section):
                self._restore(name, each, section)
        before = manifest.place
        if before is None or before.finished:
            return []
        if self._place is None or before.inputs != self._place.inputs:
            self.notes.append("the last run with this state was broken off, over other inputs: it is not resumed")
            return []
        self.counters.values[Count.RESUMED] = 1
        self.notes.append(f"resumes a run that was broken off after {before.transactions} transactions")
        self._judged = [before.transactions, before.flows, before.told, before.lookups]
        self._until = self._saved_now = manifest.now
        return alerting.resume(self._folder.section("alerting"))

    def _restore(self, name: str, each: Remembering, section: Mapping[str, npt.NDArray[Any]]) -> None:
        if each.restore(section):
            self.counters.values[Count.SECTIONS_RESTORED] += 1
        else:
            self.counters.values[Count.SECTIONS_RESET] += 1
            self.notes.append(f"what {name} had learned does not fit its present settings: it begins anew")

    @property
    def away(self) -> Away | None:
        """When the run before watched last; None when there was none."""
        manifest = self._folder.manifest if self._folder else None
        if self._folder and manifest is None and self._folder.alive_ns:  # it broke off before it saved, or the file did
            return Away(self._folder.alive_ns, 0, False)
        if manifest is None or self._folder is None or not manifest.now:
            return None
        watched = manifest.now if manifest.in_order else max(manifest.now, self._folder.alive_ns)
        return Away(watched, manifest.now, manifest.in_order)

    def take_over(self, settings: StateSettings, memories: Mapping[str, Remembering]) -> None:
        """From now on: the time between checkpoints, and who remembers beside alerting."""
        self._interval_ns = round(settings.checkpoint_seconds * 1e9)
        self._memories = {**memories, "alerting": self._memories["alerting"]}

    def fresh(
        self, transactions: Rows, flows: Rows, streams: Rows, told: Rows, told_streams: Rows, lookups: Lookups, now: int
    ) -> tuple[Rows, Rows, Rows, Rows, Rows, Lookups] | None:
        """The rows of a batch that were not judged before; None when there is nothing to judge in it."""
        tables = transactions, flows, told, lookups.rows
        skipped = [max(0, judged - passed) for judged, passed in zip(self._judged, self._passed, strict=True)]
        self._passed = [passed + len(rows) for passed, rows in zip(self._passed, tables, strict=True)]
        self._judged = [max(pair) for pair in zip(self._judged, self._passed, strict=True)]
        transactions, flows, told = transactions[skipped[0] :], flows[skipped[1] :], told[skipped[2] :]
        lookups = lookups.behind(skipped[3])
        if now <= self._until and not any(map(len, (transactions, flows, told, lookups.rows))):
            return None
        return transactions, flows, streams[2 * skipped[1] :], told, told_streams[2 * skipped[2] :], lookups

    def is_due(self, now: int) -> bool:
        """Whether `checkpoint` may save: no verdict may be outstanding then."""
        return self._folder is not None and now - self._saved_now >= self._interval_ns

    def checkpoint(self, now: int, bytes_read: int) -> list[Detection]:
        """Save when it is time to. A sensor that cannot goes on, tells of it and tries again the next time; a run over
        files raises StateError.
        """
        if self._folder and time.monotonic() - self._touched >= _TOUCH_SECONDS:
            self._touched = time.monotonic()
            self._folder.touch()
        if self._untold and now:
            told, self._untold = failing(STATE_DAMAGED, now, "state", self._untold), ""
            return [told]
        if self._folder is None or not self.is_due(now):
            return []
        due, self._saved_now = bool(self._saved_now) and self._folder.is_due(self._begun), now
        try:
            if due:
                self._save(now, bytes_read, finished=False)
        except StateError as error:
            if self.can_resume:
                raise
            self.counters.values[Count.FAILED] += 1
            return [failing(STATE_FAILING, now, "state", str(error))]
        return []

    def interrupt(self, now: int, bytes_read: int) -> None:
        """The user stops a run over files: save while nothing is ended that the next run would go on with."""
        self._stopped = self.can_resume
        if self._stopped and now > self._until:
            self._save(now, bytes_read, finished=False)

    def finish(self, now: int, bytes_read: int) -> None:
        """The run has ended: save what it learned."""
        if not self._stopped:
            self._save(now, bytes_read, finished=True)

    def close(self) -> None:
        if self._folder:
            self._folder.close()

    def leave(self) -> None:
        """In a forked process: let go of what is the parent's alone."""
        if self._folder:
            self._folder.leave()

    def _save(self, now: int, bytes_read: int, finished: bool) -> None:
        if self._folder is None:
            return
        place = self._place and Place(
            inputs=self._place.inputs, bytes_read=bytes_read, transactions=self._judged[0], flows=self._judged[1],
            told=self._judged[2], lookups=self._judged[3], finished=finished,
        )  # fmt: skip
        manifest = Manifest(
            format=FORMAT, format_version=FORMAT_VERSION, key_check=key_check(self._key),
            string_seed=self._pool.seed, now=now, place=place, in_order=finished,
        )  # fmt: skip
        self._folder.save(manifest, {name: each.state() for name, each in self._memories.items()})
        self.counters.values[Count.SAVED] += 1
