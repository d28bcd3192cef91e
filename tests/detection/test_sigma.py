"""Sigma rules on transactions and flows: what matches, what does not, and what cannot be loaded is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.alert import Detection, Severity
from sensor.config import DetectionSettings
from sensor.detection.sigma.rules import load
from sensor.detection.stage import DetectionStage
from sensor.errors import SettingError
from tests.detection.tables import Pool, flow, join, run_flows, run_transactions, transaction

PUBLIC = Path(__file__).parents[3] / "shared" / "sigma"


def rule(detection: str, category: str = "webserver", **extra: str) -> str:
    head = "".join(f"{key}: {value}\n" for key, value in {"title": "A rule", "level": "high", **extra}.items())
    return f"{head}logsource: {{category: {category}}}\ndetection:\n{detection}"


def stage_of(tmp_path: Path, text: str, pool: Pool) -> DetectionStage:
    path = tmp_path / "rules.yml"
    path.write_text(text)
    others = {name: {"enabled": False} for name in DetectionSettings.__struct_fields__ if name != "sigma"}
    return DetectionStage(msgspec.convert({**others, "sigma": {"rules": [str(path)]}}, DetectionSettings), pool)


def matches(tmp_path: Path, text: str, pool: Pool, *rows: np.ndarray) -> list[Detection]:
    stage = stage_of(tmp_path, text, pool)
    assert stage.notes == []
    return run_transactions(stage, join(list(rows)))


def matched(tmp_path: Path, detection: str, category: str = "webserver", **row: Any) -> bool:
    pool = Pool()
    return bool(matches(tmp_path, rule(detection, category), pool, transaction(pool, 0, **row)))


SELECTION = "  selection:\n    {}\n  condition: selection\n"

# (field, modifiers and value; a row that matches; a row that does not)
MODIFIERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("cs-uri-query|contains: '/etc/passwd'", {"uri": "/x?f=../../ETC/passwd"}, {"uri": "/etc/password?x=/etc/pass"}),
    ("cs-uri-query|contains: ['one=', 'two=']", {"uri": "/?two=1"}, {"uri": "/?three=1"}),
    ("cs-uri-query|contains|all: ['one=', 'two=']", {"uri": "/?two=1&one=2"}, {"uri": "/?two=1"}),
    ("cs-uri-stem|endswith: '.bak'", {"uri": "/db.bak?x=1"}, {"uri": "/db?x=.bak"}),
    ("cs-uri-stem|startswith: '/admin'", {"uri": "/Admin/x"}, {"uri": "/api/admin"}),
    ("cs-uri-stem: '/a*/c?'", {"uri": "/abc/cd"}, {"uri": "/abc/cde"}),
    ("cs-uri-stem|cased|contains: 'Admin'", {"uri": "/Admin"}, {"uri": "/admin"}),
    ("cs-uri-stem|re: '^/v[0-9]+/users$'", {"uri": "/v12/users"}, {"uri": "/vx/users"}),
    ("cs-user-agent|re|i: 'SQLMAP'", {"user_agent": "sqlmap/1.7"}, {"user_agent": "curl"}),
    ("cs-uri-query|base64|contains: 'foo'", {"uri": "/?x=Zm9v"}, {"uri": "/?x=foo"}),
    ("cs-uri-query|base64offset|contains: 'foobar'", {"uri": "/?x=aGVsbG9mb29iYXI"}, {"uri": "/?x=foobar"}),
    ("cs-uri-query|windash|contains: ' -enc'", {"uri": "/?x= /enc"}, {"uri": "/?x= enc"}),
    ("c-ip|cidr: '10.1.0.0/16'", {"client": "10.1.2.3"}, {"client": "10.2.2.3"}),
    ("c-ip|cidr: '2001:db8::/32'", {"client": "2001:db8::7"}, {"client": "2001:db9::7"}),
    ("sc-status: 404", {"status_code": 404}, {"status_code": 200}),
    ("sc-status: '404'", {"status_code": 404}, {"status_code": 200}),
    ("sc-status|gte: 500", {"status_code": 503}, {"status_code": 499}),
    ("sc-bytes|lt: 10.5", {"response_body_len": 10}, {"response_body_len": 11}),
    ("cs-user-agent: null", {"user_agent": ""}, {"user_agent": "curl"}),
    ("cs-user-agent: ''", {"user_agent": ""}, {"user_agent": "curl"}),
    ("cs-referer|exists: true", {"referrer": "http://a/"}, {"referrer": ""}),
    ("cs-referer|exists: false", {"referrer": ""}, {"referrer": "http://a/"}),
    ("cs-host|fieldref: cs-referer", {"host": "a.test", "referrer": "A.test"}, {"host": "a.test", "referrer": "b"}),
    ("cs-uri-extension: [php, asp]", {"uri": "/x.PHP?y"}, {"uri": "/php"}),
]


@pytest.mark.parametrize(("test", "match", "other"), MODIFIERS, ids=[test for test, _, _ in MODIFIERS])
def test_modifiers(tmp_path: Path, test: str, match: dict[str, Any], other: dict[str, Any]) -> None:
    assert matched(tmp_path, SELECTION.format(test), **match)
    assert not matched(tmp_path, SELECTION.format(test), **other)


CONDITION = "  one: {cs-uri-stem|contains: aaa}\n  two: {cs-uri-stem|contains: bbb}\n  three: {sc-status: 200}\n"


@pytest.mark.parametrize(
    ("condition", "uris"),
    [
        ("one or two", ["/aaa", "/bbb"]),
        ("one and not two", ["/aaa"]),
        ("1 of them", ["/aaa", "/bbb", "/ccc"]),
        ("all of them", ["/aaabbb"]),
        ("all of t*", ["/bbb"]),
        ("not 1 of o* and three", ["/bbb", "/ccc"]),
        ("(one or two) and not (one and two)", ["/aaa", "/bbb"]),
    ],
)
def test_conditions(tmp_path: Path, condition: str, uris: list[str]) -> None:
    every = ["/aaa", "/bbb", "/ccc", "/aaabbb"]
    found = [uri for uri in every if matched(tmp_path, f"{CONDITION}  condition: {condition}\n", uri=uri)]
    assert set(uris) <= set(found)
    assert ("/ccc" in found) == ("/ccc" in uris)


def test_keywords_are_looked_for_in_the_whole_line(tmp_path: Path) -> None:
    keywords = "  keywords: ['union select', '*{:;};*']\n  condition: keywords\n"
    assert matched(tmp_path, keywords, uri="/?q=UNION SELECT 1")
    assert matched(tmp_path, keywords, user_agent="() {:;}; ping")
    assert not matched(tmp_path, keywords, uri="/?q=select")


def test_bytes_mean_opposite_things_for_servers_and_proxies(tmp_path: Path) -> None:
    sent_by_server = {"response_body_len": 5000, "request_body_len": 1}
    large = SELECTION.format("cs-bytes|gt: 1000")
    assert matched(tmp_path, large, "proxy", **sent_by_server)
    assert not matched(tmp_path, large, "webserver", **sent_by_server)
    assert matched(tmp_path, SELECTION.format("sc-bytes|gt: 1000"), "webserver", **sent_by_server)


def test_every_column_of_the_api_category(tmp_path: Path) -> None:
    test = SELECTION.format("records|gte: 100\n    endpoint|endswith: '/{id}'")
    assert matched(tmp_path, test, "api", records=250, endpoint="/users/{id}")
    assert not matched(tmp_path, test, "api", records=-1, endpoint="/users/{id}")


def test_what_an_alert_says(tmp_path: Path) -> None:
    pool = Pool()
    text = rule(SELECTION.format("cs-uri-query|contains: passwd"), tags="[attack.t1190, attack.initial-access]")
    (found,) = matches(tmp_path, text, pool, transaction(pool, 5, "10.0.0.7", uri="/?passwd", status_code=200))
    assert (found.rule.id, found.rule.attack, found.rule.severity) == ("sigma-a-rule", ("T1190",), Severity.HIGH)
    assert (found.entity.kind, found.entity.value) == ("client", "10.0.0.7")
    assert found.http is not None
    assert found.http.uri == "/?passwd"


def test_flows(tmp_path: Path) -> None:
    text = rule(SELECTION.format("destination.port: 4444\n    network.transport: tcp"), "network")
    stage = stage_of(tmp_path, text, Pool())
    found = run_flows(stage, [flow(1, port=80), flow(2, port=4444)])
    assert [each.server_port for each in found] == [4444]


BASE = "name: failed\n" + rule(SELECTION.format("sc-status: 401"), title="Failed login") + "---\n"


def correlation(body: str) -> str:
    return f"{BASE}title: Many\nlevel: critical\ncorrelation:\n  rules: [failed]\n  group-by: [c-ip]\n{body}"


def times(found: list[Detection]) -> list[float]:
    return [(each.now - 1_795_250_000 * 10**9) / 1e9 for each in found]


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_event_count_slides_in_packet_time(tmp_path: Path, batch: int) -> None:
    pool = Pool()
    text = correlation("  type: event_count\n  timespan: 2m\n  condition: {gt: 5}\n")
    rows = [transaction(pool, 10 * n, "10.0.0.7", status_code=401) for n in range(20)]
    # never six in two minutes
    rows += [transaction(pool, 300 + 60 * n, "10.0.0.8", status_code=401) for n in range(20)]
    found = run_transactions(stage_of(tmp_path, text, pool), join(rows), batch)
    assert times(found) == [50, 180]  # the sixth; and after a whole span it still holds
    assert {each.entity.value for each in found} == {"10.0.0.7"}
    assert found[0].numbers.observed == 6
    assert found[0].rule.severity == Severity.CRITICAL


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("  type: value_count\n  timespan: 1m\n  condition: {field: cs-uri-stem, gte: 3}\n", [2]),
        ("  type: value_sum\n  timespan: 1m\n  condition: {field: sc-bytes, gt: 250}\n", [2]),
        ("  type: value_avg\n  timespan: 1m\n  condition: {field: sc-bytes, gt: 99.5}\n", [0]),
        ("  type: value_percentile\n  timespan: 1m\n  condition: {field: sc-bytes, percentile: 95, gte: 100}\n", [0]),
        ("  type: event_count\n  timespan: 1m\n  condition: {gt: 1, lte: 2}\n", [1]),
        ("  type: event_count\n  timespan: 1m\n  condition: {eq: 4}\n", [3]),
    ],
)
def test_types_of_correlation(tmp_path: Path, body: str, expected: list[float]) -> None:
    pool = Pool()
    rows = [transaction(pool, n, status_code=401, uri=f"/{n}", response_body_len=100) for n in range(4)]
    assert times(matches(tmp_path, correlation(body), pool, *rows)) == expected


ORDER = (
    BASE
    + "name: succeeded\n"
    + rule(SELECTION.format("sc-status: 200"), title="Login")
    + "---\ntitle: Guessed\nname: guessed\ncorrelation:\n  type: TYPE\n  rules: [failed, succeeded]\n"
    "  group-by: [c-ip]\n  timespan: 1m\n"
)


def test_temporal_in_any_order_and_in_the_order_given(tmp_path: Path) -> None:
    pool = Pool()
    wrong = [transaction(pool, 0, status_code=200), transaction(pool, 1, status_code=401)]
    right = [*wrong, transaction(pool, 2, status_code=200)]
    assert times(matches(tmp_path, ORDER.replace("TYPE", "temporal"), pool, *wrong)) == [1]
    assert matches(tmp_path, ORDER.replace("TYPE", "temporal_ordered"), pool, *wrong) == []
    assert times(matches(tmp_path, ORDER.replace("TYPE", "temporal_ordered"), pool, *right)) == [2]


def test_a_correlation_of_correlations(tmp_path: Path) -> None:
    pool = Pool()
    text = correlation("  type: event_count\n  timespan: 1m\n  condition: {gte: 3}\n")
    text = text.replace("title: Many", "name: many\ntitle: Many")
    text += "---\nname: login\n" + rule(SELECTION.format("sc-status: 200"), title="Login")
    text += "---\ntitle: Stuffed\ncorrelation:\n  type: temporal_ordered\n  rules: [many, login]\n"
    text += "  group-by: [c-ip]\n  timespan: 5m\n"
    rows = [transaction(pool, n, status_code=401) for n in range(4)] + [transaction(pool, 9, status_code=200)]
    found = matches(tmp_path, text, pool, *rows)
    assert [(each.rule.title, each.now // 10**9 - 1_795_250_000) for each in found] == [("Stuffed", 9)]


def test_aliases_name_the_same_thing_in_different_rules(tmp_path: Path) -> None:
    pool = Pool()
    text = ORDER.replace("TYPE", "temporal").replace("[c-ip]", "[who]")
    text += "  aliases:\n    who:\n      failed: c-ip\n      succeeded: s-ip\n"
    rows = [
        transaction(pool, 0, "10.0.0.7", status_code=401),
        transaction(pool, 1, "10.0.0.9", status_code=200, server="10.0.0.8"),
        transaction(pool, 2, "10.0.0.9", status_code=200, server="10.0.0.7"),
    ]
    assert times(matches(tmp_path, text, pool, *rows)) == [2]


def test_more_than_three_times_the_usual(tmp_path: Path) -> None:
    pool = Pool()
    text = correlation("  type: event_count\n  timespan: 5m\n  condition: {gt_baseline: 3, baseline: 2h}\n")
    steady = [transaction(pool, 30 * n, status_code=401) for n in range(120)]            # ten in five minutes
    burst = [transaction(pool, 3600 + 3 * n, status_code=401) for n in range(100)]
    found = matches(tmp_path, text, pool, *steady, *burst)
    assert len(found) == 1
    assert found[0].numbers.baseline == pytest.approx(10, abs=1)
    assert found[0].numbers.observed > 3 * found[0].numbers.baseline
    assert matches(tmp_path, text, pool, *steady) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- 1\n- 2\n", "a rule is a mapping"),
        ("a: [\n", "not YAML"),
        (rule(SELECTION.format("cs-uri-qery: x")), "field 'cs-uri-qery', which is not known here; alike: cs-uri-query"),
        (rule(SELECTION.format("Image: x"), "process_creation"), "log source process_creation: the wire has nothing"),
        (rule(SELECTION.format("cs-uri-stem|re: '('")), "Regular expression"),
        (rule("  condition: selection\n"), "A rule: "),
        (correlation("  type: event_cont\n  timespan: 1m\n  condition: {gt: 1}\n"), "correlation.type: 'event_cont'"),
        (correlation("  type: event_count\n  timespan: 1x\n  condition: {gt: 1}\n"), "correlation.timespan"),
        (correlation("  type: event_count\n  timespan: 1m\n  condition: {}\n"), "needs one of gt"),
        (correlation("  type: value_count\n  timespan: 1m\n  condition: {gt: 1}\n"), "needs the field"),
        (ORDER.replace("TYPE", "temporal").replace("[failed, succeeded]", "[failed, lost]"), "not loaded: lost"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_the_reason(tmp_path: Path, text: str, told: str) -> None:
    notes = stage_of(tmp_path, text, Pool()).notes
    assert len(notes) == 1
    assert told in notes[0]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no such file or folder of rules"):
        load([str(tmp_path / "none")])


@settings(max_examples=50)
@given(st.text(alphabet="ab/?=*\\.%{};'", min_size=1, max_size=12), st.text(alphabet="ab/?=.%{};'", max_size=20))
def test_the_scan_leaves_out_nothing(tmp_path_factory: pytest.TempPathFactory, value: str, uri: str) -> None:
    folder = tmp_path_factory.mktemp("scan")
    escaped = value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?").replace("'", "''")
    found = matched(folder, SELECTION.format(f"cs-uri|contains: '{escaped}'"), uri=f"/{uri}")
    assert found == (value.lower() in f"/{uri}".lower())


@pytest.mark.skipif(not PUBLIC.exists(), reason="needs the public rules in ../shared/sigma")
def test_public_rules_load() -> None:
    files = list(PUBLIC.glob("*.yml"))
    loaded = load([str(PUBLIC)])
    assert len(loaded.detecting) + len(loaded.problems) == len(files)
    assert loaded.problems == []


KINDS = [
    "  type: event_count\n  timespan: 2m\n  condition: {gt: 5}\n",
    "  type: value_count\n  timespan: 2m\n  condition: {field: cs-uri-stem, gt: 5}\n",
    "  type: event_count\n  timespan: 1m\n  condition: {gt_baseline: 1.4, baseline: 1h}\n",
]


@pytest.mark.parametrize("body", KINDS)
@pytest.mark.parametrize("cut", [3, 17, 40])
def test_windows_go_on_after_a_restart_and_a_reload(tmp_path: Path, body: str, cut: int) -> None:
    pool = Pool()
    rows = [transaction(pool, 20 * n - n * n / 10, status_code=401, uri=f"/{n}") for n in range(60)]
    whole, first, restarted = (stage_of(tmp_path, correlation(body), pool) for _ in range(3))
    expected = times(run_transactions(whole, join(rows)))
    assert expected
    before = times(run_transactions(first, join(rows[:cut])))
    state = {name: array.copy() for name, array in first.memories["detection.sigma"].state().items()}
    assert restarted.memories["detection.sigma"].restore(state)
    assert before + times(run_transactions(restarted, join(rows[cut:]))) == expected
    reloaded = stage_of(tmp_path, correlation(body), pool)
    reloaded.detectors["sigma"].take_over(first.detectors["sigma"])  # type: ignore[attr-defined]
    assert before + times(run_transactions(reloaded, join(rows[cut:]))) == expected


def test_a_correlation_that_is_written_otherwise_begins_anew(tmp_path: Path) -> None:
    pool = Pool()
    rows = [transaction(pool, n, status_code=401) for n in range(9)]
    first = stage_of(tmp_path, correlation(KINDS[0]), pool)
    assert run_transactions(first, join(rows[:5])) == []
    changed = stage_of(tmp_path, correlation(KINDS[0].replace("2m", "3m")), pool)
    changed.detectors["sigma"].take_over(first.detectors["sigma"])  # type: ignore[attr-defined]
    assert run_transactions(changed, join(rows[5:])) == []


# (value of c-uri|contains; host and URI of a request in which it stands)
URLS = [
    ("paste.ee/r/", "paste.ee", "/r/abc"), ("paste.ee/r/", "a.test", "/?u=paste.ee/r/x"),
    ("/evil.test/x", "evil.test", "/x"),
    ("../../../etc", "a.test", "/b/../../../etc/passwd"),
    ("http://evil.test/a", "evil.test", "/ab"), ("t/b", "a.test", "/b"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "host", "uri"), URLS)
def test_what_stands_across_host_and_path_is_found(tmp_path: Path, value: str, host: str, uri: str) -> None:
    test = f"c-uri|contains: '{value}'"
    assert matched(tmp_path, SELECTION.format(test), host=host, uri=uri)
    assert not matched(tmp_path, SELECTION.format(test), host="other.test", uri="/nothing")


def test_many_values_of_a_field_are_one_test_with_the_same_meaning(tmp_path: Path) -> None:
    values = ["curl*", "*bot", "*scan*", "Exactly This", "a?c", "*x*y*"]
    agents = "CURL/8", "googleBOT", "a Scanner", "exactly this", "abc", "1x2y3", "none", "exactly this too", "acurl", ""
    for agent in agents:
        one = any(
            matched(tmp_path, SELECTION.format(f"cs-user-agent: '{value}'"), user_agent=agent) for value in values
        )
        assert matched(tmp_path, SELECTION.format(f"cs-user-agent: {values}"), user_agent=agent) == one
