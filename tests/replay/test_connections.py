"""TLS and WebSockets of pcaps/ against what nginx and the library websockets logged of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

import sensor
from sensor.cli.reading import Options, run
from tests.replay.captures import PCAPS

Row = dict[str, Any]
CIPHERS = {
    "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_AES_256_GCM_SHA384": "TLS_AES_256_GCM_SHA384",
}


def logged(name: str, kind: str) -> list[Row]:
    """What the manifest has of a capture, from the server's log."""
    entries = json.loads((PCAPS / "MANIFEST.json").read_text())
    rows: list[Row] = next(entry for entry in entries if entry["name"] == name)[kind]
    return rows


def ends(row: Row) -> str:
    return f"{row['id.orig_h']}:{row['id.orig_p']} {row['id.resp_h']}:{row['id.resp_p']}"


def test_tls_is_what_nginx_negotiated() -> None:
    capture = sensor.read(PCAPS / "tls-nginx.pcap")
    found = {ends(row): row for row in capture.tls.to_dicts() if row["established"]}
    lines = {f"{line['client']} {line['server']}": line for line in logged("tls-nginx", "tls")}
    assert found.keys() == lines.keys()
    for name, line in lines.items():
        row = found[name]
        assert (row["server_name"] or "", row["version"]) == (line["server_name"], line["version"].replace(".", ""))
        assert row["cipher"] == CIPHERS[line["cipher"]]
        assert row["resumed"] == (line["resumed"] == "r")
        assert line["next_protocol"] in row["offered_protocols"]
        if row["version"] == "TLSv12":
            assert row["next_protocol"] == line["next_protocol"]
            assert row["subject"] in ("CN=shop.example,O=Lab", None if row["resumed"] else "")
        assert 0 < row["resp_record_size_mean"] <= row["resp_record_size_max"] <= 16_384 + 256
        assert row["orig_records"] >= 1


def test_a_version_that_is_refused_is_not_established() -> None:
    capture = sensor.read(PCAPS / "tls-nginx.pcap")
    (refused,) = [row for row in capture.tls.to_dicts() if not row["established"]]
    assert (refused["server_name"], refused["last_alert"]) == ("shop.example", "protocol_version")
    assert capture.flows["service"].to_list() == ["ssl"] * len(capture.tls)


def test_websockets_are_those_the_server_counted() -> None:
    capture = sensor.read(PCAPS / "websockets.pcap")
    found = {ends(row): row for row in capture.websockets.to_dicts()}
    lines = {f"{line['client']} {line['server']}": line for line in logged("websockets", "websockets")}
    assert found.keys() == lines.keys()
    for name, line in lines.items():
        row = found[name]
        columns = {"uri", "compressed", "orig_messages", "resp_messages", "orig_close_code", "resp_close_code"}
        columns |= set() if line["compressed"] else {"orig_bytes", "resp_bytes"}
        assert {column: row[column] for column in columns} == {column: line[column] for column in columns}
        assert (row["subprotocol"], row["anomalies"], row["frames_exact"]) == ("chat", [], True)
        assert row["resp_continuation_frames"] == 4  # two texts that came back in pieces
        assert (row["orig_ping_frames"], row["resp_ping_frames"]) == (1, 1)


def test_a_websocket_names_its_transaction() -> None:
    capture = sensor.read(PCAPS / "websockets.pcap")
    upgrades = Counter(capture.transactions.select("uid", "trans_depth", "uri").iter_rows())
    assert Counter(capture.websockets.select("uid", "trans_depth", "uri").iter_rows()) == upgrades


def test_the_summary_says_how_many_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = [str(PCAPS / f"{name}.pcap") for name in ("tls-nginx", "websockets")]
    assert run(Options(inputs=inputs)) == 0
    assert "also read     9 TLS, 4 WebSocket" in capsys.readouterr().out
