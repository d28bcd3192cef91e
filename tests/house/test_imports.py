"""Imports go downwards only, stages never know one another, and asking for help costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.sources import Source, sources

SOURCES = sources()
GROUND = {"limits", "errors", "_jit", "_version", "schema", "schema_contents", "schema_transactions"}
BASE = GROUND | {
    "structures", "counters", "config", "alert", "alert_log", "connection", "dns", "fingerprint", "intel", "schema_dns",
    "tls", "tunnel", "websocket",
}  # fmt: skip
STAGES = {"capture", "decode", "reassembly", "protocols", "features", "detection", "alerting", "bus", "export"}
SERVICE = {"privileges", "service", "vitals", "metrics", "control"}
MAY_IMPORT = {
    **{stage: BASE for stage in STAGES},
    "structures": GROUND,
    "schema": {"limits", "errors", "schema_contents", "schema_transactions"},
    "schema_contents": set(),
    "schema_transactions": set(),
    "connection": set(),
    "dns": {"schema_dns"},
    "schema_dns": set(),
    "limits": set(),
    "errors": set(),
    "_version": set(),
    "_kernel_sources": set(),
    "_jit": {"errors", "limits", "_jit_loading", "_jit_reference", "_kernel_sources"},
    "_jit_loading": set(),
    "_jit_reference": set(),
    "counters": set(),
    "alert": {"limits"},
    "tls": {"connection"},
    "intel": {"config", "errors", "limits"},
    "tunnel": set(),
    "websocket": {"connection"},
    "alert_log": {"counters"},
    "config": {"limits", "errors", "alert"},
    "settings_file": {"config", "errors"},
    "service": set(),
    "privileges": {"errors"},
    "vitals": {"_version", "batch", "pipeline"},
    "metrics": {"errors", "vitals"},
    "control": {"errors", "vitals"},
    "fingerprint": {"errors", "limits", "structures"},
    "state": BASE,
    "absence": BASE | {"alerting"},
    "state_run": BASE | {"absence", "alerting", "state"},
    "collector": BASE | {"bus", "export"},
    "workers": BASE,
    "batch": BASE,
    "gathered": BASE,
    "losses": BASE,
    "sharing": BASE | {"protocols", "workers"},
    "overload": BASE | {"alerting"},
    "evidence": BASE | {"alerting", "decode"},
    "pipeline": BASE | STAGES | {
        "absence", "batch", "evidence", "gathered", "losses", "overload", "sharing", "state_run", "workers",
    },
    "api": BASE | {"pipeline", "export", "bus"},
    "cli": BASE | SERVICE | STAGES | {"batch", "evidence", "pipeline", "collector", "api", "settings_file"},
    "__main__": {"cli"},
    "__init__": {"_version"},
}


def parts_imported(source: Source) -> set[str]:
    return {name.split(".")[1] for name in source.imports if name.startswith("sensor.")}


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_imports_go_downwards(source: Source) -> None:
    assert parts_imported(source) - MAY_IMPORT[source.part] - {source.part} == set()


def test_the_pipeline_alone_knows_every_stage() -> None:
    inner = STAGES - {"bus", "export"}
    knowing = [str(source) for source in SOURCES if len(inner & parts_imported(source)) > 1]
    assert knowing == ["sensor/pipeline.py"]


@pytest.mark.parametrize("arguments", ["--help", "--version", "read --help", "collect --help"])
def test_asking_for_help_imports_nothing_heavy(arguments: str) -> None:
    code = (
        "import sys; from sensor.__main__ import main; sys.argv = ['tapir', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally: print('heavy:', *sorted({'numba', 'numpy', 'polars', 'zmq', 'msgspec'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"
