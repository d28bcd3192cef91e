"""A transaction as JSON lines and in a DataFrame, against the slow twin."""

import json

import numpy as np
import polars as pl
import pytest

from sensor.export.columns import TRANSACTION_COLUMNS
from sensor.export.writers import NO_STREAMS, open_writer
from tests.export.rows import POOL, random_transactions
from tests.oracles.export import transaction

ISSUE_FIELDS = """
    ts uid community_id client_ip client_port server_ip server_port vlan trans_depth method host uri endpoint version
    user_agent referrer request_content_type response_content_type request_body_len response_body_len status_code
    status_msg auth_scheme user request_ms wait_ms response_ms complete anomalies
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def rows():
    return random_transactions(1, 2_500)


@pytest.fixture(scope="module")
def expected(rows):
    ordered = sorted(rows, key=lambda row: (row["ts"], row["flow"], row["trans_depth"]))
    return [transaction(row, POOL.strings) for row in ordered]


def written(rows, path):
    writer = open_writer(str(path), "transactions", ordered=True)
    writer.write(rows, NO_STREAMS, POOL)
    writer.close()
    return path


def test_json_lines_say_what_the_row_says(rows, expected, tmp_path):
    lines = written(rows, tmp_path / "t.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == expected


def test_parquet_says_the_same(rows, expected, tmp_path):
    found = pl.read_parquet(written(rows, tmp_path / "t.parquet"))
    times = found["ts"].cast(pl.Int64).to_list()
    assert [ts / 10**9 for ts in times] == [row["ts"] for row in expected]
    assert found.drop("ts").to_dicts() == [{k: v for k, v in row.items() if k != "ts"} for row in expected]


def test_the_fields_come_in_the_order_agreed(rows, tmp_path):
    line = written(rows[:1], tmp_path / "t.jsonl").read_text()
    names = list(json.loads(line))
    assert names[: len(ISSUE_FIELDS)] == ISSUE_FIELDS
    assert names == [column.name for column in TRANSACTION_COLUMNS]


def test_numbers_are_exact_to_the_nanosecond(rows, tmp_path):
    row = rows[:1].copy()
    row["ts"], row["request_end_ts"], row["flags"] = 1_700_000_000_123_456_789, 1_700_000_001_123_456_790, 1
    text = written(row, tmp_path / "t.jsonl").read_text()
    assert '{"ts":1700000000.123456789,' in text
    assert '"request_ms":1000.000001,' in text


def test_an_early_response_waits_less_than_nothing(rows, tmp_path):
    row = rows[:1].copy()
    row["request_end_ts"], row["response_ts"] = 5_000_000, 2_500_000
    assert '"wait_ms":-2.5,' in written(row, tmp_path / "t.jsonl").read_text()


def test_transactions_of_one_connection_share_its_names_and_no_others(tmp_path):
    """The serials 5 and 5 + 4096 have one place among the connections whose texts are known."""
    rows = random_transactions(3, 60)
    connection = ["uid_hi", "uid_lo", "client_hi", "client_lo", "server_hi", "server_lo", "client_port", "server_port"]
    connection += ["peer_hi", "peer_lo"]
    for field in connection:
        rows[field] = rows[field][np.arange(60) % 3]
    rows["flow"] = np.array([5, 5, 5 + 4096])[np.arange(60) % 3]
    ordered = sorted(rows, key=lambda row: (row["ts"], row["flow"], row["trans_depth"]))
    lines = written(rows, tmp_path / "t.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [transaction(row, POOL.strings) for row in ordered]
