"""Packets sent as fast as asked: in: a capture, a packet socket, a rate; out: the rate that was reached.

All packets lie in memory with their headers for sendmmsg(2), so that a core sends some hundred thousand a second, where
tcpreplay stays far below. The one law: the rate is that of the packets that the system took, by the sender's clock.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from pathlib import Path

import numpy as np

_SOL_PACKET, _QDISC_BYPASS = 263, 20
_SLICE = 512
_IOVEC = np.dtype([("base", "u8"), ("length", "u8")])
_MESSAGE = np.dtype(
    [("name", "u8"), ("name_length", "u8"), ("vector", "u8"), ("vectors", "u8"), ("control", "u8"),
     ("control_length", "u8"), ("flags", "u8"), ("sent", "u8")]
)  # fmt: skip
_LIBC = ctypes.CDLL(None, use_errno=True)


class Burst:
    """The packets of a pcap in the byte order of this machine."""

    def __init__(self, capture: Path) -> None:
        self._data = np.fromfile(capture, np.uint8)
        buffer, places, at = memoryview(self._data), [], 24
        while at < len(buffer):
            (length,) = struct.unpack_from("<8xI", buffer, at)
            places.append((at + 16, length))
            at += 16 + length
        self._vectors = np.zeros(len(places), _IOVEC)
        self._vectors["base"], self._vectors["length"] = np.array(places, np.uint64).T
        self._vectors["base"] += np.uint64(self._data.ctypes.data)
        self._messages = np.zeros(len(places), _MESSAGE)
        first = np.uint64(self._vectors.ctypes.data)
        self._messages["vector"] = first + np.arange(len(places), dtype=np.uint64) * np.uint64(_IOVEC.itemsize)
        self._messages["vectors"] = 1

    def __len__(self) -> int:
        return len(self._messages)

    def send(self, opened: socket.socket, rate: float) -> float:
        """Send them at so many a second, or as fast as it goes; how many a second that was."""
        opened.setsockopt(_SOL_PACKET, _QDISC_BYPASS, 1)
        at, began = 0, time.perf_counter()
        while at < len(self):
            time.sleep(max(began + at / rate - time.perf_counter(), 0))
            address = self._messages.ctypes.data + at * _MESSAGE.itemsize
            sent = _LIBC.sendmmsg(opened.fileno(), ctypes.c_void_p(address), min(_SLICE, len(self) - at), 0)
            if sent < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            at += sent
        return at / (time.perf_counter() - began)
