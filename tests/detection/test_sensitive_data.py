"""Endpoints that give out personal data or secrets: first seen, growth, and what stays quiet."""

from __future__ import annotations

import json
from pathlib import Path

from tests.detection.exchanges import raised, rules
from tests.protocols.http1.messages import request, response

JSON = "Content-Type: application/json"
RULES = ("sensitive-data", "secrets-in-answers")
USER = {"id": 7, "email": "ann@shop.example", "card": "4111 1111 1111 1111"}


def answer(*records: object) -> bytes:
    return response(json.dumps(list(records)).encode(), JSON)


def test_an_endpoint_is_told_once_with_its_kinds_and_not_their_values(tmp_path: Path) -> None:
    alerts = raised(tmp_path, [("10.0.0.7", request(f"/users/{number}"), answer(USER)) for number in range(100, 120)])
    (alert,) = [alert for alert in alerts if alert.rule_id in RULES]
    assert (alert.entity.kind, alert.entity.value, alert.severity) == ("endpoint", "GET api.test/users/{id}", "medium")
    assert alert.details["kinds"] == {"card": 1, "email": 1}
    assert "4111" not in str(alert)
    assert "ann@" not in str(alert)


def test_growth_is_told_again(tmp_path: Path) -> None:
    exchanges = [("10.0.0.7", request("/users"), answer(*([USER] * records))) for records in (1, 12)]
    assert len(rules(raised(tmp_path, exchanges, seconds=400.0), *RULES)) == 2
    exchanges[1] = ("10.0.0.7", request("/users"), answer(*[USER] * 9))
    assert len(rules(raised(tmp_path, exchanges, seconds=400.0), *RULES)) == 1


def test_secrets_in_answers(tmp_path: Path) -> None:
    exchanges = [("10.0.0.7", request("/config"), answer({"aws": "AKIAIOSFODNN7EXAMPLE"}))]
    assert rules(raised(tmp_path, exchanges), *RULES) == [("secrets-in-answers", "GET api.test/config")]


def test_what_is_ordinary(tmp_path: Path) -> None:
    login = request("/login", JSON, method="POST", body=b'{"username": "ann", "password": "hunter22"}')
    token = response(b'{"token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0LWFsbA"}', JSON)
    numbers = answer(*({"id": 4_000_000_000_000_000 + 97 * number} for number in range(50)))
    refused = response(json.dumps(USER).encode(), JSON, status="403 Forbidden")
    exchanges = [
        ("10.0.0.7", login, token), ("10.0.0.7", request("/things"), numbers),
        ("10.0.0.7", request("/users"), refused), ("10.0.0.7", request("/prices"), answer({"price": 12.5})),
    ]  # fmt: skip
    assert rules(raised(tmp_path, exchanges), *RULES) == []


def test_an_answer_whose_request_was_lost_does_not_say_who_asked(tmp_path: Path) -> None:
    exchanges = [("10.0.0.7", b"", answer(USER))]
    (alert,) = [alert for alert in raised(tmp_path, exchanges) if alert.rule_id in RULES]
    assert (alert.severity, alert.details["authenticated"]) == ("low", None)
