"""Honeytokens: whoever uses one, or is given one, is told; whatever else passes is not."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sensor.config import DetectionSettings, HoneytokensSettings
from sensor.errors import SettingError
from tests.detection.exchanges import raised, rules
from tests.protocols.http1.messages import OK, request, response

VALUES = ("bait key=AKIA-NOT-A-KEY-77", "eve=eve.o'bait@shop.example", "plain-bait-value")


def told(folder: Path, parts: list[tuple[bytes, bytes]], values: tuple[str, ...] = VALUES) -> list[str]:
    """The clients that are told of, each of which makes one exchange: 10.0.0.1 the first."""
    settings = DetectionSettings(honeytokens=HoneytokensSettings(values=values))
    exchanges = [(f"10.0.0.{number}", *part) for number, part in enumerate(parts, 1)]
    alerts = raised(folder, [*exchanges, ("10.0.0.200", request("/quiet"), OK)], settings)
    assert not any("NOT-A-KEY" in str(alert) for alert in alerts if alert.rule_id == "honeytoken")
    return [client for _, client in rules(alerts, "honeytoken")]


def test_in_every_part_at_every_place(tmp_path: Path) -> None:
    parts = []
    for text in ("AKIA-NOT-A-KEY-77", "plain-bait-value"):
        for before in ("", "x", "xx", "xyz"):
            value = before + text
            parts += [
                (request(f"/{value}"), OK),
                (request("/a", f"X-Key: {value}"), OK),
                (request("/a", method="POST", body=value.encode()), OK),
                (request("/a"), response(b"", f"X-Key: {value}")),
                (request("/a"), response(json.dumps({"k": value}).encode())),
                (request("/a"), response(b"." * 30_000 + value.encode())),
            ]
    assert len(told(tmp_path, parts)) == len(parts)


def test_as_urls_and_forms_write_it(tmp_path: Path) -> None:
    assert told(tmp_path, [(request("/a?mail=eve.o%27bait%40shop.example"), OK)]) == ["10.0.0.1"]


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_within_base64_as_credentials_are_sent(tmp_path: Path, before: str) -> None:
    coded = base64.b64encode(f"{before}plain-bait-value".encode()).decode()
    assert told(tmp_path, [(request("/a", f"Authorization: Basic {coded}"), OK)]) == ["10.0.0.1"]


def test_what_is_not_one(tmp_path: Path) -> None:
    texts = ("plain-bait-valu", "PLAIN-BAIT-VALUE", "plain-bait_value", "bait key", "eve")
    assert told(tmp_path, [(request("/a", method="POST", body=text.encode()), OK) for text in texts]) == []


def test_a_file_of_them(tmp_path: Path) -> None:
    listed = tmp_path / "tokens"
    listed.write_text("# planted in March\n\nledger=ledger-account-0017\nanother-bait\n")
    settings = DetectionSettings(honeytokens=HoneytokensSettings(file=str(listed)))
    (alert,) = [
        alert for alert in raised(tmp_path, [("10.0.0.7", request("/another-bait"), OK)], settings)
        if alert.rule_id == "honeytoken"
    ]  # fmt: skip
    assert (alert.severity, alert.details) == ("critical", {"honeytoken": "line 4", "where": "request head"})


@pytest.mark.parametrize("values", [("short",), ("name=abc",)])
def test_values_that_are_too_short(tmp_path: Path, values: tuple[str, ...]) -> None:
    with pytest.raises(SettingError, match="at least 6 bytes"):
        told(tmp_path, [(request("/a"), OK)], values)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    settings = DetectionSettings(honeytokens=HoneytokensSettings(file=str(tmp_path / "none")))
    with pytest.raises(SettingError, match=r"honeytokens\.file"):
        raised(tmp_path, [("10.0.0.7", request("/a"), OK)], settings)
