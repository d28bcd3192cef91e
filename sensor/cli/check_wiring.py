"""Whether allowances, stages and the collector can be built: in: settings; out: Checked for each.

The one law: each is built as a sensor or a collector would build it, and nothing is read, judged or kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from sensor.cli.bare import bare
from sensor.cli.checks import Checked
from sensor.config import CollectorSettings, Settings
from sensor.errors import TapirError

_PATIENCE_SECONDS = 2.0


def check_allowances(path: str) -> Iterator[Checked]:
    """The file of allowances, if there is one."""
    from sensor.alerting.allowed import load_allowances

    if path:
        try:
            yield Checked("allowances", "ok", path, f"{len(load_allowances(path))} allowances")
        except TapirError as error:
            yield Checked("allowances", "trouble", "", str(error))


def check_offer(settings: Settings) -> Iterator[Checked]:
    """Whether the collector that offers allowances answers, if there is one."""
    from sensor.alerting.allowed import parse_allowances
    from sensor.bus.allowances import fetched

    address = settings.alerting.allow_from
    if not address:
        return
    try:
        found = fetched(address, "", settings.bus.keys, settings.bus.plaintext, _PATIENCE_SECONDS)
        if found.text is None:
            problem = f"{found.problem}: the last good list stays, if there is one"
            yield Checked("allowances", "notice", address, problem)
        else:
            allowances = parse_allowances(found.text, address)
            yield Checked("allowances", "ok", address, f"{len(allowances)} allowances")
    except TapirError as error:
        yield Checked("allowances", "trouble", "", str(error))


def check_stages(settings: Settings) -> Iterator[Checked]:
    """The whole pipeline without inputs, detectors and state, so that nothing is read, judged or kept."""
    from sensor.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as folder:
        key = replace(settings.protocols, fingerprint_key_file=str(Path(folder) / "key"))
        try:
            Pipeline(replace(bare(settings), protocols=key), [])
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
            unheard = replace(settings.collector, allow_listen="")  # a collector that runs listens there
            with kept(folder, unheard, lambda line: None):
                pass
            yield Checked("collector", "ok", "", "channels, routes, sinks and responses can be built")
        except TapirError as error:
            yield Checked("collector", "trouble", "", str(error))
