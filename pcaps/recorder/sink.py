"""Where stolen bytes go: sink.py ADDRESS PORT LOG. The law: LOG says how many bytes have come, after each part."""

from __future__ import annotations

import socket
import sys
from pathlib import Path


def main(address: str, port: str, log: str) -> None:
    with socket.create_server((address, int(port))) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                count = 0
                while part := connection.recv(65_536):
                    count += len(part)
                    Path(log).write_text(str(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
