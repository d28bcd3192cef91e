"""Every keyword does what it does in Suricata: a table of rules and conversations, and Suricata as its oracle."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.config import DetectionSettings, SignatureSettings
from sensor.detection.signatures.compile import KEYWORDS, compile_rule
from sensor.detection.signatures.network import DEFAULT_VARIABLES
from sensor.detection.signatures.parser import RuleError, parse_rule
from sensor.detection.signatures.ruleset import RuleSet
from sensor.detection.stage import DetectionStage
from tests.detection.messages import Talk
from tests.detection.signatures.keyword_cases import CASES, TALKS
from tests.detection.tables import alone
from tests.traffic import Packet, exchange, write_pcap

NOTES = {"msg", "sid", "rev", "gid", "classtype", "priority", "reference", "metadata", "target", "tag", "rawbytes",
         "app-layer-protocol", "noalert", "xbits", "flowbits", "pkt_data", "http.start", "http_raw_header",
         "http_server_body", "http_stat_msg", "http_raw_host", "http.accept_enc", "http.accept_lang", "http.connection",
         "to_sha1", "to_sha256", "header_lowercase"}  # fmt: skip
"""Keywords that test nothing by themselves, or are tested below or as another's older name."""


ALERTS_A_PACKET = 12
"""Suricata tells at most 15 alerts of one packet."""


def rule(sid: int, options: str) -> str:
    return f'alert http any any -> any any (msg:"case {sid}"; {options} sid:{sid}; rev:1;)'


def text_of_rules() -> str:
    return "\n".join(rule(1000 + number, options) for number, (_, options, _) in enumerate(CASES)) + "\n"


def settings(path: Path) -> DetectionSettings:
    return alone(signatures=SignatureSettings(rules=(str(path),)))


def matched(path: Path) -> dict[int, set[int]]:
    talk = Talk()
    for number, (request, response) in enumerate(TALKS):
        talk.raw(number, request, response, flow=number + 1)
    found: dict[int, set[int]] = {}
    for detection in talk.detections(DetectionStage(settings(path), talk.pool)):
        if "sid" in detection.details:
            found.setdefault(detection.details["sid"], set()).add((detection.first_ts - talk.start) // 1_000_000_000)
    return found


def test_every_case_matches_what_it_should(tmp_path: Path) -> None:
    path = tmp_path / "cases.rules"
    path.write_text(text_of_rules())
    assert RuleSet([str(path)]).faults == []
    found = matched(path)
    wrong = {
        name: (found.get(1000 + number, set()), expected)
        for number, (name, _, expected) in enumerate(CASES)
        if found.get(1000 + number, set()) != expected
    }
    assert wrong == {}


def test_every_keyword_has_a_case() -> None:
    used = {name for _, options, _ in CASES for name, _ in parse_rule(rule(1, options)).options}
    assert set(KEYWORDS) - used - NOTES == set()


def test_the_same_rules_give_the_same_alerts_in_suricata(tmp_path: Path) -> None:
    program = shutil.which("suricata")
    if program is None:
        pytest.skip("suricata is not installed")
    rules, capture = tmp_path / "cases.rules", tmp_path / "cases.pcap"
    rules.write_text(text_of_rules())
    packets: list[Packet] = []
    for number, (request, response) in enumerate(TALKS):
        start = 1_795_250_000 * 10**9 + number * 10**9
        packets += exchange(request, response, source_port=40_000 + number, start=start).packets
    write_pcap(capture, packets)
    theirs: dict[int, int] = {}
    lines = rules.read_text().splitlines()
    for start in range(0, len(lines), ALERTS_A_PACKET):
        folder = tmp_path / str(start)
        folder.mkdir()
        part = folder / "part.rules"
        part.write_text("\n".join(lines[start : start + ALERTS_A_PACKET]) + "\n")
        command = [program, "-r", capture, "-S", part, "-l", folder, "-k", "none", "--runmode", "single"]
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        for line in (folder / "eve.json").read_text().splitlines():
            entry = json.loads(line)
            if entry["event_type"] == "alert":
                theirs[entry["alert"]["signature_id"]] = theirs.get(entry["alert"]["signature_id"], 0) + 1
    ours = {sid: len(rows) for sid, rows in matched(rules).items()}
    names = {1000 + number: name for number, (name, _, _) in enumerate(CASES)}
    pairs = {names[sid]: (ours.get(sid, 0), theirs.get(sid, 0)) for sid in names}
    assert {name: pair for name, pair in pairs.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize(
    ("options", "keyword"),
    [
        ('http.uri; content:"a"; luajit:x.lua;', "luajit"),
        ('tls.sni; content:"a";', "tls.sni"),
        ('http.uri; content:"a|zz|";', "content"),
        ('http.uri; pcre:"/(/";', "pcre"),
        ('http.uri; content:"a"; within:x;', "within"),
        ('msg:"no semicolon" http.uri; content:"a";', "msg"),
        ('flow:to_client; http.uri; content:"a";', "flow"),
        ("nocase;", "nocase"),
        ('http.uri; content:"a"; flow:sideways;', "flow"),
        ('http.uri; content:"a"; threshold:type never, track by_src, count 1, seconds 1;', "threshold"),
    ],
)
def test_what_is_not_understood_names_the_keyword(options: str, keyword: str) -> None:
    with pytest.raises(RuleError) as error:
        compile_rule(parse_rule(rule(1, options)), DEFAULT_VARIABLES)
    assert error.value.keyword == keyword


def test_flow_bits_and_address_bits_carry_from_one_transaction_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "bits.rules"
    path.write_text(
        rule(1, 'http.uri; content:"/one"; flowbits:set,seen; flowbits:noalert;') + "\n"
        + rule(2, 'http.uri; content:"/two"; flowbits:isset,seen;') + "\n"
        + rule(3, 'http.uri; content:"/one"; xbits:set,host,track ip_src,expire 10;') + "\n"
        + rule(4, 'http.uri; content:"/two"; xbits:isset,host,track ip_src;') + "\n"
    )  # fmt: skip
    talk = Talk()
    talk.say(0, "/two", flow=1)
    talk.say(1, "/one", flow=1)
    talk.say(2, "/two", flow=1)
    talk.say(3, "/two", flow=2)
    talk.say(30, "/two", flow=2)
    found = talk.detections(DetectionStage(settings(path), talk.pool))
    told = [(d.details["sid"], (d.first_ts - talk.start) // 1_000_000_000) for d in found if "sid" in d.details]
    assert told == [(3, 1), (2, 2), (4, 2), (4, 3)]


def test_what_marks_a_host_is_not_seen_by_the_same_request_and_what_marks_a_flow_is(tmp_path: Path) -> None:
    path = tmp_path / "bits.rules"
    path.write_text(
        rule(1, 'http.uri; content:"/one"; flowbits:set,seen; xbits:set,host,track ip_src,expire 10; noalert;') + "\n"
        + rule(2, 'http.uri; content:"/"; flowbits:isset,seen;') + "\n"
        + rule(3, 'http.uri; content:"/"; xbits:isset,host,track ip_src;') + "\n"
        + rule(4, 'http.stat_code; content:"200"; xbits:isset,host,track ip_dst;') + "\n"
    )  # fmt: skip
    talk = Talk()
    talk.say(0, "/one", flow=1)
    talk.say(2, "/two", flow=2)
    found = talk.detections(DetectionStage(settings(path), talk.pool))
    told = [(d.details["sid"], (d.first_ts - talk.start) // 1_000_000_000) for d in found if "sid" in d.details]
    assert told == [(2, 0), (4, 0), (3, 2), (4, 2)]


def test_a_changed_file_is_taken_over_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "live.rules"
    path.write_text(rule(1, 'http.uri; content:"/old";') + "\n")
    talk = Talk()
    stage = DetectionStage(settings(path), talk.pool)
    detector = stage.detectors["signatures"]

    def change(text: str) -> list[str]:
        path.write_text(text)
        detector._reloading._looked = -1e9
        problems = []
        for _ in range(2):
            problems += [d.details["problem"] for d in detector._reload(5)]
            if detector._reloading._reader is not None:
                detector._reloading._reader.join(30)
        return problems

    assert change(rule(2, 'http.uri; content:"/new";') + "\n") == []
    assert [signature.sid for signature in detector.set.signatures] == [2]
    (problem,) = change(rule(3, 'http.uri; content:"/x"; nonsense;') + "\n")
    assert "nonsense" in problem
    assert f"{path}:1" in problem
    assert [signature.sid for signature in detector.set.signatures] == [2]


def test_addresses_and_ports_are_those_of_the_packets_direction(tmp_path: Path) -> None:
    path = tmp_path / "net.rules"
    path.write_text(
        'alert http 10.0.0.0/8 any -> [10.0.1.0/24,!10.0.1.9] 80 (flow:to_server; http.uri; content:"/a"; sid:1;)\n'
        'alert http 10.0.1.1 80 -> any !80 (flow:to_client; http.stat_code; content:"200"; sid:2;)\n'
        'alert http 10.9.0.0/16 any -> any any (http.uri; content:"/a"; sid:3;)\n'
        'alert http $NOBODY any -> any any (http.uri; content:"/a"; sid:4;)\n'
    )
    talk = Talk()
    talk.say(0, "/a")
    found = talk.detections(DetectionStage(settings(path), talk.pool))
    assert [detection.details["sid"] for detection in found if "sid" in detection.details] == [1, 2]
    assert ["$NOBODY" in fault.problem for fault in RuleSet([str(path)]).faults] == [True]


@given(st.text(max_size=300))
def test_any_text_is_a_rule_or_an_error(text: str) -> None:
    with contextlib.suppress(RuleError):
        compile_rule(parse_rule(text), DEFAULT_VARIABLES)
