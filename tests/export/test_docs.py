"""docs/outputs.md describes every column and exit code as the code has them."""

from pathlib import Path

import pytest

from sensor.cli.exit_codes import ExitCode
from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS, json_type

PAGE = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [TRANSACTION_COLUMNS, FLOW_COLUMNS], ids=["transactions", "flows"])
def test_the_table_of_columns_is_the_code_s(columns):
    assert "\n".join(f"| {column.name} | {json_type(column)} | {column.about} |" for column in columns) in PAGE


def test_every_exit_code_is_explained():
    for code in ExitCode:
        assert f"| {code:d} |" in PAGE
