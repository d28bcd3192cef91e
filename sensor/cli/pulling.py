"""Allowances that a collector offers: its address goes in; what it allows, and what it allowed last, comes out.

Law: a collector that is away, or offers what is no list, changes nothing: the last good list stays, over restarts too
where there is a state folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.errors import TapirError

if TYPE_CHECKING:
    from sensor.config import Settings
    from sensor.pipeline import Pipeline

_PATIENCE_SECONDS = 5.0
FILE_NAME = "allowances.toml"


class Pulled:
    """`say` gets a line when something changes, or begins to fail."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._alerting, self._bus, self._say = settings.alerting, settings.bus, say
        self._path = Path(settings.state.folder) / FILE_NAME if settings.state.folder else None
        self._text, self._fresh = "", False
        self._said = ""
        self._ending = threading.Event()

    def once(self, pipeline: Pipeline) -> None:
        """Ask, and wait a moment for the answer: of a run that reads files."""
        if self._alerting.allow_from:
            self._load()
            self._ask()
            self.step(pipeline)

    def begin(self, pipeline: Pipeline) -> None:
        """Begin with the last good list, and ask again and again in a thread of its own."""
        if self._alerting.allow_from:
            self._load()
            self.step(pipeline)
            threading.Thread(target=self._run, name="allowances", daemon=True).start()

    def step(self, pipeline: Pipeline) -> None:
        """Between two batches: take over what has come."""
        if self._fresh:
            from sensor.alerting.allowed import parse_allowances

            self._fresh = False
            pipeline.allow(parse_allowances(self._text, self._alerting.allow_from))

    def end(self) -> None:
        self._ending.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._ask()
            self._ending.wait(self._alerting.allow_from_seconds)

    def _load(self) -> None:
        if self._path is not None and self._path.exists():
            with suppress(TapirError, OSError, UnicodeDecodeError):
                self._accept(self._path.read_text(encoding="utf-8"))

    def _ask(self) -> None:
        from sensor.bus.allowances import fetched, hash_of

        try:
            known = hash_of(self._text) if self._text else ""
            offer = fetched(self._alerting.allow_from, known, self._bus.keys, self._bus.plaintext, _PATIENCE_SECONDS)
            problem = offer.problem
            if offer.text is not None:
                self._accept(offer.text)
                self._keep()
        except (TapirError, OSError) as error:
            problem = str(error)
        if problem and problem != self._said:
            self._say(f"allowances of {self._alerting.allow_from}: {problem}; those that are known stay")
        self._said = problem

    def _accept(self, text: str) -> None:
        """Raises SettingError for what is no list."""
        from sensor.alerting.allowed import parse_allowances

        parse_allowances(text, self._alerting.allow_from)
        self._text, self._fresh = text, True

    def _keep(self) -> None:
        if self._path is not None:
            made = self._path.with_suffix(".new")
            made.write_text(self._text, encoding="utf-8")
            made.replace(self._path)
