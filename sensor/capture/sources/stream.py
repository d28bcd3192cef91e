"""Bytes that arrive while they are read: in: standard input, a FIFO, or a TCP server; out: what has arrived.

The one law: wait for the first byte, then take everything that is there already and wait for nothing more. A
packet is thus seen as soon as it arrives, and a burst of one-packet writes becomes one block.
"""

from __future__ import annotations

import fcntl
import io
import os
import select
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from sensor.errors import InputError
from sensor.limits import CONNECT_TIMEOUT_SECONDS, PIPE_BYTES


class StreamBytes:
    """`readinto` returns at least one byte, or 0 at the end. `position`: bytes read so far. It owns `opened`."""

    def __init__(self, name: str, opened: io.FileIO | socket.socket) -> None:
        self.name, self.position = name, 0
        self._opened = opened
        self._descriptor = opened.fileno()
        with suppress(OSError):  # no pipe, or an administrator's limit
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def readinto(self, view: memoryview) -> int:
        size = received = self._receive(view)
        while received and size < len(view) and self.ready:
            received = self._receive(view[size:])
            size += received
        return size

    @property
    def ready(self) -> bool:
        return bool(self._poll.poll(0))

    def _receive(self, view: memoryview) -> int:
        try:
            size = os.readv(self._descriptor, [view])
        except OSError as error:
            raise InputError(self.name, f"cannot be read on: {error.strerror}", self.position) from error
        self.position += size
        return size

    def close(self) -> None:
        self._opened.close()


def open_standard_input(_name: str) -> StreamBytes:
    """`-`: a capture piped in, as by `tcpdump -w -`."""
    if os.isatty(0):
        raise InputError("-", "standard input is a terminal: pipe a capture into it, as in tcpdump -w - | tapir read -")
    return StreamBytes("-", io.FileIO(0, closefd=False))


def open_fifo(name: str) -> StreamBytes:
    """A named pipe or a device; opening waits for the writer."""
    try:
        return StreamBytes(name, io.FileIO(name))
    except OSError as error:
        raise InputError(name, f"cannot be opened: {error.strerror}") from error


def connect(name: str) -> StreamBytes:
    """`tcp://host:port`: a server that sends a capture to whoever connects (pcap over TCP)."""
    try:
        address = urlsplit(name)
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise InputError(name, "is not an address: expected tcp://host:port")
    try:
        peer = socket.create_connection((host, port), CONNECT_TIMEOUT_SECONDS)
    except OSError as error:
        raise InputError(name, f"cannot be reached: {error.strerror or error}") from error
    peer.settimeout(None)
    return StreamBytes(name, peer)
