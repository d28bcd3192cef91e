"""A program of one's own that knows more: a notice goes in on its standard input as JSON, lines come out.

Law: it has so many seconds and says so many bytes; when it fails, that is what is known.
"""

from __future__ import annotations

import subprocess

import msgspec

from sensor.collector.notice import Notice

_LINES_MAX = 40
_LINE_SIGNS_MAX = 200


def asked(command: tuple[str, ...], notice: Notice, timeout_seconds: float) -> tuple[str, ...]:
    """What it printed, a line each; or one line that says why there is nothing."""
    try:
        done = subprocess.run(
            command, input=msgspec.json.encode(notice.fields) + b"\n", stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=timeout_seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return (f"no answer: took longer than {timeout_seconds:g} s",)
    except OSError as error:
        return (f"no answer: {command[0]} cannot be run: {error.strerror}",)
    if done.returncode:
        return (f"no answer: ended with {done.returncode}",)
    lines = done.stdout.decode(errors="replace").splitlines()[:_LINES_MAX]
    return tuple(line[:_LINE_SIGNS_MAX] for line in lines if line.strip())
