"""Sigma rules on the wire: in: transactions and flows; out: detections of the rules that the settings name.

What a rule means here stands in sensor/detection/sigma. The one law: without rules nothing is loaded and nothing is
paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Rule
from sensor.config import SigmaSettings
from sensor.detection.detector import Batch, Strings
from sensor.detection.places import Map
from sensor.errors import SettingError
from sensor.schema import Wanted

if TYPE_CHECKING:
    from sensor.detection.sigma.rules import RuleSet
    from sensor.detection.sigma.run import SigmaRun


class Sigma:
    """See the file's head; settings: SigmaSettings. SettingError when rules are named and pySigma is missing, or a file
    cannot be read.
    """

    rules: tuple[Rule, ...] = ()
    faults = 0

    def __init__(self, settings: SigmaSettings, strings: Strings) -> None:
        self._sources = settings.rules
        self._run = _run(settings, strings) if settings.rules else None
        self.wanted = self._run.loaded.wanted if self._run else Wanted()
        if self._run:
            self.rules = self._run.rules

    def follows(self, before: Sigma) -> None:
        """SettingError when files that were read again brought a fault: the rules before them are better."""
        if self._sources == before._sources:
            known = set(before.notes)
            for note in self.notes:
                if note not in known:
                    raise SettingError(f"detection.sigma.rules: {note}")

    def take_over(self, before: Sigma) -> None:
        """Go on with the windows of the correlations that are written as before."""
        if self._run and before._run:
            self._run.take_over(before._run)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"groups": np.frombuffer(msgspec.msgpack.encode(self._run.kept()), np.uint8)} if self._run else {}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        try:
            kept = msgspec.msgpack.decode(saved["groups"].tobytes()) if "groups" in saved else {}
        except msgspec.DecodeError:
            return False
        if self._run:
            self._run.resume(kept)
        return True

    @property
    def evicted(self) -> int:
        return self._run.evicted if self._run else 0

    @property
    def notes(self) -> list[str]:
        """One line for each rule that could not be loaded."""
        return [f"{problem.file}: {problem.reason}" for problem in self._run.loaded.problems] if self._run else []

    def process(self, batch: Batch) -> list[Detection]:
        return self._run.process(batch) if self._run else []


def loaded(
    rules: Sequence[str], places: Map | None = None, placeholders: Mapping[str, Sequence[str]] | None = None
) -> RuleSet:
    """The rules of these files and folders, countries from `places`; SettingError when pySigma is missing, or one
    cannot be read.
    """
    try:
        from sensor.detection.sigma.rules import load
    except ImportError as error:
        raise SettingError(f"detection.sigma.rules needs {error.name}: pip install 'tapir-sensor[rules]'") from None
    return load(rules, places, placeholders)


def _run(settings: SigmaSettings, strings: Strings) -> SigmaRun:
    table = settings.location_table
    places = Map(table, "detection.sigma.location_table") if table else None
    rules = loaded(settings.rules, places, settings.placeholders)
    from sensor.detection.sigma.run import SigmaRun

    return SigmaRun(rules, strings)
