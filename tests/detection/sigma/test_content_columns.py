"""Sigma on cookies, headers and bodies: what a rule asks for is kept, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.config import SigmaSettings
from sensor.detection.stage import DetectionStage
from sensor.schema import Wanted
from tests.detection.messages import Talk
from tests.detection.tables import alone

HEADERS = (
    b"Cookie: a=1; session=KAPUT\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 203.0.113.7\r\nX-Odd: caf\xc3\xa9\r\n"
)
ANSWER = b"HTTP/1.1 302 Found\r\nLocation: /login?next=1\r\nServer: Old/1.0\r\n\r\n"
MATCHING = [
    ("webserver", "cs-cookie|contains: session=kaput", Wanted(request_head=True)),
    ("webserver", "cs-cookie|endswith: =KAPUT", Wanted(request_head=True)),
    ("proxy", "cs-x-forwarded-for|cidr: 203.0.113.0/24", Wanted(request_head=True)),
    ("proxy", "sc-location|startswith: /login", Wanted(response_head=True)),
    ("proxy", "sc-headers|contains: 'server: old'", Wanted(response_head=True)),
    ("zeek", "client_header_names|contains: AUTHORIZATION", Wanted(request_head=True)),
    ("zeek", "client_header_names: cookie", Wanted(request_head=True)),
    ("zeek", "server_header_values: Old/1.0", Wanted(response_head=True)),
    ("api", "request_headers|contains: 'x-odd: caf'", Wanted(request_head=True)),
    ("api", "request_body|contains: '\"isadmin\":true'", Wanted(request_body=65_536)),
    ("api", "response_body|re: 'ok.+done'", Wanted(response_body=65_536)),
    ("api", "request_email: 0", Wanted(request_body=16_384)),
]
OTHER = [
    ("webserver", "cs-cookie|contains: session=other"),
    ("webserver", "cs-cookie: null"),
    ("zeek", "client_header_names: cookies"),
    ("zeek", "server_header_names: cookie"),
    ("api", "request_body|contains: '\"isadmin\":false'"),
]


def stage_of(tmp_path: Path, source: str, test: str, pool: object) -> DetectionStage:
    logsource = "{product: zeek, service: http}" if source == "zeek" else f"{{category: {source}}}"
    path = tmp_path / "rule.yml"
    path.write_text(
        f"title: One\nlogsource: {logsource}\ndetection:\n  one:\n    {test}\n  condition: one\n", encoding="utf-8"
    )
    stage = DetectionStage(alone(sigma=SigmaSettings(rules=(str(path),))), pool)
    assert stage.notes == []
    return stage


def talk() -> Talk:
    made = Talk()
    made.say(1, "/x", b'{"isAdmin":true}', b"ok and done", HEADERS, answer_head=ANSWER)
    return made


@pytest.mark.parametrize(("source", "test", "wanted"), MATCHING, ids=[test for _, test, _ in MATCHING])
def test_what_matches_and_what_is_kept_for_it(tmp_path: Path, source: str, test: str, wanted: Wanted) -> None:
    made = talk()
    stage = stage_of(tmp_path, source, test, made.pool)
    assert stage.wanted == wanted
    assert len(made.detections(stage)) == 1


@pytest.mark.parametrize(("source", "test"), OTHER, ids=[test for _, test in OTHER])
def test_what_does_not_match(tmp_path: Path, source: str, test: str) -> None:
    made = talk()
    assert made.detections(stage_of(tmp_path, source, test, made.pool)) == []


def test_cookies_in_several_fields_are_one_list(tmp_path: Path) -> None:
    made = Talk()
    made.say(1, "/x", headers=b"cookie: a=1\r\ncookie: b=2\r\n")
    assert len(made.detections(stage_of(tmp_path, "webserver", "cs-cookie: a=1; b=2", made.pool))) == 1


def test_rules_without_such_fields_keep_nothing(tmp_path: Path) -> None:
    made = talk()
    assert stage_of(tmp_path, "webserver", "cs-uri-stem: /x", made.pool).wanted == Wanted()
