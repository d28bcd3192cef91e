"""Is a journal what its sensor wrote: a directory goes in, what it holds and every break of its chain come out.

Law: nothing is changed, so it may run beside the sensor that writes. What the newest segment's end lacks is then a
write in progress or one that was cut, not a break.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sensor.alert_log import Position
from sensor.alerting.journal import segment_paths
from sensor.alerting.journal_lines import FIRST_HASH, Line, scan
from sensor.errors import InputError


class Verdict(msgspec.Struct, kw_only=True):
    """What was found. `breaks`: one line for each place where lines were changed, removed or added."""

    records: int = 0
    epochs: int = 0
    first: Position | None = None
    last: Position | None = None
    hash: str = ""          # of the newest record: compare it with what the sensor's heartbeats told
    complete: bool = False  # from the first record ever: nothing was removed because of age or size
    torn_bytes: int = 0
    damaged: int = 0
    breaks: list[str] = []


def verify(directory: str | Path) -> Verdict:
    """Check each line's hash and the chain over all segments. Raises InputError when there is no journal."""
    found = Verdict(breaks=[])
    paths = segment_paths(Path(directory))
    if not paths:
        raise InputError(str(directory), "no journal: expected a folder with *.journal files")
    last: Line | None = None
    for path in paths:
        try:
            segment = scan(path)
        except OSError as error:
            raise InputError(str(path), f"cannot be read: {error.strerror}") from error
        found.damaged += segment.damaged
        if segment.damaged:
            found.breaks.append(f"{path.name}: {segment.damaged} lines were changed or damaged")
        found.torn_bytes += segment.torn_bytes
        if segment.torn_bytes and path != paths[-1]:
            found.breaks.append(f"{path.name}: {segment.torn_bytes} bytes at its end are no record")
        for line in segment.lines:
            _follow(found, path, last, line)
            last = line
    return found


def _follow(found: Verdict, path: Path, last: Line | None, line: Line) -> None:
    position = line.record.position
    if last is None:
        found.first, found.complete = position, line.previous == FIRST_HASH
        found.epochs = 1
    else:
        found.epochs += last.record.epoch != position[0]
        if line.previous != last.hash:
            found.breaks.append(f"{path.name}: {_shown(position)} does not follow {_shown(last.record.position)}")
        elif position <= last.record.position:
            found.breaks.append(f"{path.name}: {_shown(position)} comes after {_shown(last.record.position)}")
    found.records += 1
    found.last, found.hash = position, line.hash.decode()


def _shown(position: Position) -> str:
    return f"epoch {position[0]} sequence {position[1]}"
