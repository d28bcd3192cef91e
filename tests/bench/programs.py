"""The programs that are measured, each as a command over one capture.

Goes in: a capture and a folder for what they write. Comes out: the command. The law: each writes what it is meant to
write (a line per HTTP transaction, or per flow), and reads the same file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import captures

HERE = Path(__file__).resolve().parent
NFSTREAM_SCRIPT = """
import sys, nfstream
nfstream.NFStreamer(source=sys.argv[1], statistical_analysis=True).to_csv(sys.argv[2])
"""
TSHARK_FIELDS = ("frame.time_epoch", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "http.request.method",
                 "http.host", "http.request.uri", "http.user_agent", "http.response.code",
                 "http.content_length_header")  # fmt: skip


def tapir_all(capture: Path, out: Path) -> list[str]:
    command = [sys.executable, "-m", "sensor", "read", str(capture), "--quiet"]
    for table in ("transactions", "flows", "alerts"):
        command += [f"--{table}", str(out / f"{table}.jsonl")]
    return command


def tapir_alerts(capture: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "sensor", "read", str(capture), "--quiet", "--alerts", str(out / "alerts.jsonl")]


def suricata(capture: Path, out: Path) -> list[str]:
    return ["suricata", "-c", str(HERE / "suricata.yaml"), "-r", str(capture), "-l", str(out), "-S", "/dev/null",
            "-k", "none", "--runmode", "single"]  # fmt: skip


def nfstream_python() -> Path:
    """NFStream has an environment of its own, so that its pins and ours do not meet (install-peers makes it)."""
    return captures.folder() / "nfstream" / "bin" / "python"


def nfstream(capture: Path, out: Path) -> list[str]:
    return [str(nfstream_python()), "-c", NFSTREAM_SCRIPT, str(capture), str(out / "flows.csv")]


def tshark(capture: Path, out: Path) -> list[str]:
    fields = [part for field in TSHARK_FIELDS for part in ("-e", field)]
    return ["tshark", "-n", "-r", str(capture), "-Y", "http", "-T", "fields", *fields]


Command = Callable[[Path, Path], list[str]]
PROGRAMS: dict[str, tuple[str, Command]] = {
    "tapir": ("Tapir, three outputs", tapir_all),
    "tapir-alerts": ("Tapir, alerts only", tapir_alerts),
    "suricata": ("Suricata, HTTP log", suricata),
    "nfstream": ("NFStream, flows", nfstream),
    "tshark": ("TShark, HTTP fields", tshark),
}


def version(name: str) -> str | None:
    """The program's version, or None when it is not installed."""
    asked = {
        "suricata": ["suricata", "-V"],
        "nfstream": [str(nfstream_python()), "-c", "import nfstream; print('NFStream', nfstream.__version__)"],
        "tshark": ["tshark", "--version"],
    }.get(name, [sys.executable, "-m", "sensor", "--version"])
    if not shutil.which(asked[0]):
        return None
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return None if answer.returncode else answer.stdout.strip().splitlines()[0].removeprefix("This is ")
