"""Feeds as they are written: every format gives the same entries, and what is left out is counted with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import FeedSettings
from sensor.intel.formats import FeedError, Parsed, parse
from sensor.intel.indicator import Indicator, Kind

NOW = 1_795_250_000.0


def parsed(octets: bytes | str, **given: Any) -> Parsed:
    raw = octets.encode() if isinstance(octets, str) else octets
    return parse(raw, FeedSettings(name="a", url="file:///a", **given), NOW)


def entries(octets: bytes | str, **given: Any) -> set[tuple[str, str]]:
    return {(one.kind.value, one.value) for one in parsed(octets, **given).indicators}


JA4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"
TEXT = f"""# a list
; another comment
198.51.101.7   # with a note
203.0.112.0/24
2a00:1450:4001::/48
45.1.2.3-45.1.2.4
evil.example.org
*.bad.example.org
hxxps://drop[.]example.org/kit/
http://Shop.Example.org:80/a?b=1#c
{JA4}
0.0.0.0 hosts.example.org
"""
FOUND = {
    ("address", "198.51.101.7/32"), ("address", "203.0.112.0/24"), ("address", "2a00:1450:4001::/48"),
    ("address", "45.1.2.3/32"), ("address", "45.1.2.4/32"), ("domain", "evil.example.org"),
    ("domain", "bad.example.org"), ("url", "drop.example.org/kit/"), ("url", "shop.example.org/a?b=1"), ("ja4", JA4),
    ("domain", "hosts.example.org"),
}  # fmt: skip


def test_text_of_all_kinds() -> None:
    found = parsed(TEXT)
    assert {(one.kind.value, one.value) for one in found.indicators} == FOUND
    assert next(one.note for one in found.indicators if one.value == "198.51.101.7/32") == "with a note"
    assert not found.skipped


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("10.0.0.0/8", "private, local or reserved addresses"),
        ("127.0.0.1", "private, local or reserved addresses"),
        ("1.0.0.0/4", "a network too wide to mean anything"),
        ("com", "neither address, name nor URL"),
        ("what is this", "neither address, name nor URL"),
        ("1.2.3.400", "not an address or network"),
    ],
)
def test_what_is_left_out_is_counted_with_the_reason(line: str, reason: str) -> None:
    found = parsed(f"{line}\n45.1.2.3\n")
    assert len(found.indicators) == 1
    assert found.skipped == {reason: 1}


HARMLESS = (
    "hxxp://evil[.]example.org/a", "hXXps[:]//evil[.]example[.]org/a", "http[://]evil(.)example{dot}org/a",
    "h**p://evil [dot] example.org/a",
)  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
@pytest.mark.parametrize("form", ["{}\n", "id,url\n1,{}\n", '{{"type": "url", "value": "{}"}}'])
def test_what_was_made_harmless_is_read_in_every_format(text: str, form: str) -> None:
    assert entries(form.format(text)) == {("url", "evil.example.org/a")}


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text", ["45.1.2[.]3\r\n", "when,ip\r\n2026,45.1.2[.]3\r\n", '{"type": "ip-dst", "value": "45.1.2[.]3"}']
)
def test_codings_and_marks_of_byte_order(coding: str, text: str) -> None:
    assert entries(text.encode(coding)) == {("address", "45.1.2.3/32")}


def test_names_that_are_not_ascii_ports_filters_and_hosts_files() -> None:
    text = "[Adblock Plus 2.0]\n! a filter\n||ads.example.org^$third-party\nBücher.example\n45.1.2.3:8080\n"
    text += "0.0.0.0 a.example.org b.example.org # two\n:: c.example.org\nhttp://bücher.example/x\n"
    names = ("ads.example.org", "xn--bcher-kva.example", "a.example.org", "b.example.org", "c.example.org")
    assert entries(text) == {
        *(("domain", name) for name in names), ("address", "45.1.2.3/32"), ("url", "xn--bcher-kva.example/x")
    }  # fmt: skip


@pytest.mark.parametrize("moment", ["nan", "inf", "1e400", "-5", "99999999999999999999"])
def test_moments_that_no_calendar_has_are_none(moment: str) -> None:
    (one,) = parsed(f"ip,valid_until,confidence\n45.1.2.3,{moment},nan\n", format="csv").indicators
    assert (one.expires, one.confidence) == (None, None)


def test_json_of_an_odd_shape_is_entries_or_an_error() -> None:
    assert entries('{"Attribute": [{"type": "url", "value": "http://a.test/", "Tag": 5}]}') == {("url", "a.test/")}
    with pytest.raises(FeedError, match="not JSON"):
        parsed("[" * 100_000)


def test_private_addresses_are_taken_when_asked_for() -> None:
    assert entries("10.1.0.0/16\n", special_addresses=True) == {("address", "10.1.0.0/16")}


def test_user_agents_and_fingerprints_need_their_kind() -> None:
    assert entries("Evil/1.0 (x; y)\n*havij*\n", kind="user_agent") == {
        ("user_agent", "evil/1.0 (x; y)"), ("user_agent", "*havij*"),
    }  # fmt: skip
    assert entries("E7D705A3286E19EA42F587B344EE6865\n", kind="ja3") == {("ja3", "e7d705a3286e19ea42f587b344ee6865")}


def test_csv_with_its_header_in_a_comment() -> None:
    text = (
        "################\n# first_seen_utc,dst_ip,dst_port,last_online,malware\n"
        '"2026-01-04 16:51:15","45.9.8.7","443","2026-02-01","Pikabot"\n'
        '"2026-01-05 16:51:15","45.9.8.8","443","2026-11-20","QakBot"\n'
    )
    found = parsed(text, format="csv", expire_seconds=30 * 86_400)
    assert [(one.value, one.note) for one in found.indicators] == [("45.9.8.8/32", "QakBot")]
    assert found.skipped == {"expired": 1}
    assert found.indicators[0].expires is not None


def test_csv_with_a_header_a_column_and_confidences() -> None:
    text = "id;domain;confidence;valid_until\n1;a.example.org;90;2027-01-01T00:00:00Z\n2;b.example.org;0.25;\n"
    found = parsed(text, format="csv", column="domain").indicators
    assert [(one.value, one.confidence, one.expires) for one in found] == [
        ("a.example.org", 0.9, 1_798_761_600.0), ("b.example.org", 0.25, None),
    ]  # fmt: skip


def test_csv_without_a_header() -> None:
    assert entries("1,45.9.8.7,x\n2,45.9.8.8,y\n", format="csv") == {
        ("address", "45.9.8.7/32"), ("address", "45.9.8.8/32"),
    }  # fmt: skip
    assert entries("45.9.8.7,45.1.1.1\n", format="csv", column="2") == {("address", "45.1.1.1/32")}


MISP = {
    "response": [
        {
            "Event": {
                "info": "Botnet",
                "Attribute": [
                    {"type": "ip-dst|port", "value": "45.9.8.7|8080", "to_ids": True, "timestamp": "1795000000"},
                    {"type": "domain|ip", "value": "c2.example.org|45.9.8.8", "to_ids": True,
                     "Tag": [{"name": 'misp:confidence-level="usually-confident"'}]},
                    {"type": "hostname", "value": "www.example.org", "to_ids": True, "comment": "landing page"},
                    {"type": "user-agent", "value": "Evil Agent", "to_ids": True},
                    {"type": "url", "value": "http://x.example.org/a", "to_ids": False},
                    {"type": "md5", "value": "e7d705a3286e19ea42f587b344ee6865", "to_ids": True},
                ],
                "Object": [{"name": "ja3", "Attribute": [
                    {"type": "ja3-fingerprint-md5", "value": "e7d705a3286e19ea42f587b344ee6865", "to_ids": True}]}],
            }
        }
    ]
}  # fmt: skip


def test_misp() -> None:
    found = parsed(json.dumps(MISP))
    by_value = {one.value: one for one in found.indicators}
    assert {(one.kind.value, one.value) for one in found.indicators} == {
        ("address", "45.9.8.7/32"), ("domain", "c2.example.org"), ("address", "45.9.8.8/32"),
        ("hostname", "www.example.org"), ("user_agent", "evil agent"), ("ja3", "e7d705a3286e19ea42f587b344ee6865"),
    }  # fmt: skip
    assert (by_value["c2.example.org"].confidence, by_value["c2.example.org"].note) == (0.75, "Botnet")
    assert by_value["www.example.org"].note == "landing page"
    assert found.skipped == {"not for detection": 1, "type md5": 1}


def stix(*patterns: str, **given: Any) -> str:
    objects = [
        {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{place}", "name": "C2", "pattern": pattern,
         "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "confidence": 85, **given}
        for place, pattern in enumerate(patterns)
    ]  # fmt: skip
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": [{"type": "malware"}, *objects]})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ipv4-addr:value = '45.9.8.7']", {("address", "45.9.8.7/32")}),
        ("[ipv4-addr:value='45.9.8.0/24' OR domain-name:value = 'c2.example.org']",
         {("address", "45.9.8.0/24"), ("domain", "c2.example.org")}),
        ("[ipv6-addr:value ISSUBSET '2a00:1450::/32']", {("address", "2a00:1450::/32")}),
        ("[domain-name:value IN ('a.example.org', 'b.example.org')]",
         {("domain", "a.example.org"), ("domain", "b.example.org")}),
        ("[url:value = 'https://x.example.org/it\\'s']", {("url", "x.example.org/it's")}),
        ("[ipv4-addr:value = '45.9.8.7'] OR ([domain-name:value = 'c.example.org'])",
         {("address", "45.9.8.7/32"), ("domain", "c.example.org")}),
        ("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Evil Agent']",
         {("user_agent", "evil agent")}),
    ],
)  # fmt: skip
def test_stix_patterns(pattern: str, expected: set[tuple[str, str]]) -> None:
    found = parsed(stix(pattern))
    assert {(one.kind.value, one.value) for one in found.indicators} == expected
    assert {(one.confidence, one.note) for one in found.indicators} == {(0.85, "C2")}


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[ipv4-addr:value = '45.9.8.7' AND network-traffic:dst_port = 443]", "a pattern with AND"),
        ("[url:value LIKE 'http://x%']", "a pattern with comparisons other than =, IN, ISSUBSET"),
        ("[file:name = 'x.exe']", "object file"),
        ("[url:value = 'http://x.org/'] FOLLOWEDBY [url:value = 'http://y.org/']", "a pattern with FOLLOWEDBY"),
    ],
)
def test_stix_patterns_that_ask_for_more_are_left_out(pattern: str, reason: str) -> None:
    found = parsed(stix(pattern, "[ipv4-addr:value = '45.1.1.1']"))
    assert [one.value for one in found.indicators] == ["45.1.1.1/32"]
    assert found.skipped == {reason: 1}


def test_stix_ends_and_revocations() -> None:
    assert not parsed(stix("[ipv4-addr:value = '45.9.8.7']", valid_until="2026-02-01T00:00:00Z")).indicators
    assert parsed(stix("[ipv4-addr:value = '45.9.8.7']", revoked=True)).skipped == {"revoked": 1}


@pytest.mark.parametrize("octets", [b"<!DOCTYPE html><html>", b"{broken", b'[{"bundle": '])
def test_what_is_no_feed_is_an_error(octets: bytes) -> None:
    with pytest.raises(FeedError):
        parsed(octets)


ANY_BYTES = st.binary(max_size=300) | st.text(max_size=200).map(str.encode)


@settings(max_examples=200)
@given(ANY_BYTES, st.sampled_from(["text", "csv", "misp", "stix"]))
def test_any_bytes_are_entries_or_an_error(octets: bytes, form: str) -> None:
    try:
        found = parsed(octets, format=form)
    except FeedError:
        return
    assert all(isinstance(one, Indicator) and one.kind in Kind for one in found.indicators)


KEYS = st.sampled_from(["type", "value", "Event", "Attribute", "objects", "pattern", "response", "Tag", "name"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["indicator", "ip-dst"]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(KEYS, each, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(ANY_JSON, st.sampled_from(["misp", "stix"]))
def test_any_json_gives_entries_that_make_sense(document: object, form: str) -> None:
    assert all(one.value for one in parsed(json.dumps(document), format=form).indicators)
