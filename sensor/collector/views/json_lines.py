"""Alerts as lines: JSON as it was sent, with fields that this version does not know, or another format. Law: one alert,
one line.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import msgspec

from sensor.alert import Alert
from sensor.bus.message import Message


class JsonLines:
    """Writes to a stream without a buffer, so that each alert is out when `show` returns."""

    def __init__(self, stream: io.RawIOBase, format_: Callable[[Alert], bytes] | None = None) -> None:
        """`format_`: one of sensor/export/formats; the message as it was sent when None."""
        self._stream, self._format = stream, format_

    @classmethod
    def appending(cls, path: str, format_: Callable[[Alert], bytes] | None = None) -> JsonLines:
        """To a file, made when absent. A last line that was cut, as by a full disk, is ended first. Raises OSError."""
        stream = io.FileIO(path, "a+")
        if stream.seekable() and stream.seek(0, os.SEEK_END) > 0:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        return cls(stream, format_)

    def show(self, message: Message) -> None:
        body = self._format(message.alert) if self._format else message.body
        if not self._format and (b"\n" in body or b"\r" in body):  # sensors do not write it so, others could
            body = msgspec.json.format(body, indent=-1)
        rest = memoryview(body + b"\n")
        while rest:
            written = self._stream.write(rest)
            if written is None:
                raise BlockingIOError("the output does not block, and is full")
            rest = rest[written:]

    def close(self) -> None:
        self._stream.close()
