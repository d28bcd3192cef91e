"""Each capture of pcaps/ against what the servers in it logged, and against the alerts it must raise."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

import sensor
from tests.replay.captures import PCAPS, Expected, expected

CAPTURES = expected()
WHOLE = [one for one in CAPTURES if one.compare == "both" and not one.lost_heads]
COMPARED = ("method", "host", "uri", "user_agent", "version", "status_code", "request_body_len", "response_body_len")
CALLS = ("grpc_status", "request_messages", "response_messages")
each = pytest.mark.parametrize("capture", CAPTURES, ids=str)

Row = dict[str, Any]


@cache
def read(name: str) -> sensor.Capture:
    return sensor.read(PCAPS / f"{name}.pcap")


def of_connections(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by (client, server) as "address:port", in their order."""
    found = defaultdict(list)
    for row in rows:
        found[row["client"], row["server"]].append(row)
    for of in found.values():
        if of[0]["version"] == "HTTP/2":  # answered in any order
            of.sort(key=lambda row: (row["uri"], row["request_body_len"], row["response_body_len"]))
    return dict(found)


def seen(name: str) -> dict[tuple[str, str], list[Row]]:
    """What Tapir made of a capture, in the shape of the server's log."""
    rows = read(name).transactions.sort("trans_depth", maintain_order=True).to_dicts()
    for row in rows:
        row["client"] = f"{row['client_ip']}:{row['client_port']}"
        row["server"] = f"{row['server_ip']}:{row['server_port']}"
        row["version"] = f"HTTP/{row['version']}"
    return of_connections(rows)


def known(row: Row, columns: tuple[str, ...], of: Row) -> Row:
    """The columns of `row` that `of`, a line of the server's log, can say something about."""
    unknown = {"response_body_len"} if of["response_body_len"] is None else set()
    told = (*columns, *CALLS) if "grpc_status" in of else columns
    return {column: row[column] for column in told if column not in unknown}


def test_manifest_and_folder_name_the_same_captures() -> None:
    assert sorted(one.name for one in CAPTURES) == sorted(path.stem for path in PCAPS.glob("*.pcap"))


def test_no_capture_is_large() -> None:
    assert max(path.stat().st_size for path in PCAPS.glob("*.pcap")) < 2_000_000


@pytest.mark.parametrize("capture", WHOLE, ids=str)
def test_transactions_are_those_the_server_logged(capture: Expected) -> None:
    found, logged = seen(capture.name), of_connections(capture.rows)
    assert found.keys() == logged.keys()
    for connection, rows in logged.items():
        assert [known(row, COMPARED, of) for row, of in zip(found[connection], rows, strict=True)] == [
            known(of, COMPARED, of) for of in rows
        ]


def test_requests_alone_are_read_without_their_responses() -> None:
    _compare_half("requests-only", ("method", "host", "uri", "user_agent", "request_body_len"), missing="status_code")


def test_responses_alone_are_read_without_their_requests() -> None:
    _compare_half("responses-only", ("status_code", "response_body_len"), missing="method")


def _compare_half(name: str, columns: tuple[str, ...], missing: str) -> None:
    capture = next(one for one in CAPTURES if one.name == name)
    found, logged = seen(name), of_connections(capture.rows)
    assert found.keys() == logged.keys()
    for connection, rows in logged.items():
        assert [known(row, columns, of) for row, of in zip(found[connection], rows, strict=True)] == [
            known(of, columns, of) for of in rows
        ]
        assert {row[missing] for row in found[connection]} == {None}


@pytest.mark.parametrize("capture", [one for one in CAPTURES if one.lost_heads], ids=str)
def test_a_gap_costs_what_was_lost_and_pairs_nothing_wrongly(capture: Expected) -> None:
    logged = of_connections(capture.rows)
    whole = 0
    for connection, rows in seen(capture.name).items():
        by_uri = {row["uri"]: row for row in logged[connection]}
        for row in rows:
            if row["method"] is None or row["status_code"] is None:
                continue
            whole += 1
            of = by_uri.pop(row["uri"])
            assert known(row, ("method", "status_code"), of) == known(of, ("method", "status_code"), of)
            highest = row["response_body_len_max"]
            assert row["response_body_len"] <= of["response_body_len"]
            assert highest is None or of["response_body_len"] <= highest
    assert whole >= len(capture.rows) - capture.lost_heads


@each
def test_alerts_name_the_attacker_and_nobody_else(capture: Expected) -> None:
    alerts = read(capture.name).alerts
    blaming = alerts.filter(alerts["kind"] != "posture")  # weaknesses are nobody's attack
    found = set(blaming.select("rule_id", "entity.kind", "entity.value").iter_rows())
    fingerprints = {(rule, kind) for rule, kind, entity in capture.alerts if entity is None}
    assert {one if one[:2] not in fingerprints else (*one[:2], None) for one in found} == set(capture.alerts)


@each
def test_every_capture_is_read_to_its_end(capture: Expected) -> None:
    assert read(capture.name).faults == []
