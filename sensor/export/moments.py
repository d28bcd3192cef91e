"""Times of alerts as text: seconds since 1970 in, ISO 8601 out. Law: to the microsecond, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def iso(seconds: float) -> str:
    """2026-11-21T10:22:30.500000Z"""
    return f"{_BEGIN + timedelta(microseconds=round(seconds * 1e6)):%Y-%m-%dT%H:%M:%S.%fZ}"


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
