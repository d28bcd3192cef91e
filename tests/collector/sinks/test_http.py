"""Sinks over HTTP, against stubs: servers of Elasticsearch, OpenSearch, Splunk or Datadog are in none of Debian, PyPI
and npm.

A stub checks what the service's documentation asks of a request, keeps what it takes, and answers as told.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from sensor.cli.app import app
from sensor.collector.sinks import Feed, sink
from sensor.collector.sinks.feed import refused, retry
from sensor.collector.store import Store
from sensor.config import SinkSettings
from sensor.errors import SettingError
from tests.collector.servers import own_folder
from tests.collector.sinks.peers import certificates, make_certificates
from tests.collector.test_sinks import stored


class Stub:
    """Takes requests one by one. `answers`: what to answer next instead of taking them, as (status, headers, body)."""

    header = ("Authorization", "")

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests = self.connections = 0
        self.closing = False  # ends connections after each answer, and does not say so
        self.poison: set[int] = set()  # sequences that it refuses
        outer = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests += 1
                name, value = outer.header
                assert self.headers[name] == value
                status, headers, answer = outer.answers.pop(0) if outer.answers else outer.take(self.path, body)
                self.send_response(status)
                for each in ({"Content-Length": str(len(answer))} | headers).items():
                    self.send_header(*each)
                self.end_headers()
                self.wfile.write(answer)
                self.close_connection = self.close_connection or outer.closing

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        raise NotImplementedError

    @property
    def sequences(self) -> list[int]:
        return [alert["sequence"] for alert in self.taken]


class ElasticsearchStub(Stub):
    """POST /_bulk: pairs of lines, results by item; a document that is there already is a conflict."""

    header = ("Authorization", "ApiKey hush")

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[int, list[int]] = {}  # of a sequence, what is answered to it next
        self.ids: set[str] = set()

    def settings(self, **changes: Any) -> SinkSettings:
        return SinkSettings(name="s", elasticsearch=self.address, secret="hush", **changes)

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        lines = body.split(b"\n")
        assert (path, lines.pop()) == ("/_bulk", b"")
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            create, alert = json.loads(action)["create"], json.loads(document)
            number = alert["event"]["sequence"]
            status = 409 if create["_id"] in self.ids else 400 if number in self.poison else 201
            if self.statuses.get(number):
                status = self.statuses[number].pop(0)
            if status == 201:
                assert create["_index"] == "tapir-alerts"
                self.ids.add(create["_id"])
                self.taken.append({"sequence": number})
            items.append({"create": {"status": status, "error": {"type": "document_parsing_exception"}}})
        return 200, {}, json.dumps({"errors": True, "items": items}).encode()


class SplunkStub(Stub):
    """POST /services/collector/event: objects one after the other; one that it refuses refuses all of the request."""

    header = ("Authorization", "Splunk hush")

    def __init__(self) -> None:
        super().__init__()
        self.acknowledging = False
        self.asked = 0

    def settings(self, **changes: Any) -> SinkSettings:
        return SinkSettings(name="s", splunk=self.address, secret="hush", topic="security", **changes)

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/services/collector/ack?channel="):
            self.asked += 1
            return 200, {}, json.dumps({"acks": {"7": self.asked > 1}}).encode()
        assert path == "/services/collector/event"
        events = [json.loads(line) for line in body.split(b"\n")]
        assert {(event["host"], event["index"], event["sourcetype"]) for event in events} == {
            ("tap-1", "security", "tapir:alert")
        }
        if self.poison & {event["event"]["sequence"] for event in events}:
            return 400, {}, b'{"text": "Invalid data format", "code": 6}'
        self.taken += [event["event"] for event in events]
        return 200, {}, b'{"text": "Success", "code": 0%s}' % (b', "ackId": 7' if self.acknowledging else b"")


class DatadogStub(Stub):
    """POST /api/v2/logs: a list; 202 and an empty object."""

    header = ("DD-API-KEY", "hush")

    def settings(self, **changes: Any) -> SinkSettings:
        return SinkSettings(name="s", datadog=self.address, secret="hush", **changes)

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        assert path == "/api/v2/logs"
        entries = json.loads(body)
        if self.poison & {entry["tapir"]["sequence"] for entry in entries}:
            return 413, {}, b"{}"
        assert {(entry["service"], entry["hostname"], entry["status"]) for entry in entries} == {
            ("tapir", "tap-1", "error")
        }
        self.taken += [entry["tapir"] for entry in entries]
        return 202, {}, b"{}"


STUBS = {"Elasticsearch": ElasticsearchStub, "Splunk": SplunkStub, "Datadog": DatadogStub}


@pytest.fixture(params=STUBS)
def stub(request: pytest.FixtureRequest) -> Iterator[Stub]:
    yield from served(STUBS[request.param]())


@pytest.fixture
def elasticsearch() -> Iterator[ElasticsearchStub]:
    yield from served(ElasticsearchStub())


@pytest.fixture
def splunk() -> Iterator[SplunkStub]:
    yield from served(SplunkStub())


def served(stub: Stub) -> Iterator[Any]:
    yield stub
    stub.server.shutdown()
    stub.server.server_close()


def feed_of(stub: Any, store: Store, **changes: Any) -> Feed:
    return Feed(store.base, "s", sink(stub.settings(**changes)))


def test_every_alert_arrives_in_order_over_a_restart(stub, store):
    for first, last in ((1, 2), (3, 700)):
        stored(store, first, last)
        feed_of(stub, store).step(0)
    assert stub.sequences == list(range(1, 701))
    assert stub.connections == 2, "a connection is kept"


@pytest.mark.parametrize(
    "answer", [(503, {}, b""), (401, {}, b""), (302, {"Location": "/hush"}, b""), (429, {}, b""), (200, {}, b"<html>")]
)
def test_what_is_not_taken_comes_again_and_no_secret_is_said(stub, store, answer):
    feed = feed_of(stub, store)
    stored(store, 1, 3)
    stub.answers = [answer]
    with pytest.raises(OSError, match=r"answer") as raised:
        feed.step(0)
    assert "hush" not in str(raised.value)
    feed.step(1)
    assert stub.sequences == [1, 2, 3]


def test_the_service_says_how_long_to_wait(stub, store):
    feed = feed_of(stub, store)
    stored(store, 1, 1)
    stub.answers = [(429, {"Retry-After": "30"}, b"")]
    for now in (0, 29):
        with pytest.raises(OSError, match="answered 429"):
            feed.step(now)
    assert stub.requests == 1
    feed.step(30)
    assert stub.sequences == [1]


def test_a_clock_that_is_set_back_makes_nobody_wait(stub, store):
    feed = feed_of(stub, store)
    stored(store, 1, 1)
    stub.answers = [(500, {}, b"")]
    with pytest.raises(OSError, match="answered 500"):
        feed.step(10_000)
    feed.step(5_000)
    assert stub.sequences == [1]


def test_waits_get_longer_up_to_a_minute(stub, store):
    feed = feed_of(stub, store)
    stored(store, 1, 1)
    stub.answers = [(500, {}, b"")] * 8
    now, times = 0, []
    while not stub.taken:
        before = stub.requests
        with suppress(OSError):
            feed.step(now)
        if stub.requests > before:
            times.append(now)
        now += 1
    assert times == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_one_that_is_refused_is_kept_apart_and_holds_up_nothing(stub, store):
    feed = feed_of(stub, store)
    stub.poison = {37}
    stored(store, 1, 100)
    feed.step(1000)
    assert stub.sequences == [number for number in range(1, 101) if number != 37]
    (one,) = refused(store.base)
    assert (one["sink"], one["alert"], one["at"]) == ("s", 37, 1000)
    assert str(one["problem"]).startswith("answered 4")
    said = CliRunner().invoke(app, ["incidents", "undelivered", "--store", f"sqlite:///{store.base.place}"])
    assert f"sink s: alert {37:032x}, revision 1: answered 4" in said.output
    retry(store.base)
    stored(store, 101, 101)
    feed.step(1001)
    assert stub.sequences[-1] == 101, "one that is refused again holds up nothing either"
    assert [one["alert"] for one in refused(store.base)] == [37]
    stub.poison = set()
    retry(store.base)
    assert refused(store.base) == []
    feed.step(1002)
    assert stub.sequences[-1] == 37
    assert refused(store.base) == []


def test_a_service_that_refuses_all_is_set_up_wrongly_and_nothing_is_given_up(stub, store):
    feed = feed_of(stub, store)
    stub.poison = set(range(1, 501))
    stored(store, 1, 500)
    with pytest.raises(OSError, match="answered 4"):
        feed.step(0)
    assert stub.requests < 40
    assert refused(store.base) == []
    stub.poison = set()
    feed.step(1)
    assert stub.sequences == list(range(1, 501))


def test_a_kept_connection_that_ended_is_made_again(stub, store):
    feed = feed_of(stub, store)
    stored(store, 1, 1)
    stub.closing = True
    feed.step(0)
    stored(store, 2, 2)
    feed.step(0)
    assert (stub.sequences, stub.connections) == ([1, 2], 2)


def test_large_alerts_are_sent_in_parts(stub, store, monkeypatch):
    monkeypatch.setattr("sensor.collector.sinks.http_sink.BODY_BYTES_MAX", 10_000)
    stored(store, 1, 50)
    feed_of(stub, store).step(0)
    assert stub.sequences == list(range(1, 51))
    assert stub.requests > 3


class TestElasticsearch:
    def test_what_is_there_already_is_not_there_twice(self, elasticsearch, store):
        stored(store, 1, 5)
        feed_of(elasticsearch, store).step(0)
        Feed(store.base, "another name, which begins anew", sink(elasticsearch.settings())).step(0)
        assert elasticsearch.sequences == [1, 2, 3, 4, 5]

    def test_documents_that_a_full_queue_left_out_are_sent_again_alone(self, elasticsearch, store):
        stored(store, 1, 5)
        elasticsearch.statuses = {2: [429, 429, 429], 4: [503]}
        with pytest.raises(OSError, match="answered 429: "):
            feed_of(elasticsearch, store).step(0)  # all of 2 and 4, then all of 2
        feed_of(elasticsearch, store).step(1)
        assert sorted(elasticsearch.sequences) == [1, 2, 3, 4, 5]

    def test_a_name_and_password(self, elasticsearch, store):
        elasticsearch.header = ("Authorization", "Basic dGFwaXI6aHVzaA==")
        stored(store, 1, 1)
        feed_of(elasticsearch, store, user="tapir").step(0)
        assert elasticsearch.sequences == [1]


class TestSplunk:
    def test_waits_for_acknowledgement_where_the_token_asks_for_it(self, splunk, store):
        splunk.acknowledging = True
        stored(store, 1, 3)
        feed_of(splunk, store).step(0)
        assert (splunk.sequences, splunk.asked) == ([1, 2, 3], 2)

    def test_what_is_never_acknowledged_comes_again(self, splunk, store):
        splunk.acknowledging = True
        splunk.asked = -1000
        stored(store, 1, 3)
        with pytest.raises(OSError, match="not acknowledged in time"):
            feed_of(splunk, store, timeout_seconds=0.3).step(0)
        splunk.asked = 1
        feed_of(splunk, store).step(0)
        assert splunk.sequences == [1, 2, 3, 1, 2, 3]


def test_over_tls_with_certificates_of_both_sides(elasticsearch, store):
    with own_folder() as folder:
        make_certificates(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        elasticsearch.server.socket = context.wrap_socket(elasticsearch.server.socket, server_side=True)
        address = elasticsearch.address.replace("http://127.0.0.1", "https://localhost")
        settings = SinkSettings(name="s", elasticsearch=address, secret="hush", **certificates(folder))
        stored(store, 1, 1)
        with pytest.raises(OSError, match="no answer: SSLCertVerificationError"):
            Feed(store.base, "s", sink(msgspec.structs.replace(settings, ca_file=""))).step(0)
        Feed(store.base, "s", sink(settings)).step(0)
        assert elasticsearch.sequences == [1]
        with pytest.raises(SettingError, match="ca_file, certificate_file or key_file"):
            sink(msgspec.structs.replace(settings, ca_file=str(folder / "none.pem")))


@pytest.mark.parametrize("name", ["elasticsearch", "splunk", "datadog", "kinesis"])
@pytest.mark.parametrize("address", ["ftp://x", "https://me:hush@x", "https://x:hush", "https://"])
def test_an_address_that_is_none_is_said_without_its_password(name, address):
    with pytest.raises(SettingError, match=r"collector\.sinks: s: expected http") as raised:
        sink(SinkSettings(name="s", region="x", user="x", secret="hush", **{name: address}))
    assert "hush" not in str(raised.value)


def test_a_secret_comes_from_the_environment(elasticsearch, store, monkeypatch):
    monkeypatch.setenv("TAPIR_TEST_KEY", "hush")
    stored(store, 1, 1)
    settings = SinkSettings(name="s", elasticsearch=elasticsearch.address, secret="${TAPIR_TEST_KEY}")
    Feed(store.base, "s", sink(settings)).step(0)
    assert elasticsearch.sequences == [1]
    with pytest.raises(SettingError, match=r"\$\{NOT_THERE\} is not in the environment"):
        sink(msgspec.structs.replace(settings, secret="${NOT_THERE}"))
