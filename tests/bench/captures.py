"""Where generated captures lie: outside the checkout, made once and used again. Goes in: what is wanted. Comes out:
its path.

The law: a capture's name says all that it was made from, so a stale one is never taken for another.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def folder() -> Path:
    """$TAPIR_BENCH, or a folder of the user's in the temporary directory."""
    chosen = Path(os.environ.get("TAPIR_BENCH") or Path(tempfile.gettempdir()) / f"tapir-bench-{os.getuid()}")
    chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
    return chosen


def capture(packets: int, connections: int = 1000, variant: str = "normal") -> Path:
    """The path of such a capture, generated if it is not there (in another process, so that its memory is not ours)."""
    sources = b"".join((HERE / name).read_bytes() for name in ("generate.py", "templates.py"))
    made_from = hashlib.sha256(sources).hexdigest()[:8]
    path = folder() / f"{variant}-{packets}-{connections}-{made_from}.pcap"
    if not path.exists():
        print(f"generating {path.name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, str(HERE / "generate.py"), str(path), "--packets", str(packets),
                        "--connections", str(connections), "--variant", variant], check=True)  # fmt: skip
    return path
