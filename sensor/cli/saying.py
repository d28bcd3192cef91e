"""Lines to the operator: in: a command's name, a line, how grave it is; out: standard error, as the journal wants it.

Where standard error is systemd's journal, a line begins with its level as sd-daemon(3) has it, so that journalctl -p
and LogLevelMax= choose. The one law: elsewhere lines are as they are.
"""

from __future__ import annotations

import os
import sys
from enum import IntEnum


class Level(IntEnum):
    """Of syslog (RFC 5424)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


def say_line(command: str, line: str, level: Level = Level.NOTICE) -> None:
    """One line on standard error, with the command's name."""
    print(f"{f'<{level.value}>' if to_journal() else ''}{command}: {line}", file=sys.stderr, flush=True)


def to_journal() -> bool:
    """Whether standard error is the stream that systemd gave: $JOURNAL_STREAM names its device and inode."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
