"""One keep-alive connection as a mirror may deliver it, against what went over the wire (captures beside the checkout).

Exchange n asks for /api/v1/item/n with token n % ...; every answer has 16,384 bytes of body.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import sensor

SPAN = Path(__file__).resolve().parents[4] / "shared" / "span"
BODY = 16_384

pytestmark = pytest.mark.skipif(not SPAN.exists(), reason="../shared/span is not there")


def transactions(name: str) -> pl.DataFrame:
    capture = sensor.read(SPAN / f"{name}.pcap.gz")
    assert capture.faults == []
    return capture.transactions


def numbers(table: pl.DataFrame) -> list[int]:
    return [int(uri.rsplit("/", 1)[1]) for uri in table["uri"]]


def right(table: pl.DataFrame, wanted: list[int]) -> bool:
    """Whether these exchanges, and no others, came out with status and exact length."""
    paired = table.filter(pl.col("method").is_not_null() & pl.col("status_code").is_not_null())
    sizes = set(paired["response_body_len"]) | set(paired["response_body_len_max"])
    return numbers(paired) == wanted and set(paired["status_code"]) == {200} and sizes == {BODY}


@pytest.mark.parametrize("name", ["A_keepalive3MiB", "B_midstream"])
def test_all_of_200_with_and_without_the_handshake(name: str) -> None:
    table = transactions(name)
    assert right(table, list(range(200)))
    assert table["complete"].all()
    assert len(table) == 200


@pytest.mark.parametrize("name", ["C_badcsum", "D0_base20", "D_dup", "G_ackfirst"])
def test_all_of_20_with_bad_checksums_doubled_and_acknowledged_early(name: str) -> None:
    table = transactions(name)
    assert right(table, list(range(20)))
    assert table["complete"].all()
    assert len(table) == 20


def test_a_lost_piece_of_a_body_changes_no_length() -> None:
    table = transactions("E_lost_body")
    assert right(table, list(range(20)))
    assert table["complete"].sum() == 19


def test_a_lost_request_costs_its_own_exchange() -> None:
    table = transactions("F_lost_req")
    lost = 20 - len(table.filter(pl.col("method").is_not_null()))
    assert lost == 1
    unasked = table.filter(pl.col("method").is_null())
    assert (unasked["status_code"].to_list(), unasked["response_body_len"].to_list()) == ([200], [BODY])
    assert len(numbers(table.filter(pl.col("status_code").is_not_null() & pl.col("method").is_not_null()))) == 19


def test_a_lost_answer_head_costs_its_own_exchange() -> None:
    table = transactions("F2_lost_resphead")
    assert sorted(numbers(table)) == list(range(20))
    assert len(table.filter(pl.col("status_code").is_null())) == 1
    unanswered = numbers(table.filter(pl.col("status_code").is_null()))
    assert right(table, [number for number in range(20) if number not in unanswered])


def test_answers_only() -> None:
    table = transactions("H_resp_only")
    assert len(table) == 20
    assert set(table["status_code"]) == {200}
    assert set(table["response_body_len"]) == {BODY}
    assert set(table["server_port"]) == {80}


def test_requests_only() -> None:
    table = transactions("I_req_only")
    assert numbers(table) == list(range(20))
    assert table["status_code"].is_null().all()


def test_answer_5_and_request_6_lost_pair_nothing_wrongly() -> None:
    table = transactions("J_lost_resp5_req6")
    assert right(table, [number for number in range(20) if number not in (5, 6)])
    assert numbers(table.filter(pl.col("status_code").is_null())) == [5]
    unasked = table.filter(pl.col("method").is_null())
    assert unasked["response_body_len"].to_list() == [BODY]


def test_doubled_packets_change_nothing() -> None:
    doubled, base = (sensor.read(SPAN / f"{name}.pcap.gz").flows for name in ("D_dup", "D0_base20"))
    assert [doubled["orig_dup_pkts"].item(), doubled["resp_dup_pkts"].item()] == [
        base["orig_pkts"].item(), base["resp_pkts"].item(),
    ]  # fmt: skip
    other = [name for name in base.columns if "_dup_" in name or name.endswith("_ms") or name == "duration"]
    assert doubled.drop(other).equals(base.drop(other))  # the file's times are stretched
