"""Whole exchanges through the whole pipeline: in: requests and responses by client; out: the alerts they raise.

The one law: what a test sees is what a user would.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sensor.alert import Alert, State
from sensor.config import AlertingSettings, DetectionSettings, Settings
from sensor.pipeline import Pipeline
from tests.detection.tables import alone
from tests.traffic import SECOND, START, Packet, Talk, merged, write_pcap

TOGETHER = ("cleartext", "exposed", "sensitive_data", "honeytokens")
Exchange = tuple[str, bytes, bytes]
"""Client address, request, response."""


def packets(exchanges: Sequence[Exchange], seconds: float = 1.0, server: str = "10.0.1.1") -> list[Packet]:
    """Each exchange on a connection of its own, `seconds` apart."""
    talks = []
    for number, (client, asked, answered) in enumerate(exchanges):
        start = START + round(number * seconds * SECOND)
        talk = Talk(source=client, source_port=20_000 + number, target=server, start=start).open()
        talks.append(talk.client(asked).server(answered).close())
    return merged(*(talk.packets for talk in talks))


def _alone(detection: DetectionSettings) -> DetectionSettings:
    """The detectors of bodies and postures without the others, some of which take long to make ready."""
    return alone(**{name: getattr(detection, name) for name in TOGETHER})


def raised(
    folder: Path, exchanges: Sequence[Exchange], detection: DetectionSettings | None = None, **given: object
) -> list[Alert]:
    """The first revision of every alert."""
    capture = write_pcap(folder / "exchanges.pcap", packets(exchanges, **given))  # type: ignore[arg-type]
    settings = Settings(detection=_alone(detection or DetectionSettings()), alerting=AlertingSettings(sensor="lab"))
    batches = list(Pipeline(settings, [str(capture)]))
    return [alert for batch in batches for alert in batch.alerts if alert.state == State.RAISED]


def rules(alerts: list[Alert], *of_interest: str) -> list[tuple[str, str]]:
    """(rule, entity) of the alerts, of these rules."""
    return sorted((alert.rule_id, alert.entity.value) for alert in alerts if alert.rule_id in of_interest)
