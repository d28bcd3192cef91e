"""What can go wrong, as seen by the operator. Bytes from the wire never raise: they are counted by reason.

TapirError
├── InputError        a file, stream or network source: says which, at what offset, and what was expected
├── SettingError      a setting: says file, key, what was given and what was expected
├── StateError        the state folder: says which file, what is wrong with it, and that the old one is kept
├── OutputError       a file or stream to write to: says which, and what is wrong
├── BusError          a socket or address of the alert stream
├── WorkerError       a worker process ended: says which, and how
└── CacheError        the kernel cache folder is not safe to use
"""

from __future__ import annotations


class TapirError(Exception):
    """Base of every error that is the operator's to mend. Its text is one line and names the remedy."""


class InputError(TapirError):
    """A capture could not be read, or not to its end.

    `source` is the file or stream, `offset` the byte at which the fault lies (None when it never opened).
    """

    def __init__(self, source: str, problem: str, offset: int | None = None) -> None:
        self.source, self.problem, self.offset = source, problem, offset
        at = "" if offset is None else f" at offset {offset}"
        super().__init__(f"{source}{at}: {problem}")


class SettingError(TapirError):
    """A setting has a value that cannot be used.

    `place` (FILE:LINE, or "command line") and `key` are empty where only the text says them.
    """

    def __init__(self, problem: str, *, place: str = "", key: str = "") -> None:
        self.problem, self.place, self.key = problem, place, key
        super().__init__(": ".join(part for part in (place, key, problem) if part))


class StateError(TapirError):
    """What was learned cannot be loaded or saved. Whatever lies in the folder is left as it is."""


class OutputError(TapirError):
    """An output cannot be written, or has an ending that says nothing about its format."""


class BusError(TapirError):
    """An address of the alert stream cannot be bound or reached."""


class WorkerError(TapirError):
    """A worker process ended that should not have: what it knew is gone with it."""


class CacheError(TapirError):
    """The kernel cache folder belongs to, or can be written by, someone else."""
