"""The rules that ship: each finds what it says and leaves its twin alone, and their page is as they are."""

from __future__ import annotations

import pytest

from sensor.config import SignatureSettings
from sensor.detection.detectors.signatures import Signatures
from sensor.detection.signatures.page import page
from sensor.detection.signatures.ruleset import SHIPPED, RuleSet, shipped_folder
from sensor.detection.stage import DetectionStage
from tests.detection.messages import Talk
from tests.detection.signatures.shipped_cases import CASES
from tests.detection.tables import alone

RULES = RuleSet([SHIPPED])
COUNTED = {9100704: 60}


def sids(case: tuple[str | bytes, ...], times: int = 1) -> set[int]:
    target, header, body = (*case, "", b"")[:3]
    talk = Talk()
    for i in range(times):
        talk.say(i / 10, str(target), bytes(body or b""), headers=f"{header}\r\n".encode() if header else b"")
    found = talk.detections(DetectionStage(alone(signatures=SignatureSettings()), talk.pool))
    return {detection.details["sid"] for detection in found if "sid" in detection.details}


@pytest.mark.parametrize(("sid", "positive", "negative"), CASES, ids=[str(case[0]) for case in CASES])
def test_each_rule_finds_its_case_and_not_its_twin(sid: int, positive: tuple, negative: tuple) -> None:
    times = COUNTED.get(sid, 0) + 1
    assert sid in sids(positive, times)
    assert sid not in sids(negative, times)


def test_every_rule_loads_has_its_cases_and_says_what_it_covers() -> None:
    assert RULES.faults == []
    assert sorted(signature.sid for signature in RULES.signatures) == sorted(case[0] for case in CASES)
    for signature in RULES.signatures:
        assert signature.rule.owasp, signature.sid
        assert signature.rule.attack, signature.sid
        assert {"signature_severity", "category"} <= set(signature.metadata), signature.sid


def test_the_page_of_the_rules_is_as_they_are() -> None:
    text = (shipped_folder() / "README.md").read_text(encoding="utf-8")
    assert text == page(RULES), "run: python -m sensor.detection.signatures.page > signatures/README.md"


def test_the_rules_cover_the_owasp_top_ten() -> None:
    covered = {name for signature in RULES.signatures for name in signature.rule.owasp}
    assert {f"API{i}:2023" for i in range(1, 11)} <= covered


def test_nothing_of_them_is_tested_on_every_transaction() -> None:
    talk = Talk()
    detector = DetectionStage(alone(signatures=SignatureSettings()), talk.pool).detectors["signatures"]
    assert isinstance(detector, Signatures)
    assert detector.candidates.unconditional == []
