"""Credentials in clear: who sends Basic or secrets in targets, which servers take tokens, who comes from outside."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sensor.config import CleartextSettings, DetectionSettings
from tests.detection.exchanges import raised, rules
from tests.detection.tables import real_alerts
from tests.protocols.http1.messages import OK, request, response

BASIC = "Authorization: Basic " + base64.b64encode(b"reporter:secret-word").decode()
BEARER = "Authorization: Bearer abcdef0123456789"
RULES = ("cleartext-basic-auth", "credentials-in-url", "cleartext-credentials", "cleartext-api")


def test_basic_is_told_of_the_client_and_without_the_password(tmp_path: Path) -> None:
    exchanges = [("10.0.0.7", request("/reports", BASIC), OK)] * 5 + [("10.0.0.8", request("/reports", BEARER), OK)] * 5
    alerts = raised(tmp_path, exchanges)
    assert rules(alerts, "cleartext-basic-auth") == [("cleartext-basic-auth", "10.0.0.7")]
    assert "secret-word" not in str(alerts)
    assert rules(alerts, "cleartext-credentials") == [("cleartext-credentials", "10.0.1.1:80")]


@pytest.mark.parametrize(
    "target", ["/a?api_key=0123456789abcdef", "/login?username=a&password=hunter22", "/a?access_token=abcdefgh12345678"]
)
def test_credentials_in_the_target(tmp_path: Path, target: str) -> None:
    exchanges = [("10.0.0.7", request(target), OK), ("10.0.0.8", request("/a?page=2&sort=key"), OK)]
    alerts = raised(tmp_path, exchanges)
    assert rules(alerts, *RULES[:2]) == [("credentials-in-url", "10.0.0.7")]
    assert "hunter22" not in str(alerts)


def test_nothing_without_credentials_inside(tmp_path: Path) -> None:
    assert rules(raised(tmp_path, [("10.0.0.7", request("/a"), OK)] * 20), *RULES) == []


def test_clients_from_outside(tmp_path: Path) -> None:
    exchanges = [
        ("10.0.0.7", request("/a"), OK),
        ("198.51.100.4", request("/a"), OK),
        ("198.51.100.5", request("/a"), OK),
    ]
    assert rules(raised(tmp_path, exchanges), *RULES) == [("cleartext-api", "10.0.1.1:80")]


def test_servers_behind_a_proxy_that_ends_tls_are_left_alone(tmp_path: Path) -> None:
    exchanges = [("198.51.100.4", request("/a", BASIC), OK), ("198.51.100.4", request("/a?token=abcdefgh12345678"), OK)]
    settings = DetectionSettings(cleartext=CleartextSettings(trusted_servers=("10.0.1.0/24",)))
    assert rules(raised(tmp_path, exchanges, settings), *RULES) == [("credentials-in-url", "198.51.100.4")]


def test_it_is_said_again_when_it_has_doubled(tmp_path: Path) -> None:
    alerts = raised(tmp_path, [("10.0.0.7", request("/a", BASIC), response(b""))] * 10, seconds=400.0)
    assert len(rules(alerts, "cleartext-basic-auth")) == 4


def test_the_careless_clients_of_a_real_capture_and_nobody_else() -> None:
    clients = {
        (alert["rule_id"], alert["entity.value"])
        for alert in real_alerts("17-cleartext-creds")
        if alert["rule_id"] in RULES[:2]
    }
    assert clients == {("cleartext-basic-auth", "10.60.1.44"), ("credentials-in-url", "10.60.1.45")}
