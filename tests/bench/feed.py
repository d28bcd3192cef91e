#!/usr/bin/env python3
"""Writes a pcap to standard output one packet a write, as a live tcpdump would: feed.py FILE | tapir read -"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path


def main() -> None:
    with Path(sys.argv[1]).open("rb", buffering=1 << 20) as file:
        os.write(1, file.read(24))
        while len(header := file.read(16)) == 16:
            os.write(1, header + file.read(struct.unpack("<8xI4x", header)[0]))


if __name__ == "__main__":
    main()
