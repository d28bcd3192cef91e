"""Finding an alert and its packets: in: an alert's id, captures or a sensor's folders; out: revisions, packets.

The one law: an alert is found where it was written down (a file of alerts, the journal, beside its packets); only
where it was not, the captures are read again, which gives the same alerts with the same settings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sensor.alert import Alert
from sensor.capture.stage import CaptureStage
from sensor.cli.compiling import told_when_compiling
from sensor.cli.exit_codes import ExitCode, code_of
from sensor.config import Settings
from sensor.errors import InputError, OutputError, TapirError
from sensor.evidence.folder import Kept, find
from sensor.evidence.packets import Packets, pcap_file
from sensor.limits import NS
from sensor.settings_file import load_settings

_SYSTEM = Path("/var/lib/tapir")


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    alert_id: str
    captures: Sequence[str]
    alerts: str | None
    state: str | None
    settings_file: Path | None
    overrides: Sequence[str]

    @property
    def settings(self) -> Settings:
        return load_settings(self.settings_file, self.overrides)


@dataclass(frozen=True)
class Evidence:
    """`revisions` of the alert, oldest first; `kept` says what a sensor noted beside the packets, if it kept them."""

    revisions: list[Alert]
    captures: list[str]
    kept: Kept | None = None

    @property
    def alert(self) -> Alert:
        return self.revisions[-1]


def find_evidence(asked: Asked) -> Evidence:
    """The alert, and the captures that hold its packets. InputError when there is no such alert."""
    settings = asked.settings
    folders = _folders(asked, settings)
    found = _revisions(asked, folders)
    if asked.captures:
        revisions = found or _by_reading(asked, settings)
        if not revisions:
            raise InputError(asked.alert_id, "no such alert in these captures with these settings; see --alerts")
        return Evidence(revisions, list(asked.captures))
    for folder in folders:
        kept = find(folder / "evidence", asked.alert_id) or find(folder, asked.alert_id)
        if kept is not None:
            return Evidence(found or [kept[1].alert], [str(kept[0])] if kept[0].exists() else [], kept[1])
    if not found:
        looked = ", ".join(map(str, folders)) or "nowhere: there is no --state"
        raise InputError(asked.alert_id, f"no such alert (looked in {looked}); name the captures that were read?")
    return Evidence(found, [])


def _folders(asked: Asked, settings: Settings) -> list[Path]:
    """Where evidence and a journal may be: state folders, and the folder that is set for evidence."""
    named = asked.state or settings.state.folder or os.environ.get("STATE_DIRECTORY", "")
    every = [Path(named)] if named else sorted(_SYSTEM.glob("*/"))
    return [*([Path(settings.evidence.folder)] if settings.evidence.folder else []), *every]


def _revisions(asked: Asked, folders: Sequence[Path]) -> list[Alert]:
    """From the file of alerts that is named, or from journals."""
    lines = _lines_of(Path(asked.alerts)) if asked.alerts else _journal_lines(folders)
    wanted = f'"alert_id":"{asked.alert_id}'.encode()
    found = [msgspec.json.decode(line, type=Alert) for line in lines if wanted in line]
    ids = {alert.alert_id for alert in found}
    if len(ids) > 1:
        raise InputError(asked.alert_id, f"{len(ids)} alerts begin so: give more of the id")
    return sorted(found, key=lambda alert: (alert.epoch, alert.revision))


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from None


def _journal_lines(folders: Sequence[Path]) -> Iterator[bytes]:
    from sensor.cli.journal_read import journal_bodies

    for folder in folders:
        yield from journal_bodies(folder / "journal")


def _by_reading(asked: Asked, settings: Settings) -> list[Alert]:
    with told_when_compiling(False):
        from sensor.pipeline import Pipeline

    found = [
        alert
        for batch in Pipeline(settings, list(asked.captures))
        for alert in batch.alerts
        if alert.alert_id.startswith(asked.alert_id)
    ]
    if len({alert.alert_id for alert in found}) > 1:
        raise InputError(asked.alert_id, "several alerts begin so: give more of the id")
    return found


def cut(evidence: Evidence, settings: Settings, bytes_max: int) -> Packets:
    """The alert's packets, from the captures that hold them. Raises InputError for captures that cannot be read."""
    with told_when_compiling(False):
        from sensor.evidence.stage import decoder

    margin = round(settings.evidence.before_seconds * NS)
    first = min(round(alert.first_seen * NS) for alert in evidence.revisions) - margin
    last = max(round(alert.last_seen * NS) for alert in evidence.revisions) + margin
    decode = decoder(settings.decode)
    stage = CaptureStage(settings.capture, evidence.captures)
    packets = Packets(evidence.alert, bytes_max)
    with closing(stage.blocks()) as blocks:  # type: ignore[type-var]
        for block in blocks:
            segments = decode(block.data, block.frames)
            times = segments["ts"]
            packets.take(block.data, block.frames, segments[(times >= first) & (times <= last)])
    if stage.faults and not packets.packets:
        raise stage.faults[0]
    return packets


def write_evidence(asked: Asked, output: str | None) -> ExitCode:
    """Write the packets of an alert, and say what was written."""
    try:
        settings = asked.settings
        evidence = find_evidence(asked)
        packets = cut(evidence, settings, settings.evidence.bytes_max)
        path = output or f"{evidence.alert.alert_id}.pcap"
        if not packets.packets:
            _say(f"{evidence.alert.alert_id}: {none_kept(evidence)}")
            return ExitCode.INPUT
        _write(path, pcap_file(packets.packets))
    except TapirError as error:
        _say(str(error))
        return code_of(error)
    _say(f"{path}: {len(packets.packets)} packets, {packets.deciding} of the flow that decided{missing(evidence)}")
    return ExitCode.OK


def none_kept(evidence: Evidence) -> str:
    """Why there are no packets."""
    if evidence.kept or evidence.captures:
        return "none of its packets are there"
    return "its packets were not kept: set evidence.enabled, or name the captures that were read"


def missing(evidence: Evidence) -> str:
    """What a sensor said is not in the file."""
    kept = evidence.kept
    gone = kept is not None and kept.gone_until >= kept.wanted_since
    beyond = kept.packets_left_out if kept else 0
    left = f"; {beyond} more were beyond evidence.alert_bytes_max" if beyond else ""
    return ("; the first were already gone from the ring" if gone else "") + left


def _write(path: str, content: bytes) -> None:
    from sensor.export.files import Output

    if path != "-" and Path(path).suffix not in (".pcap", ".cap"):
        raise OutputError(f"{path}: the ending must be .pcap (or - for standard output)")
    output = Output(path)
    output.write(content)
    output.close()


def _say(line: str) -> None:
    print(f"tapir evidence: {line}", file=sys.stderr, flush=True)
