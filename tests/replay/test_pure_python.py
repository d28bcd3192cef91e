"""The kernels as plain Python give the same as compiled: what a debugger steps through is what runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.captures import PCAPS

FRAMINGS = ["pipelining", "chunked", "continue-100", "connect-upgrade", "bare-line-feeds"]
CAPTURES = [*FRAMINGS, "midstream", "synthetic-overlap", "http2-upgrade", "grpc-calls"]


def transactions(captures: list[str], out: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "sensor", "read", *captures, "--transactions", str(out), "--quiet"]
    subprocess.run(command, env=os.environ | environment, check=True, timeout=500)
    return out.read_text()


@pytest.mark.slow
def test_without_the_compiler(tmp_path: Path) -> None:
    captures = [str(PCAPS / f"{name}.pcap") for name in CAPTURES]
    compiled = transactions(captures, tmp_path / "compiled.jsonl")
    assert transactions(captures, tmp_path / "plain.jsonl", NUMBA_DISABLE_JIT="1") == compiled
    assert compiled.count("\n") == 80
