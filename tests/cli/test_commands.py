"""The command line itself: light to start, and it tells its exit codes."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import sensor
from sensor.cli.app import app
from sensor.cli.compiling import kernel_modules
from sensor.cli.exit_codes import ExitCode, code_of
from sensor.errors import BusError, CacheError, InputError, OutputError, SettingError
from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS

HEAVY = ("numpy", "numba", "polars", "zmq", "nanoarrow")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["read", "--help"], ["warm", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments):
    code = f"""
import sys
from sensor.__main__ import main
sys.argv = ["tapir", *{arguments!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code
print("loaded", [name for name in {HEAVY!r} if name in sys.modules])
"""
    assert python(code).splitlines()[-1] == "loaded []"


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, sensor; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert python(code) == "[]\n"


def test_version():
    assert CliRunner().invoke(app, ["--version"]).output == f"tapir {sensor.__version__}\n"


def test_help_names_the_exit_codes():
    text = " ".join(CliRunner().invoke(app, ["read", "--help"]).output.split())
    for code in (ExitCode.OK, ExitCode.INPUT, ExitCode.USAGE, ExitCode.OUTPUT, ExitCode.INTERRUPTED):
        assert f"{code:d} " in text[text.index("Exit codes") :]


@pytest.mark.parametrize("arguments", [["read"], ["read", "--no-such-option", "x"], ["schema", "nothing"], ["nothing"]])
def test_wrong_usage_is_2(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x", "y"), ExitCode.INPUT),
        (SettingError("x"), ExitCode.USAGE),
        (CacheError("x"), ExitCode.USAGE),
        (OutputError("x"), ExitCode.OUTPUT),
        (BusError("x"), ExitCode.OUTPUT),
    ],
)
def test_errors_have_their_codes(error, code):
    assert code_of(error) == code


@pytest.mark.parametrize(("name", "columns"), [("transactions", TRANSACTION_COLUMNS), ("flows", FLOW_COLUMNS)])
def test_schema_lists_every_column(name, columns):
    lines = CliRunner().invoke(app, ["schema", name]).output.splitlines()
    assert [line.split()[0] for line in lines] == [column.name for column in columns]


def test_schema_of_alerts_is_json_schema():
    assert "$defs" in json.loads(CliRunner().invoke(app, ["schema", "alert"]).output)


def test_warm_knows_the_kernel_files():
    names = [name for part in kernel_modules() for name in part]
    assert "sensor.export.json_lines" in names
    assert "sensor._jit" not in names
