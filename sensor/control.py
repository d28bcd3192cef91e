"""The control socket of a running sensor: in: a question, one word; out: one line of JSON.

A stream socket in the file system, for its owner and group only. The one law: it answers from the newest snapshot and
changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable

from sensor.errors import SettingError
from sensor.vitals import Snapshot

_ANSWER_BYTES_MAX = 16 << 20
_TIMEOUT_SECONDS = 5.0
_WAITING = 64
"""Clients that may wait to be answered; more are told to come again."""


class ControlSocket:
    """Serves `newest()` at `path` until `close`. Raises SettingError when a sensor listens there already, or the path
    cannot be used.
    """

    def __init__(self, path: str, newest: Callable[[], Snapshot]) -> None:
        self._path, self._newest = path, newest
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _clear(path)
            mask = os.umask(0o117)
            try:
                self._socket.bind(path)
            finally:
                os.umask(mask)
            self._socket.listen(_WAITING)
        except OSError as error:
            self._socket.close()
            raise SettingError(f"service.control: {path}: {error.strerror or error}") from None
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return  # closed
            with peer, contextlib.suppress(OSError):
                peer.settimeout(_TIMEOUT_SECONDS)
                peer.sendall(json.dumps(self._newest()).encode() + b"\n")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def _clear(path: str) -> None:
    """Take away what a sensor that was killed left behind; OSError when one still listens there."""
    if not os.path.exists(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(0, "a sensor listens here already; give each its own (--set service.control=PATH)")


def _connect(client: socket.socket, path: str) -> None:
    """Again and again while too many wait. Raises OSError."""
    end = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            client.connect(path)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.02)


def ask(path: str) -> Snapshot:
    """The snapshot of the sensor at `path`; empty when it has none yet. Raises SettingError when none answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sensor:
        sensor.settimeout(_TIMEOUT_SECONDS)
        try:
            _connect(sensor, path)
            answer = bytearray()
            while part := sensor.recv(65_536):
                answer += part
                if len(answer) > _ANSWER_BYTES_MAX:
                    raise SettingError(f"{path}: answers with more than {_ANSWER_BYTES_MAX} bytes: no sensor does")
        except OSError as error:
            raise SettingError(f"{path}: no sensor answers: {error.strerror or error}") from None
    try:
        snapshot = json.loads(answer)
    except ValueError:
        raise SettingError(f"{path}: answers with something else than JSON: no sensor does") from None
    if not isinstance(snapshot, dict):
        raise SettingError(f"{path}: answers with something else than a snapshot: no sensor does")
    return snapshot
