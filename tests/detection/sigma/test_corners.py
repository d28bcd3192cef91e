"""Corners of the specification of Sigma that rules rarely reach: escapes, chains of modifiers, lists, hidden names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sensor.detection.detector import Batch
from sensor.detection.sigma.rules import load
from sensor.detection.sigma.run import SigmaRun
from tests.detection.tables import NO_FLOWS, NO_STREAMS, NO_TABLES, Pool, join, transaction
from tests.detection.test_sigma import SELECTION, matched, rule

# (field, modifiers and value; a row that matches; a row that does not)
CORNERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (r"cs-uri-query|contains: 'a\*b'", {"uri": "/?x=a*b"}, {"uri": "/?x=aXb"}),
    (r"cs-uri-query|contains: 'a\?b'", {"uri": "/?x=a?b"}, {"uri": "/?x=aXb"}),
    (r"cs-uri-query|contains: 'a\\*b'", {"uri": "/?x=a\\zzb"}, {"uri": "/?x=azzb"}),
    (r"cs-uri-query|contains: '..\x'", {"uri": "/?x=..\\x"}, {"uri": "/?x=..x"}),
    ("cs-uri-query|contains: 'a*b?c'", {"uri": "/?x=aZZbZc"}, {"uri": "/?x=aZZbc"}),
    ("cs-uri-query|re: ['^x=[0-9]+$', '^y=[a-z]$']", {"uri": "/?y=a"}, {"uri": "/?y=1"}),
    ("cs-uri-query|re|all: ['x=[0-9]+', 'y=[a-z]']", {"uri": "/?x=1&y=a"}, {"uri": "/?x=1"}),
    ("cs-user-agent|re: 'SQLMAP'", {"user_agent": "SQLMAP"}, {"user_agent": "sqlmap"}),
    ("cs-user-agent|re|i|s: 'SQL.*P'", {"user_agent": "sqlmap"}, {"user_agent": "curl"}),
    ("sc-status|neq: 404", {"status_code": 200}, {"status_code": 404}),
    ("cs-user-agent|neq: curl", {"user_agent": "wget"}, {"user_agent": "CURL"}),
    ("cs-user-agent|startswith: ['a', 'b']", {"user_agent": "Bx"}, {"user_agent": "cab"}),
    ("c-ip|cidr: ['10.0.0.0/8', 'fe80::/10']", {"client": "fe80::1"}, {"client": "192.0.2.1"}),
    ("cs-uri-query|wide|base64offset|contains: 'foo'", {"uri": "/?x=ZgBvAG8A"}, {"uri": "/?x=Zm9v"}),
    (
        "cs-host|fieldref|startswith: cs-referer",
        {"host": "a.test.x", "referrer": "A.test"}, {"host": "x.a.test", "referrer": "a.test"},
    ),
    ("cs-referer|cased|endswith: ['.Exe', '.DLL']", {"referrer": "a.Exe"}, {"referrer": "a.exe"}),
    ("cs-uri-query|contains|cased: 'Foo'", {"uri": "/?Foo"}, {"uri": "/?foo"}),
    ("sc-status: [404, 5*]", {"status_code": 503}, {"status_code": 200}),
    ("sc-status|gt: 399\n    sc-status|lt: 500", {"status_code": 404}, {"status_code": 500}),
    ("cs-user-agent: [null, curl]", {"user_agent": ""}, {"user_agent": "wget"}),
    ("cs-user-agent: '*'", {"user_agent": "curl"}, {"user_agent": ""}),
    ("sc-status|exists: false", {"status_code": 0}, {"status_code": 404}),
    ("sc-status|lt: 400", {"status_code": 200}, {"status_code": 0}),
    ("c-uri|exists: false", {"uri": ""}, {"uri": "/"}),
    ("sc-status|startswith: 5", {"status_code": 503}, {"status_code": 405}),
    ("cs-uri-query|contains: [8080, x=]", {"uri": "/?p=8080"}, {"uri": "/?p=808"}),
    ("cs-uri-query|utf16le|base64offset|contains: 'foo'", {"uri": "/?x=ZgBvAG8A"}, {"uri": "/?x=Zm9v"}),
    ("cs-user-agent|neq: [curl, wget]", {"user_agent": "ab"}, {"user_agent": "wget"}),
    ("cs-uri-stem|contains: KÄSE", {"uri": r"/k\xc3\xa4se"}, {"uri": r"/k\xc3\xa5se"}),
    ("cs-user-agent|contains: 'M?zilla'", {"user_agent": r"M\xc3\xb6zilla"}, {"user_agent": r"M\xc3\xb6\xc3\xb6zilla"}),
    (r"cs-user-agent|contains: '\xff'", {"user_agent": r"a\xff"}, {"user_agent": "a"}),
]  # fmt: skip


@pytest.mark.parametrize(("test", "match", "other"), CORNERS, ids=[test for test, _, _ in CORNERS])
def test_values_and_modifiers(tmp_path: Path, test: str, match: dict[str, Any], other: dict[str, Any]) -> None:
    assert matched(tmp_path, SELECTION.format(test), **match)
    assert not matched(tmp_path, SELECTION.format(test), **other)


def test_a_list_of_maps_is_any_of_them(tmp_path: Path) -> None:
    detection = (
        "  selection:\n    - cs-uri-stem|contains: aaa\n      sc-status: 200\n    - cs-uri-stem|contains: bbb\n"
        "  condition: selection\n"
    )
    assert matched(tmp_path, detection, uri="/aaa", status_code=200)
    assert not matched(tmp_path, detection, uri="/aaa", status_code=404)
    assert matched(tmp_path, detection, uri="/bbb", status_code=404)


def test_keywords_any_or_all(tmp_path: Path) -> None:
    either = "  keywords:\n    - aaa\n    - 'b*c'\n  condition: keywords\n"
    assert matched(tmp_path, either, uri="/aaa")
    assert matched(tmp_path, either, user_agent="xbYc")
    assert not matched(tmp_path, either, uri="/x")
    every = "  keywords:\n    '|all':\n      - aaa\n      - ccc\n  condition: keywords\n"
    assert matched(tmp_path, every, uri="/aaa?ccc")
    assert not matched(tmp_path, every, uri="/aaa")


def test_a_keyword_may_end_with_a_star_that_is_none_or_be_a_number(tmp_path: Path) -> None:
    star = "  keywords: ['a\\*']\n  condition: keywords\n"
    assert matched(tmp_path, star, uri="/xa*x")
    assert not matched(tmp_path, star, uri="/xab")
    assert matched(tmp_path, "  keywords: [777]\n  condition: keywords\n", uri="/x7771")


def test_placeholders_stand_for_what_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(rule(SELECTION.format("cs-host|expand|endswith: ['.%zones%', '%own%']")))
    pool = Pool()
    told = load([str(tmp_path)], placeholders={"zones": ("a.test", "b.test"), "own": ("me",)})
    rows = join([transaction(pool, n, host=host) for n, host in enumerate(("x.a.test", "x.b.test", "b.test", "some"))])
    found = SigmaRun(told, pool).process(Batch(rows, NO_FLOWS, NO_STREAMS, 0, None, NO_TABLES))  # type: ignore[arg-type]
    assert [each.http.host for each in found] == ["x.a.test", "x.b.test", "some"]
    (problem,) = load([str(tmp_path)], placeholders={"own": ("me",)}).problems
    assert "placeholder %zones%" in problem.reason


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_may_begin_with_a_byte_order_mark(tmp_path: Path, coding: str) -> None:
    (tmp_path / "r.yml").write_bytes(rule(SELECTION.format("cs-host: ä")).replace("\n", "\r\n").encode(coding))
    assert [each.rule.title for each in load([str(tmp_path)]).detecting] == ["A rule"]


def test_names_that_begin_with_an_underscore_are_none_of_them(tmp_path: Path) -> None:
    detection = (
        "  _hidden: {cs-uri-stem|contains: zzz}\n  one: {cs-uri-stem|contains: aaa}\n"
        "  two: {cs-uri-stem|contains: bbb}\n  condition: 1 of them\n"
    )
    assert matched(tmp_path, detection, uri="/aaa")
    assert not matched(tmp_path, detection, uri="/zzz")


def test_several_conditions_are_any_of_them(tmp_path: Path) -> None:
    detection = (
        "  one: {cs-uri-stem|contains: aaa}\n  two: {cs-uri-stem|contains: bbb}\n  condition:\n    - one\n    - two\n"
    )
    assert matched(tmp_path, detection, uri="/aaa")
    assert matched(tmp_path, detection, uri="/bbb")
    assert not matched(tmp_path, detection, uri="/c")
