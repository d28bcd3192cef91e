"""Notifications against a real HTTP server: who is told, when, with what body, and what happens when it fails."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sensor.collector import incidents
from sensor.collector.channels import channel
from sensor.collector.delivery import Dispatcher, retry, undelivered
from sensor.collector.escalation import Escalation
from sensor.collector.hours import Hours
from sensor.collector.notice import notice_of
from sensor.collector.routing import Router, matches
from sensor.collector.store import Store
from sensor.collector.wiring import kept
from sensor.config import ChannelSettings, CollectorSettings, RouteSettings
from sensor.errors import SettingError
from tests.bus.alerts import an_alert
from tests.collector.test_store import ID, a_message, rows

NOON = 1_763_726_400.0  # a Friday, 12:00 UTC


class Receiver:
    """An HTTP server that keeps what it gets; `status` is what it answers."""

    def __init__(self) -> None:
        self.status, self.got = 200, []
        self.arrived = threading.Semaphore(0)
        outer = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.arrived.release()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook?token=hush"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def bodies(self) -> list[dict]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def settings_for(receiver: Receiver, *routes: RouteSettings, **changes) -> CollectorSettings:
    channels = (ChannelSettings(name="hook", webhook=receiver.address), ChannelSettings(name="boss", webhook="http://x"))
    return CollectorSettings(channels=channels, routes=routes or (RouteSettings(channels=("hook",)),), **changes)


class Bench:
    """A store with a router, and one channel whose clock the test turns."""

    def __init__(self, place: str, settings: CollectorSettings) -> None:
        self.store = Store(place)
        self.store.consequences.append(Router(self.store.base, settings))
        send = channel(settings.channels[0], 5.0)
        self.dispatcher = Dispatcher(self.store.base, "hook", send, settings)
        self.number = 0

    def alert(self, now: float, **changes) -> None:
        self.number += 1
        made = {"alert_id": ID(self.number), "client_ip": f"192.0.2.{self.number}"} | changes
        self.store.commit([a_message(an_alert(self.number, **made))], now=now)


def test_an_incident_is_told_once_when_it_opens_and_again_when_it_gets_worse(place, receiver):
    bench = Bench(place, settings_for(receiver))
    for severity in ("high", "high", "critical", "critical"):
        bench.alert(NOON, client_ip="192.0.2.7", severity=severity)
        bench.dispatcher.step(NOON)
    bench.dispatcher.step(NOON + 9)
    told = [(body["kind"], body["severity"]) for body in receiver.bodies]
    assert told == [("opened", "high"), ("raised", "critical")]


def test_medium_and_low_are_told_together(place, receiver):
    bench = Bench(place, settings_for(receiver, digest_medium_seconds=600))
    bench.alert(NOON, severity="medium")
    bench.alert(NOON + 300, severity="medium")
    bench.dispatcher.step(NOON + 599)
    assert receiver.got == []
    bench.dispatcher.step(NOON + 600)
    (body,) = receiver.bodies
    assert (body["kind"], body["title"]) == ("digest", "2 incidents")
    assert "192.0.2.1" in body["message"]
    assert "192.0.2.2" in body["message"]


def test_a_flood_is_told_together_and_nobody_is_left_out(place, receiver):
    bench = Bench(place, settings_for(receiver))
    for _ in range(250):
        bench.alert(NOON, severity="critical")
    bench.dispatcher.step(NOON)
    bench.dispatcher.step(NOON)
    assert [body["title"] for body in receiver.bodies] == ["200 incidents", "50 incidents"]
    assert rows(bench.store, "SELECT DISTINCT state FROM deliveries") == [("done",)]


def test_low_waits_for_the_end_of_quiet_hours_and_high_does_not(place, receiver):
    bench = Bench(place, settings_for(receiver, digest_low_seconds=0, quiet_hours="11:00-13:00"))
    bench.alert(NOON, severity="low")
    bench.alert(NOON, severity="high")
    bench.dispatcher.step(NOON + 3599)
    bench.dispatcher.step(NOON + 3600)
    assert [body["severity"] for body in receiver.bodies] == ["high", "low"]


def test_failures_are_tried_again_ever_later_and_then_given_up_until_asked_for(place, receiver):
    bench = Bench(place, settings_for(receiver, retry_seconds=10, tries_max=3))
    receiver.status = 503
    bench.alert(NOON)
    for at in (0, 9, 10, 29, 30, 1000):
        bench.dispatcher.step(NOON + at)
    assert len(receiver.got) == 3
    (dead,) = undelivered(bench.store.base)
    assert (dead["problem"], dead["tries"]) == ("answered 503", 3)
    assert len({headers["X-Tapir-Delivery"] for headers, _ in receiver.got}) == 1
    receiver.status = 204
    retry(bench.store.base)
    bench.dispatcher.step(NOON + 2000)
    assert undelivered(bench.store.base) == []
    assert rows(bench.store, "SELECT state FROM deliveries") == [("done",)]


def test_a_redirect_is_not_followed_and_nothing_stored_holds_the_address(place, receiver):
    bench = Bench(place, settings_for(receiver, tries_max=1))
    receiver.status = 302
    bench.alert(NOON)
    bench.dispatcher.step(NOON)
    receiver.server.server_close()
    bench.alert(NOON)
    receiver.server.shutdown()
    bench.dispatcher.step(NOON)
    assert len(receiver.got) == 1
    assert undelivered(bench.store.base)[0]["problem"] == "answered 302"
    assert "hush" not in str(rows(bench.store, "SELECT * FROM deliveries") + rows(bench.store, "SELECT * FROM audit"))


class TestWebhook:
    def send(self, receiver: Receiver, alert=None, **changes) -> tuple[dict, bytes]:
        made = ChannelSettings(name="hook", **({"webhook": receiver.address} | changes))
        channel(made, 5.0)(notice_of(alert or an_alert(), 17, "opened"), 3)
        return receiver.got[-1]

    def test_the_body_is_the_template_with_its_places_filled_as_json(self, receiver):
        template = '{"text": "{{severity}} at {{ timestamp }}: {{title}} ({{endpoint}})"}'
        _, body = self.send(receiver, an_alert(title='a "quoted"\nline'), body=template)
        assert json.loads(body)["text"] == 'high at 2025-11-21T11:02:30.500000Z: a "quoted"\nline (POST /login)'

    def test_headers_and_signature(self, receiver, monkeypatch):
        monkeypatch.setenv("HOOK_SECRET", "s3cret")
        monkeypatch.setenv("HOOK_TOKEN", "abc")
        headers, body = self.send(
            receiver, secret="${HOOK_SECRET}", headers={"Authorization": "Bearer ${HOOK_TOKEN}"}
        )
        signed = headers["X-Tapir-Timestamp"].encode() + b"." + body
        assert headers["X-Tapir-Signature"] == "sha256=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert headers["Authorization"] == "Bearer abc"

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"webhook": "ftp://x"}, "expected http://HOST"),
            ({"webhook": "http://user:hush@x/"}, "expected http://HOST"),
            ({"body": "{{password}}"}, "no such place: {{password}}"),
            ({"secret": "${NOT_SET_ANYWHERE}"}, "is not in the environment"),
            ({"webhook": ""}, "expected one of apprise and webhook"),
            ({"webhook": "", "apprise": "nosuch://hush"}, "not an address that apprise knows"),
            ({"webhook": "", "apprise": "json://hush", "body": "{{who}}"}, "body: no such place: {{who}}"),
            ({"webhook": "", "apprise": "json://hush", "title": "{{who}}"}, "title: no such place: {{who}}"),
            ({"title": "{{severity}}"}, "title: a webhook has none"),
        ],
    )
    def test_settings_that_cannot_work_are_said_without_secrets(self, receiver, changes, problem):
        with pytest.raises(SettingError) as raised:
            self.send(receiver, **changes)
        assert problem in str(raised.value)
        assert "hush" not in str(raised.value)

    def test_apprise_delivers_to_a_real_server(self, receiver):
        pytest.importorskip("apprise")
        _, body = self.send(receiver, webhook="", apprise=receiver.address.replace("http:", "json:"))
        assert "[high] Failed logins: 192.0.2.7" in body.decode()

    def test_apprise_sends_ones_own_title_and_body(self, receiver):
        pytest.importorskip("apprise")
        templates = {"title": "{{severity}}: {{ rule }}", "body": "{{endpoint}} {{timestamp}} {{severity}}"}
        _, body = self.send(receiver, webhook="", apprise=receiver.address.replace("http:", "json:"), **templates)
        sent = json.loads(body)
        assert sent["title"] == "high: brute-force-login"
        assert sent["message"] == "POST /login 2025-11-21T11:02:30.500000Z high"

    def test_a_template_of_an_uptime_monitor_works_as_it_is(self, receiver):
        _, body = self.send(receiver, body="{{endpoint}} {{timestamp}} {{severity}}")
        assert body == b"POST /login 2025-11-21T11:02:30.500000Z high"


class TestEscalation:
    def called(self, store: Store) -> list[str]:
        return [channel for (channel,) in rows(store, "SELECT channel FROM deliveries ORDER BY id")]

    def test_the_chain_is_called_one_after_the_other_until_somebody_acknowledges(self, place):
        settings = CollectorSettings(on_call=("first", "second", "third"), escalate_seconds=60)
        with Store(place) as store:
            store.commit([a_message(an_alert(1))], now=NOON)
            escalation = Escalation(store.base, settings)
            for at, calls in ((899, 0), (900, 1), (959, 1), (960, 2), (961, 2)):
                escalation.step(NOON + at)
                assert len(self.called(store)) == calls
            incidents.acknowledge(store.base, 1, "ann", "", NOON + 1000)
            escalation.step(NOON + 9000)
            assert self.called(store) == ["first", "second"]

    @pytest.mark.parametrize(
        ("severity", "seconds"), [("critical", 0), ("high", 900), ("medium", 3600), ("low", 86400)]
    )
    def test_deadlines_by_severity(self, place, severity, seconds):
        with Store(place) as store:
            within = {"severity": severity, "respond_within_seconds": seconds}
            store.commit([a_message(an_alert(1, **within))], now=NOON)
            escalation = Escalation(store.base, CollectorSettings(on_call=("first",)))
            escalation.step(NOON + seconds - 1)
            assert self.called(store) == []
            escalation.step(NOON + seconds)
            assert self.called(store) == ["first"]


class TestRoutes:
    @pytest.mark.parametrize(
        ("route", "told"),
        [
            ({}, True),
            ({"severities": ("high", "critical")}, True),
            ({"severities": ("low",)}, False),
            ({"categories": ("exfiltration",)}, False),
            ({"entities": ("192.0.2.*",)}, True),
            ({"entities": ("client:192.0.2.7",)}, True),
            ({"entities": ("192.0.2.0/29",)}, True),
            ({"entities": ("10.0.0.0/8",)}, False),
        ],
    )
    def test_all_that_is_given_must_hold(self, route, told):
        assert matches(RouteSettings(channels=("hook",), **route), an_alert()) is told

    def test_hours(self, place, receiver):
        routes = (RouteSettings(channels=("hook",), hours="Mon-Fri 08:00-18:00"),)
        bench = Bench(place, settings_for(receiver, *routes))
        bench.alert(NOON)
        bench.alert(NOON + 86_400)
        assert rows(bench.store, "SELECT incident FROM deliveries") == [(1,)]

    def test_hours_over_midnight_belong_to_the_day_before(self):
        hours = Hours("Fri 22:00-07:00", "UTC", "x")
        assert [hours.holds(NOON + hour * 3600) for hour in (0, 10, 18, 19, 34)] == [False, True, True, False, False]
        assert hours.end_after(NOON + 10 * 3600) == NOON + 19 * 3600

    @pytest.mark.parametrize("text", ["always", "25:00-26:00", "08:00-09:77", "Mon-Xyz"])
    def test_hours_that_are_none(self, text):
        with pytest.raises(SettingError, match="x: "):
            Hours(text, "UTC", "x")

    def test_a_channel_that_is_not_there_is_said(self, receiver, place):
        with Store(place) as store, pytest.raises(SettingError, match="'pager' is named and not there"):
            Router(store.base, settings_for(receiver, on_call=("pager",)))


def test_a_stuck_channel_delays_neither_storing_nor_another_channel(place, receiver):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        stuck = ChannelSettings(name="stuck", webhook=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        hook = ChannelSettings(name="hook", webhook=receiver.address)
        route = RouteSettings(channels=("stuck", "hook"))
        settings = CollectorSettings(channels=(stuck, hook), routes=(route,), timeout_seconds=2)
        said: list[str] = []
        with kept(place, settings, said.append) as store:
            store.commit([a_message(an_alert(1))])
            assert receiver.arrived.acquire(timeout=120)
            store.commit([a_message(an_alert(2, alert_id=ID(2), client_ip="192.0.2.8"))])
            assert receiver.arrived.acquire(timeout=120)
            assert store.stored == 2
        assert said == []
