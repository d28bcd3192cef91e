"""Sigma rules on DNS lookups: every field, the log sources that mean them, and rules as they are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sensor.alert import Detection
from sensor.detection.sigma.columns import source_of
from sensor.detection.sigma.dns_columns import DNS
from tests.detection.lookups import AAAA, CNAME, NULL, TXT, A, Ask, run_lookups
from tests.detection.tables import Pool
from tests.detection.test_sigma import SELECTION, rule, stage_of

HOST = {"name": "www.example.co.uk"}
# (field and value; a lookup that matches; one that does not, where another value can be asked)
FIELDS: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("query|endswith: '.onion'", {"name": "abc.ONION"}, {"name": "onion.example.org"}),
    ("query|re: '^[a-f0-9]{32}[.]'", {"name": f"{'ab12' * 8}.x.org"}, {"name": "ab12.x.org"}),
    ("QueryName: 'www.example.co.uk'", HOST, {"name": "example.co.uk"}),
    ("dns.question.name|startswith: 'www.'", HOST, {"name": "mail.example.org"}),
    ("parent_domain: 'example.co.uk'", HOST, {"name": "www.example.uk"}),
    ("query_length|gte: 40", {"name": f"{'a' * 40}.org"}, HOST),
    ("record_type: 'TXT'", {"qtype": TXT}, {"qtype": A}),
    ("qtype_name: ANY", {"qtype": 255}, {"qtype": A}),
    ("qtype: 10", {"qtype": NULL}, {"qtype": A}),
    ("qclass_name: C_INTERNET", {}, None),
    ("rcode_name: NXDOMAIN", {"rcode": 3}, {"rcode": 0}),
    ("rcode: 0", {}, {"answered": False}),
    ("answers|cidr: '192.0.2.0/24'", {}, {"answers": [(A, "198.51.100.1")]}),
    ("answer|contains: 'evil'", {"answers": [(CNAME, "a.evil.org"), (A, "192.0.2.1")]}, {}),
    ("QueryResults: '2001:db8::1'", {"answers": [(AAAA, "2001:db8::1")]}, {}),
    ("answers: null", {"rcode": 3}, {}),
    ("TTLs: 60", {}, {"rcode": 3}),
    ("answer_count|gt: 1", {"answers": [(A, "192.0.2.1"), (A, "192.0.2.2")]}, {}),
    ("rejected: true", {"rcode": 5}, {}),
    ("rejected: 'T'", {"rcode": 5}, {}),
    ("RD: true", {}, None),
    ("id.resp_p: 5300", {"port": 5_300}, {}),
    ("src_ip: '10.0.0.8'", {"client": "10.0.0.8"}, {}),
    ("proto: udp", {}, None),
    ("query_bytes|gt: 60", {"name": f"{'a' * 60}.org"}, {}),
]


def matches(tmp_path: Path, text: str, *asks: Ask) -> list[Detection]:
    stage = stage_of(tmp_path, text, Pool())
    assert stage.notes == []
    return run_lookups(stage, asks)


def matched(tmp_path: Path, detection: str, **ask: Any) -> bool:
    return bool(matches(tmp_path, rule(detection, "dns"), Ask(1.0, ask.pop("name", "a.org"), **ask)))


@pytest.mark.parametrize(("test", "match", "other"), FIELDS, ids=[test for test, _, _ in FIELDS])
def test_fields(tmp_path: Path, test: str, match: dict[str, Any], other: dict[str, Any] | None) -> None:
    assert matched(tmp_path, SELECTION.format(test), **match)
    assert other is None or not matched(tmp_path, SELECTION.format(test), **other)


def test_every_field_gives_a_value_for_every_row(tmp_path: Path) -> None:
    asks = [Ask(1, "a.org"), Ask(2, "b.org", rcode=3), Ask(3, "c.org", answered=False), Ask(4, "d.org", asked=False)]
    for name in DNS:
        either = f"  one:\n    {name}|exists: true\n  other:\n    {name}|exists: false\n  condition: one or other\n"
        assert len({each.run for each in matches(tmp_path, rule(either, "dns"), *asks)}) == 4


@pytest.mark.parametrize(
    ("category", "product", "service"),
    [("dns", None, None), ("dns_query", "windows", None), (None, "zeek", "dns"), (None, None, "dns")],
)
def test_log_sources(category: str | None, product: str | None, service: str | None) -> None:
    source = source_of(category, product, service)
    assert source is not None
    assert source.fields is DNS


def test_a_match_names_the_question(tmp_path: Path) -> None:
    text = rule(SELECTION.format("query|endswith: '.evil.org'"), "dns")
    (hit,) = matches(tmp_path, text, Ask(1, "a.evil.org", qtype=TXT), Ask(2, "b.org"))
    assert (hit.entity.value, hit.server_port) == ("10.0.0.9", 53)
    assert (hit.details["query"], hit.details["qtype_name"]) == ("a.evil.org", "TXT")
    assert hit.community_id


def test_words_without_a_field_are_looked_for_in_names_and_answers(tmp_path: Path) -> None:
    text = rule("  keywords:\n    - evil\n  condition: keywords\n", "dns")
    asks = Ask(1, "www.evil.org"), Ask(2, "b.org", answers=[(CNAME, "x.evil.net")]), Ask(3, "c.org")
    assert len(matches(tmp_path, text, *asks)) == 2


MINERS = """
title: Mining pools
level: low
logsource: {product: zeek, service: dns}
detection:
  selection:
    query|endswith: [monerohash.com, do-dear.com, xmrminerpro.com]
  exclude_answers:
    answers: ['127.0.0.1', '0.0.0.0']
  exclude_rejected:
    rejected: 'true'
  condition: selection and not 1 of exclude_*
"""


def test_a_rule_for_zeeks_log_as_they_are_published(tmp_path: Path) -> None:
    pool = {"name": "pool.monerohash.com"}
    assert matches(tmp_path, MINERS, Ask(1, **pool))
    assert not matches(tmp_path, MINERS, Ask(1, **pool, answers=[(A, "0.0.0.0")]))
    assert not matches(tmp_path, MINERS, Ask(1, **pool, rcode=5))


FLOOD = rule(SELECTION.format("record_type: TXT"), "dns", name="txt") + """---
title: Many texts
correlation:
  type: value_count
  rules: [txt]
  group-by: [src_ip, parent_domain]
  timespan: 5m
  condition: {field: query, gte: 20}
"""


def test_correlations_count_names(tmp_path: Path) -> None:
    asks = [Ask(n, f"n{n}.evil.org", qtype=TXT) for n in range(25)]
    (hit,) = matches(tmp_path, FLOOD, *asks)
    assert hit.details["group"] == {"src_ip": ["10.0.0.9"], "parent_domain": ["evil.org"]}
    assert not matches(tmp_path, FLOOD, *[Ask(n, f"n{n % 9}.evil.org", qtype=TXT) for n in range(60)])
    assert not matches(tmp_path, FLOOD, *[Ask(30 * n, f"n{n}.evil.org", qtype=TXT) for n in range(25)])
