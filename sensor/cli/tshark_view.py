"""TShark's view of a capture: in: a file; out: a line for each packet, or why there are none.

TShark itself is asked, with columns of our choice whatever the user's profile has. The one law: what follows a question
mark in a request is left out unless it was asked for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_COLUMNS = ("Time", "%t"), ("Source", "%s"), ("Destination", "%d"), ("Protocol", "%p"), ("Length", "%L"), ("Info", "%i")
_ARROWS = "\u2192", "\u2190"
"""What TShark puts between two addresses, as a column of its own."""
_SECONDS = 60
_QUERY = re.compile(r"\?[^ ]+")


def tshark_lines(path: Path, lines_max: int, show_secrets: bool) -> Iterator[str]:
    """The first packets, one a line."""
    if shutil.which("tshark") is None:
        yield "  tshark is not installed: apt install tshark"
        return
    columns = ",".join(f'"{name}","{what}"' for name, what in _COLUMNS)
    command = ["tshark", "-n", "-r", str(path), "-t", "r", "-T", "tabs", "-c", str(lines_max + 1), "-o",
               f"gui.column.format:{columns}"]  # fmt: skip
    try:
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"  tshark failed: {error}"
        return
    if ended.returncode:
        yield f"  tshark failed: {ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else ended.returncode}"
        return
    lines = ended.stdout.splitlines()
    for line in lines[:lines_max]:
        fields = [field for field in line.split("\t") if field.strip() not in _ARROWS]
        time, source, target, protocol, length, info = [*fields, *[""] * 5][:6]
        shown = info if show_secrets else _QUERY.sub("?...", info)
        yield f"  {time.strip():>12}  {source.strip()} -> {target.strip()}  {protocol}  {length}  {shown}"
    if len(lines) > lines_max:
        yield "  and more (--lines)"
