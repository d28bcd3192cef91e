"""The values of a request: what a client chose, and what is a piece of a file."""

from __future__ import annotations

from sensor.detection.injection.values import request_values

HEAD = b"POST /upload HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n"


def form(body: bytes) -> dict[str, str]:
    return {value.name: value.text for value in request_values(HEAD, body) if value.place == "form" and value.name}


def test_a_file_that_is_sent_as_a_form_has_no_values() -> None:
    assert form(bytes(range(256)) * 80) == {}


def test_octets_of_a_file_hide_no_field_beside_them() -> None:
    assert form(b"file=" + bytes(range(32)) * 8 + b"&q=' or 1=1--&n[0]=7") == {"q": "' or 1=1--", "n[0]": "7"}


def test_text_of_any_language_is_a_value() -> None:
    assert form("name=Zoë&note=検索 と 分析\r\n\t2".encode()) == {"name": "Zoë", "note": "検索 と 分析\r\n\t2"}
