"""Whether detectors, rules and the collector can be built: in: settings; out: Checked for each.

The one law: each is built as a sensor or a collector would build it, by itself, so that one fault hides no other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from sensor.cli.checks import Checked
from sensor.config import CollectorSettings, Settings
from sensor.errors import TapirError


def check_detectors(settings: Settings) -> Iterator[Checked]:
    """Every enabled detector with its rules and files, the file of allowances, and the stages before detection."""
    from sensor.alerting.allowed import load_allowances
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
    yield Checked("detectors", "ok", "", f"{built} of {len(DETECTORS)} are on and can be built")
    if settings.alerting.allow_file:
        try:
            count = len(load_allowances(settings.alerting.allow_file))
            yield Checked("allowances", "ok", settings.alerting.allow_file, f"{count} allowances")
        except TapirError as error:
            yield Checked("allowances", "trouble", "", str(error))
    yield from _stages(settings)


def _stages(settings: Settings) -> Iterator[Checked]:
    """The whole pipeline without inputs, detectors and state, so that nothing is read, judged or kept."""
    from sensor.pipeline import Pipeline

    without = {
        name: replace(getattr(settings.detection, name), enabled=False)
        for name in settings.detection.__struct_fields__
        if hasattr(getattr(settings.detection, name), "enabled")
    }
    with tempfile.TemporaryDirectory() as folder:
        bare = replace(
            settings,
            capture=replace(settings.capture, interfaces=()),
            protocols=replace(settings.protocols, fingerprint_key_file=str(Path(folder) / "key")),
            alerting=replace(settings.alerting, allow_file=""),
            state=replace(settings.state, folder=""),
            detection=replace(settings.detection, **without),
        )
        try:
            Pipeline(bare, [])
            yield Checked("stages", "ok", "", "capture, decode, reassembly, protocols and features can be built")
        except TapirError as error:
            yield Checked("stages", "trouble", "", str(error))


def check_collector(settings: Settings) -> Iterator[Checked]:
    """Channels, routes, sinks and responses, where anything of them is set."""
    from sensor.collector.wiring import kept

    if settings.collector == CollectorSettings():
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with kept(folder, settings.collector, lambda line: None):
                pass
            yield Checked("collector", "ok", "", "channels, routes, sinks and responses can be built")
        except TapirError as error:
            yield Checked("collector", "trouble", "", str(error))
