"""`tapir rules`: both kinds of rules are checked, tried on captures, and run over captures as the sensor would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sensor.cli.app import app
from tests.protocols.dns.messages import query, response, udp
from tests.traffic import write_pcap

PCAPS = Path(__file__).parents[2] / "pcaps"
HYDRA, FEW = str(PCAPS / "hydra-form.pcap"), str(PCAPS / "few-wrong-logins.pcap")
TOOL = "title: The tool\nlevel: high\nlogsource: {category: webserver}\ndetection:\n  one: {cs-user-agent|contains: hydra}\n  condition: one\n"  # noqa: E501
SIGNATURE = 'alert http any any -> any any (msg:"A login"; http.uri; content:"/login"; sid:7;)'


def rules(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    result = CliRunner().invoke(app, ["rules", *arguments, "--json"])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A Sigma rule and a signature."""
    (tmp_path / "tool.yml").write_text(TOOL)
    (tmp_path / "login.rules").write_text(SIGNATURE + "\n")
    return str(tmp_path)


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def test_check_names_what_does_not_load_of_either_kind(folder: str) -> None:
    (Path(folder) / "bad.yml").write_text(TOOL.replace("cs-user-agent", "Image"))
    (Path(folder) / "bad.rules").write_text('alert http any any -> any any (msg:"x"; nosuch; sid:8;)\n')
    code, lines, _ = rules("check", folder)
    assert code == 1
    assert sorted(line["title"] for line in lines if line["loads"]) == ["A login", "The tool"]
    assert ["nosuch" in line["problem"] or "'Image'" in line["problem"] for line in lines if not line["loads"]] == [
        True, True,
    ]  # fmt: skip


def test_check_without_a_path_tells_of_all_that_ships() -> None:
    code, lines, _ = rules("check")
    assert code == 0
    assert {line["where"] for line in lines} >= {"sigma-limit-more-than-1000-records-in-1-minute"}


def test_try_shows_the_transactions(folder: str) -> None:
    code, lines, _ = rules("test", folder, HYDRA)
    assert code == 0
    assert {line["rule_id"] for line in lines} >= {"sigma-the-tool"}
    assert {line["sid"] for line in lines} >= {7, None}


NAME = "title: A name\nlevel: low\nlogsource: {category: dns}\ndetection:\n  one: {query|endswith: .example}\n  condition: one\n"  # noqa: E501
FLOW = "title: A flow\nlevel: low\nlogsource: {category: network_connection}\ndetection:\n  one: {dst_port: 8000}\n  condition: one\n"  # noqa: E501


@pytest.fixture
def lookups(tmp_path: Path) -> str:
    """Two questions, each with its answer."""
    packets = [
        udp(message, at, back=back)
        for at, name in ((0, "www.tapir.example"), (1_000, "www.tapir.test"))
        for message, back in ((query(name, trans_id=at + 1), False), (response(name, trans_id=at + 1), True))
    ]
    return str(write_pcap(tmp_path / "lookups.pcap", packets))


@pytest.mark.parametrize("command", ["test", "backtest"])
def test_rules_on_names_match_lookups(tmp_path: Path, lookups: str, command: str) -> None:
    (tmp_path / "name.yml").write_text(NAME)
    code, lines, _ = rules(command, str(tmp_path / "name.yml"), lookups)
    assert code == 0
    if command == "backtest":
        assert [line["matches"] for line in of_kind(lines, "rule")] == [1]
    else:
        assert [[line[key] for key in ("of", "query", "qtype_name")] for line in lines] == [
            ["lookup", "www.tapir.example", "A"]
        ]


def test_rules_on_connections_match_flows(tmp_path: Path) -> None:
    (tmp_path / "flow.yml").write_text(FLOW)
    code, lines, _ = rules("test", str(tmp_path / "flow.yml"), HYDRA)
    assert code == 0
    assert {(line["of"], line["server_port"]) for line in lines} == {("flow", 8000)}
    (told,) = of_kind(rules("backtest", str(tmp_path / "flow.yml"), HYDRA)[1], "capture")
    assert told["alerts"] > 0
    shown = CliRunner().invoke(app, ["rules", "test", str(tmp_path / "flow.yml"), HYDRA]).stdout.splitlines()
    assert len(shown) == len(lines)
    assert shown[0].endswith(" 8000")


def test_backtest_says_what_would_have_been_told_and_how_soon() -> None:
    code, lines, _ = rules("backtest", "limits", HYDRA, FEW)
    assert code == 0
    alerts = of_kind(lines, "alert")
    assert {alert["capture"] for alert in alerts} == {HYDRA}  # nobody of the others failed more than five times
    found = {line["rule_id"]: line for line in of_kind(lines, "rule")}
    failed = found["sigma-limit-more-than-5-failed-logins-in-2-minutes"]
    assert (failed["alerts"], failed["entities"], failed["repeats"], failed["severity"]) == (1, 1, 0, "high")
    assert 0 < failed["detection_seconds"] <= failed["first_seconds"] < 120
    assert [line["alerts"] for line in of_kind(lines, "capture")] == [len(alerts), 0]


def test_backtest_takes_a_rule_as_text_and_folds_as_the_sensor_does() -> None:
    code, lines, _ = rules("backtest", SIGNATURE, HYDRA)
    assert code == 0
    (line,) = of_kind(lines, "rule")
    assert line["matches"] > line["alerts"] >= line["entities"] >= 1
    assert line["title"] == "A login"


def test_what_cannot_be_read_or_loaded_is_told() -> None:
    assert rules("backtest", SIGNATURE, "/no/such.pcap")[0] == 1
    code, _, said = rules("backtest", SIGNATURE.replace("http.uri", "nosuch"), FEW)
    assert code == 1
    assert "nosuch" in said


def test_text_is_one_line_a_rule() -> None:
    result = CliRunner().invoke(app, ["rules", "backtest", "limits", HYDRA])
    assert "alerts about 1 (0 repeats)" in result.stdout
    assert "first " in result.stdout
