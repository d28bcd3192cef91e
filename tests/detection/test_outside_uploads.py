"""Uploads to outside: much sent to one server, in one connection or in many; calls and backups are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor.config import AlertingSettings, CaptureSettings, OutsideUploadsSettings, Settings
from sensor.detection.detector import Batch
from sensor.detection.detectors.outside_uploads import OutsideUploads, ranges_of
from sensor.errors import SettingError
from sensor.pipeline import Pipeline
from sensor.schema import ConnState
from tests.detection.tables import SECOND, START, Pool, flow
from tests.traffic import ACK, MS, PSH, Talk, write_pcap

OUTSIDE = "203.0.113.7"
DAY = 86_400


def detector(**settings: object) -> OutsideUploads:
    return OutsideUploads(OutsideUploadsSettings(**settings), Pool())  # type: ignore[arg-type]


def upload(at: float, sent: int, got: int = 2_000, client: str = "10.0.0.1", host: str = OUTSIDE, told: tuple = (0, 0)):
    """A flow that ended, or was told of, at `at` seconds."""
    flows, streams = flow(at, ConnState.SF, client=client, host=host, port=443, payload=(sent, got))
    streams["told_bytes"] = told
    return flows, streams


def found(one: OutsideUploads, rows: list, told: list = ()) -> list:  # type: ignore[assignment]
    """Detections, batch by batch of one row."""
    detections = []
    no_flows, no_streams = (array[:0] for array in flow(0))
    for kind in (rows, told):
        for flows, streams in kind:
            live = kind is told
            parts = (no_flows, no_streams, flows, streams) if live else (flows, streams, no_flows, no_streams)
            now = int(flows["end_now"][0])
            batch = Batch(None, parts[0], parts[1], now, None, None, told=parts[2], told_streams=parts[3])  # type: ignore[arg-type]
            detections += one.process(batch)
    return detections


def calls(clients: int = 20) -> list:
    """What others send outside: small calls, and one who gets much."""
    ordinary = [upload(i, 3_000, 20_000, client=f"10.0.1.{i}", host=f"198.51.100.{i % 5}") for i in range(clients)]
    return [*ordinary, upload(clients, 90_000, 50_000_000, client="10.0.2.1")]


def test_much_more_than_others_send_is_found() -> None:
    one = detector()
    assert found(one, calls()) == []
    (hit,) = found(one, [upload(100, 1_500_000)])
    assert (hit.entity.value, hit.server_ip, hit.rule.id) == ("10.0.0.1", OUTSIDE, "outside-upload")
    assert hit.numbers.observed == 1_500_000 >= hit.numbers.threshold
    assert hit.details["destination"] == OUTSIDE


def test_many_connections_add_up_within_the_window() -> None:
    one = detector()
    found(one, calls())
    assert found(one, [upload(100 + 30 * i, 100_000) for i in range(12)])
    assert not found(detector(), [*calls(), *[upload(100 + 400 * i, 100_000) for i in range(30)]])


def test_a_connection_is_noticed_while_it_lives_and_counted_once() -> None:
    one = detector()
    found(one, calls())
    told = [upload(100 + 20 * i, 400_000 * (i + 1), told=(400_000 * i, 2_000)) for i in range(6)]
    hits = found(one, [], told)
    assert hits[0].now == START + 140 * SECOND
    assert hits[-1].numbers.observed == 2_400_000


@pytest.mark.parametrize(
    "row",
    [
        upload(100, 5_000_000, host="10.9.9.9"),
        upload(100, 5_000_000, client="203.0.113.99"),
        upload(100, 5_000_000, got=4_000_000),
        upload(100, 900_000),
    ],
    ids=["to inside", "from outside", "as much came back", "little"],
)
def test_what_is_no_upload(row: tuple) -> None:
    assert found(detector(), [*calls(), row]) == []


def test_alone_only_much_is_found() -> None:
    assert found(detector(), [upload(100, 5_000_000)]) == []
    assert found(detector(), [upload(100, 9_000_000)])


def test_a_backup_is_a_habit_after_three_nights() -> None:
    one = detector()
    nights = [bool(found(one, [*calls(), upload(night * DAY + 100, 3_000_000)])) for night in range(7)]
    assert nights == [True, True, True, False, False, False, False]
    assert found(one, [upload(7 * DAY + 100, 30_000_000)])


def test_what_many_send_is_a_role() -> None:
    one = detector()
    hits = found(one, [*calls(), *[upload(100 + i, 3_000_000, client=f"10.0.3.{i}") for i in range(9)]])
    assert {hit.entity.value for hit in hits} == {"10.0.3.0", "10.0.3.1", "10.0.3.2"}


def test_memory_outlives_a_restart() -> None:
    one, other = detector(), detector()
    for night in range(3):
        found(one, [*calls(), upload(night * DAY + 100, 3_000_000)])
    assert other.restore({name: array.copy() for name, array in one.state().items()})
    assert found(other, [upload(3 * DAY + 100, 3_000_000)]) == []


def test_networks_are_told_apart() -> None:
    assert len(ranges_of(("10.0.0.0/8", "fd00::/8"), "networks")) == 8
    with pytest.raises(SettingError, match=r'networks: "10.0.0.1/8": .* expected networks like'):
        ranges_of(("10.0.0.1/8",), "networks")
    assert found(detector(inside_networks=("203.0.113.0/24", "10.0.0.0/8")), [*calls(), upload(99, 9_000_000)]) == []
    assert np.array_equal(ranges_of(("::/0",), "networks"), np.array([0, 0, 2**64 - 1, 2**64 - 1], np.uint64))


@pytest.fixture(scope="module")
def one_long_upload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of one connection over 100 seconds that sends 12 MB of what looks like TLS, and is open at its end."""
    talk = Talk(target=OUTSIDE, target_port=443, step=5 * MS).open()
    record = b"\x17\x03\x03\x3f\xff" + bytes(range(256)) * 5
    for _ in range(9_000):
        talk.send(0, PSH | ACK, record)
        talk.send(1, ACK)
    return write_pcap(tmp_path_factory.mktemp("upload") / "long.pcap", talk.packets)


def alerts_of(path: Path, batch_frames: int) -> list[tuple]:
    settings = Settings(capture=CaptureSettings(batch_frames=batch_frames), alerting=AlertingSettings(sensor="lab"))
    batches = [batch.alerts for batch in Pipeline(settings, [str(path)])]
    return [(alert.rule_id, alert.state, alert.ts, alert.numbers) for alerts in batches for alert in alerts]


def test_a_long_connection_is_alerted_while_it_still_runs_whatever_the_batches(one_long_upload: Path) -> None:
    alerts = alerts_of(one_long_upload, 8_192)
    raised = alerts[0]
    assert raised[:2] == ("outside-upload", "raised")
    assert raised[2] < alerts[-1][2] - 5
    assert alerts_of(one_long_upload, 777) == alerts
