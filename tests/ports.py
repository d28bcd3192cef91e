"""A port of the loopback for a server of a test: in: nothing; out: one that is free now.

The one law: it lies below those that the system gives to clients: one that tries again and again could be connected to
itself there.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    for port in random.sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("none of 100 ports is free")
