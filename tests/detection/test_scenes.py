"""Attacks in made-up traffic, as mirrors show it: whole, doubled, with losses, slower; nobody else is blamed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sensor.alert import Alert, Kind, Severity
from sensor.config import Settings
from sensor.pipeline import Pipeline
from tests.detection.scenes import (
    ATTACKER,
    SCENES,
    Scene,
    Site,
    guessed_ids,
    random_ids,
    replayed_token,
    spraying,
    stuffing,
)
from tests.traffic import Packet, doubled, lossy, write_pcap

BAD = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM)
MIRRORS: dict[str, Callable[[list[Packet]], list[Packet]]] = {
    "whole": lambda packets: packets,
    "doubled": lambda packets: doubled(packets, after=5_000),
    "lossy": lambda packets: lossy(packets, 0.02, random.Random(1)),
}


def alerts(folder: Path, packets: list[Packet]) -> list[Alert]:
    """Of medium and above, the last revision of each; how servers are set up is nobody's attack."""
    capture = write_pcap(folder / "scene.pcap", packets)
    told = {alert.alert_id: alert for batch in Pipeline(Settings(), [str(capture)]) for alert in batch.alerts}
    return [alert for alert in told.values() if alert.severity in BAD and alert.kind != Kind.POSTURE]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("mirror", MIRRORS)
def test_the_attacker_is_found_and_nobody_else(tmp_path: Path, scene: Scene, mirror: str) -> None:
    site = Site(seed=5 + list(MIRRORS).index(mirror))
    scene(site)
    found = alerts(tmp_path, MIRRORS[mirror](sorted(site.packets, key=lambda packet: packet.ts)))
    assert {alert.rule_id for alert in found} >= SCENES[scene]
    blamed = {alert.client_ip for alert in found if alert.entity.kind not in ("endpoint", "server")}
    assert blamed <= ({ATTACKER} if SCENES[scene] else set())


QUICK = (spraying, stuffing, random_ids, guessed_ids, replayed_token)


@pytest.mark.parametrize("scene", QUICK, ids=lambda scene: scene.__name__)
def test_a_third_of_the_pace_makes_no_difference(tmp_path: Path, scene: Scene) -> None:
    site = Site(seed=3, pace=3.0)
    scene(site)
    found = alerts(tmp_path, sorted(site.packets, key=lambda packet: packet.ts))
    assert {alert.rule_id for alert in found} >= SCENES[scene]
