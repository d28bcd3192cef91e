"""Whether detectors can be built with their rules and files: in: settings; out: Checked for each.

The one law: each is built as a sensor would build it, by itself, so that one fault hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator

from sensor.cli.checks import Checked
from sensor.config import Settings
from sensor.errors import TapirError


def check_detectors(settings: Settings) -> Iterator[Checked]:
    """Every enabled detector."""
    from sensor.detection.detectors import DETECTORS
    from sensor.structures.string_pool import StringPool

    pool = StringPool()
    built = 0
    for name, detector in DETECTORS.items():
        chosen = getattr(settings.detection, name)
        if not chosen.enabled:
            continue
        try:
            made = detector(chosen, pool)
        except TapirError as error:
            yield Checked("detectors", "trouble", f"detection.{name}", str(error))
            continue
        built += 1
        yield from (Checked("rules", "notice", f"detection.{name}", note) for note in getattr(made, "notes", []))
        if name == "signatures":
            rules = made.set  # type: ignore[attr-defined]
            for fault in rules.faults:
                yield Checked("rules", "trouble", f"{fault.path}:{fault.line}", fault.problem, fault.keyword)
            yield Checked("rules", "ok", "", f"{len(rules.signatures)} signatures load, {len(rules.faults)} do not")
    off = [name for name in DETECTORS if not getattr(settings.detection, name).enabled]
    named = f"; off: {', '.join(off)}" if off else ""
    yield Checked("detectors", "ok", "", f"{built} of {len(DETECTORS)} are on and can be built{named}")
