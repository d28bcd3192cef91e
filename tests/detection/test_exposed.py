"""What servers show: each mark with the real thing, and with the ordinary answer that looks like it by its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.config import Settings
from sensor.detection.exposed_marks import TRACES, banners
from sensor.pipeline import Pipeline
from tests.detection.exchanges import Exchange, packets, raised, rules
from tests.protocols.http1.messages import OK, request, response
from tests.traffic import SECOND, START, Talk, merged, write_pcap

RULES = ("exposed-page", "exposed-internals", "stack-trace", "server-banner", "missing-authentication")
JSON, HTML, TEXT = "Content-Type: application/json", "Content-Type: text/html", "Content-Type: text/plain"
START_PAGE = b"<!doctype html><html><head><title>Shop</title></head><body><div id=app></div></body></html>"
BEARER = "Authorization: Bearer abcdef0123456789"
SHOWN = [
    ("/openapi.json", JSON, b'{"openapi": "3.1.0", "info": {}}', "exposed-page"),
    ("/v2/swagger.yaml", TEXT, b"swagger: '2.0'\n", "exposed-page"),
    ("/docs", HTML, b'<link href="/swagger-ui.css"><div id="swagger-ui">', "exposed-page"),
    ("/graphql", JSON, b'{"data": {"__schema": {"types": []}}}', "exposed-page"),
    ("/metrics", TEXT, b"# HELP requests_total All\n# TYPE requests_total counter\n", "exposed-page"),
    ("/files/", HTML, b"<html><head><title>Index of /files/</title>", "exposed-page"),
    ("/actuator/env", JSON, b'{"activeProfiles": [], "propertySources": []}', "exposed-internals"),
    ("/.git/HEAD", TEXT, b"ref: refs/heads/main\n", "exposed-internals"),
    ("/.env", TEXT, b"APP_NAME=shop\nDB_PASSWORD=x\n", "exposed-internals"),
    ("/debug/pprof/", HTML, b"<title>/debug/pprof/</title>", "exposed-internals"),
    ("/backup/shop.sql", TEXT, b"CREATE TABLE users (id int);", "exposed-internals"),
    ("/phpinfo.php", HTML, b"<title>phpinfo()</title>", "exposed-internals"),
    ("/es/", JSON, b'{"name": "node-1", "tagline" : "You Know, for Search"}', "exposed-internals"),
    ("/_cat/indices", TEXT, b"yellow open customers 2j4N 1 1 1205 0 1.2mb 1.2mb\n", "exposed-internals"),
    ("/app/kibana", HTML, b'<body><kbn-injected-metadata data="{}">', "exposed-page"),
    ("/containers/json", JSON, b'[{"Id": "a", "ImageID": "sha256:00"}]', "exposed-internals"),
    ("/api/v1/pods", JSON, b'{"kind": "PodList", "items": []}', "exposed-internals"),
    ("/script", HTML, b"<title>Script Console [Jenkins]</title>", "exposed-internals"),
    ("/h2-console/login.jsp", HTML, b"<title>H2 Console</title>", "exposed-internals"),
    ("/manager/html", HTML, b"<title>/manager</title> Tomcat Web Application Manager", "exposed-internals"),
    ("/console", HTML, b"<title>Console // Werkzeug Debugger</title>", "exposed-internals"),
    ("/playground", HTML, b"<title>GraphQL Playground</title>", "exposed-page"),
    ("/haproxy", HTML, b"<title>Statistics Report for HAProxy</title>", "exposed-page"),
]


def test_what_is_shown_to_anybody(tmp_path: Path) -> None:
    exchanges = [("10.0.0.7", request(path), response(body, kind)) for path, kind, body, _ in SHOWN] * 2
    found = rules(raised(tmp_path, exchanges), *RULES)
    assert found == sorted((rule, f"GET api.test{path}") for path, _, _, rule in SHOWN)


@pytest.mark.parametrize("why", ["start page", "refused", "credential"])
def test_what_only_looks_like_it(tmp_path: Path, why: str) -> None:
    exchanges = []
    for path, kind, body, _ in SHOWN:
        asked, answered = request(path), response(body, kind)
        if why == "start page":
            answered = response(START_PAGE, HTML)
        elif why == "refused":
            answered = response(b'{"error": "no"}', JSON, status="403 Forbidden")
        else:
            asked = request(path, BEARER)
        exchanges += [("10.0.0.7", asked, answered)] * 3
    assert rules(raised(tmp_path, exchanges), *RULES) == []


def test_who_writes_about_such_pages_shows_none(tmp_path: Path) -> None:
    post = b'{"title": "Werkzeug Debugger, Laravel Telescope", "text": "DJANGO_SETTINGS_MODULE=x You Know, for Search"}'
    assert rules(raised(tmp_path, [("10.0.0.7", request("/posts"), response(post, JSON))] * 3), *RULES) == []


TRACE_TEXTS = [
    b'Traceback (most recent call last):\n  File "/srv/app.py", line 12, in get\n',
    b"java.lang.NullPointerException\n\tat com.shop.Cart.total(Cart.java:42)\n",
    b"Error: boom\n    at handler (/srv/app/index.js:10:15)\n",
    b"System.NullReferenceException: Object reference not set\n   at Shop.Cart.Get() in C:\\src\\Cart.cs:line 7",
    b"goroutine 1 [running]:\nmain.main()",
    b"You have an error in your SQL syntax; check the manual",
    b"<b>Fatal error</b>:  Uncaught Exception in /var/www/index.php on line 3",
    b"app.rb:12:in `show'",
]


ORDINARY_TEXTS = [
    b'{"detail": "Not found"}',
    b"Meet me at the office (room 3:15)",
    b'{"error": "invalid input at line 3"}',
    b"Internal Server Error",
    b'{"message": "The exception was reported to our team"}',
]


def test_stack_traces_in_errors(tmp_path: Path) -> None:
    def answers(texts: list[bytes], name: str) -> list[Exchange]:
        status = "500 Internal Server Error"
        return [
            ("10.0.0.7", request(f"/{name}-{'abcdefgh'[number]}"), response(text, TEXT, status=status))
            for number, text in enumerate(texts)
        ]

    exchanges = answers(TRACE_TEXTS, "trace") + answers(ORDINARY_TEXTS, "ordinary")
    found = rules(raised(tmp_path, exchanges), *RULES)
    assert found == [("stack-trace", f"GET api.test/trace-{letter}") for letter in "abcdefgh"]
    assert not any(TRACES.search(text) for text in ORDINARY_TEXTS)


def test_banners() -> None:
    head = b"HTTP/1.1 200 OK\r\nServer: nginx/1.18.0\r\nX-Powered-By: PHP/8.3.1\r\nDate: x\r\n\r\n"
    assert banners(head) == [("nginx/1.18.0", True), ("PHP/8.3.1", False)]
    assert banners(b"HTTP/1.1 200 OK\r\nServer: nginx\r\nVia: 1.1 proxy\r\n\r\n") == []


def test_a_banner_is_told_once_for_each_server(tmp_path: Path) -> None:
    exchanges = [("10.0.0.7", request("/a"), response(b"", "Server: nginx/1.18.0"))] * 5
    (alert,) = [alert for alert in raised(tmp_path, exchanges) if alert.rule_id == "server-banner"]
    assert (alert.entity.value, alert.severity, alert.details["out_of_support"]) == (
        "10.0.1.1:80", "low", ["nginx/1.18.0"],
    )  # fmt: skip
    for quiet in ("nginx", "nginx/99.1", "gunicorn/23.0.0"):
        assert rules(raised(tmp_path, [("10.0.0.7", request("/a"), response(b"", f"Server: {quiet}"))]), *RULES) == []


REFUSED = response(b"", status="401 Unauthorized")


def visits(refused: bool, granted: int, unasked: int) -> list[Exchange]:
    """An endpoint that refuses (or not) those without a credential, grants, and then answers without one."""
    exchanges = [("10.0.0.9", request("/orders"), REFUSED)] if refused else []
    exchanges += [("10.0.0.7", request("/orders", BEARER), OK)] * granted
    return exchanges + [("10.0.0.8", request("/orders"), OK)] * unasked


def test_an_endpoint_that_forgets_to_ask(tmp_path: Path) -> None:
    alerts = raised(tmp_path, visits(True, 40, 1))
    assert rules(alerts, *RULES) == [("missing-authentication", "GET api.test/orders")]


@pytest.mark.parametrize("given", [(False, 40, 1), (True, 10, 1), (True, 40, 0)])
def test_endpoints_that_are_open_or_hardly_known(tmp_path: Path, given: tuple[bool, int, int]) -> None:
    assert rules(raised(tmp_path, visits(*given)), *RULES) == []


def test_a_request_of_which_bytes_were_lost_may_have_had_a_credential(tmp_path: Path) -> None:
    start = START + 100 * SECOND
    talk = Talk(source="10.0.0.8", source_port=30_000, target="10.0.1.1", start=start).open()
    first, behind = request("/orders", BEARER).split(b"Authorization")
    talk.client(first).client(b"Authorization" + behind[:-4]).client(behind[-4:]).server(OK).close()
    lossy = [packet for packet in talk.packets if b"Authorization" not in packet.payload]
    assert len(lossy) == len(talk.packets) - 1
    capture = write_pcap(tmp_path / "lossy.pcap", merged(packets(visits(True, 40, 0)), lossy))
    alerts = [alert for batch in Pipeline(Settings(), [str(capture)]) for alert in batch.alerts]
    assert rules(alerts, *RULES) == []
