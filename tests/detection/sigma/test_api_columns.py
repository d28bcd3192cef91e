"""Fields of the category `api` that are made of bodies and of tables: personal data, secrets, countries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sensor.config import SigmaSettings
from sensor.detection.stage import DetectionStage
from tests.detection import mmdb
from tests.detection.messages import Talk
from tests.detection.tables import Pool, alone, join, run_transactions, transaction

PEOPLE = b"""[{"email":"a@example.org","card":"4111111111111111"},
{"email":"b@example.org","iban":"DE89370400440532013000"}]"""
LEAK = """
title: Many addresses
name: many
logsource: {category: api}
detection:
  one: {response_email|gte: 2}
  condition: one
---
title: Addresses in five minutes
correlation:
  type: value_sum
  rules: [many]
  group-by: [client_ip]
  timespan: 5m
  condition: {field: response_email, gt: 5}
"""


def stage_of(tmp_path: Path, text: str, pool: object, **settings: Any) -> DetectionStage:
    path = tmp_path / "rule.yml"
    path.write_text(text)
    return DetectionStage(alone(sigma=SigmaSettings(rules=(str(path),), **settings)), pool)


def rule(test: str) -> str:
    return f"title: One\nlogsource: {{category: api}}\ndetection:\n  one:\n    {test}\n  condition: one\n"


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ("response_email: 2", True), ("response_email|gt: 2", False), ("response_card: 1", True),
        ("response_iban|gte: 1", True), ("response_sensitive: 4", True), ("response_sensitive|gt: 4", False),
        ("request_sensitive: 0", True), ("request_email|gt: 0", False), ("response_national_id: 0", True),
    ],
)  # fmt: skip
def test_personal_data_is_counted(tmp_path: Path, test: str, holds: bool) -> None:
    made = Talk()
    made.say(1, "/people", b"{}", PEOPLE)
    stage = stage_of(tmp_path, rule(test), made.pool)
    assert stage.notes == []
    assert bool(made.detections(stage)) == holds


def test_sums_over_time(tmp_path: Path) -> None:
    made = Talk()
    for second in range(4):
        made.say(second, "/people", b"{}", PEOPLE)
    (hit,) = made.detections(stage_of(tmp_path, LEAK, made.pool))
    assert hit.numbers.observed == 6


def test_countries(tmp_path: Path) -> None:
    path = tmp_path / "countries.mmdb"
    path.write_bytes(mmdb.table({"203.0.113.0/24": {"country": {"iso_code": "DE"}}}))
    pool = Pool()
    stage = stage_of(tmp_path, rule("country: de"), pool, location_table=str(path))
    rows = join([transaction(pool, n, client=client) for n, client in enumerate(("203.0.113.5", "198.51.100.1"))])
    assert [hit.client_ip for hit in run_transactions(stage, rows)] == ["203.0.113.5"]


def test_without_a_table_a_rule_for_countries_says_what_it_needs(tmp_path: Path) -> None:
    (note,) = stage_of(tmp_path, rule("country: DE"), Pool()).notes
    assert "detection.sigma.location_table" in note
