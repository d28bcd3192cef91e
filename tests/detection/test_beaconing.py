"""Beacons: found by their beat, over HTTP and without, however rows are cut; visitors and old pollers are none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from sensor.alert import Alert, Detection
from sensor.config import BeaconingSettings, CaptureSettings, DetectionSettings, Settings, StateSettings
from sensor.detection.detectors.beaconing import beat_of
from sensor.detection.stage import DetectionStage
from sensor.pipeline import Pipeline
from sensor.schema import ConnState
from tests.detection.tables import REAL, Pool, alone, flow, join, real_alerts, run_flows, run_transactions, transaction
from tests.traffic import SECOND as TICK
from tests.traffic import START, Packet, Talk, exchange, merged, write_pcap

FAR, INSIDER = "203.0.113.7", "10.0.0.9"


def stage_of(pool: Pool) -> DetectionStage:
    others = {name: {"enabled": name == "beaconing"} for name in DetectionSettings.__struct_fields__}
    return DetectionStage(msgspec.convert(others, DetectionSettings), pool)


def over_http(starts: np.ndarray, pool: Pool, batch: int = 1 << 30, sizes: list[int] | None = None) -> list[Detection]:
    """Requests of INSIDER to FAR beside ordinary traffic from 0 on."""
    rows = [transaction(pool, n, f"10.0.0.{n % 8}") for n in range(int(max(starts)) + 40)]
    for n, start in enumerate(starts):
        rows.append(transaction(pool, start, INSIDER, server=FAR, request_body_len=sizes[n] if sizes else 120))
    rows.sort(key=lambda row: row["now"][0])
    return run_transactions(stage_of(pool), join(rows), batch)


def beats(period: float, count: int, jitter: float, first: float = 40.0) -> np.ndarray:
    rng = np.random.default_rng(7)
    return first + np.cumsum(period * (1 + rng.uniform(-jitter, jitter, count)))


@pytest.mark.parametrize(("period", "jitter"), [(5, 0.1), (5, 0.3), (60, 0.3), (300, 0.05)])
def test_a_beat_with_jitter(period: float, jitter: float) -> None:
    hits = over_http(beats(period, 30, jitter), Pool())
    assert {hit.entity.value for hit in hits} == {INSIDER}
    assert hits[0].details["period_seconds"] == pytest.approx(period, rel=0.2)


def test_batches_do_not_matter() -> None:
    whole, cut = (over_http(beats(5, 30, 0.3), Pool(), batch) for batch in (1 << 30, 3))
    assert [(hit.now, hit.numbers) for hit in whole] == [(hit.now, hit.numbers) for hit in cut] != []


def test_missed_beats_and_another_sleep() -> None:
    assert over_http(np.delete(beats(10, 40, 0.1), [4, 9, 10, 17, 25]), Pool())
    assert over_http(np.concatenate([beats(5, 6, 0.1), beats(20, 20, 0.1, 90.0)]), Pool())


@pytest.mark.parametrize("seed", range(6))
def test_a_visitor_has_no_beat(seed: int) -> None:
    gaps = np.random.default_rng(seed).exponential(10, 60)
    assert over_http(40 + np.cumsum(gaps), Pool()) == []


def test_a_visitor_of_many_hours_has_none_for_a_while() -> None:
    """Among so many intervals some dozen in a row are steady by chance."""
    gaps = 2 + np.random.default_rng(13).exponential(35, 900)
    starts = (np.cumsum(gaps) * 1e9).astype(np.int64)
    by_chance = [n for n in range(32, 900) if beat_of(starts[n - 12 : n], np.zeros(12, np.int64))]
    assert by_chance
    assert over_http(40 + np.cumsum(gaps), Pool(), 4_096) == []


def test_destinations_that_many_have_do_not_make_all_others_popular() -> None:
    stage = stage_of(Pool())
    detector = stage.detectors["beaconing"]
    for destination in range(1, 300_000):
        detector.clients[destination] = set()
        detector._forget(destination)
    pool = stage.strings
    starts = beats(5, 30, 0.1)
    rows = [transaction(pool, n, f"10.0.0.{n % 8}") for n in range(int(max(starts)) + 40)]
    rows += [transaction(pool, start, INSIDER, server=FAR, request_body_len=120) for start in starts]
    rows.sort(key=lambda row: row["now"][0])
    assert {hit.entity.value for hit in run_transactions(stage, join(rows))} == {INSIDER}


def test_a_poller_whose_connections_all_end_with_the_capture() -> None:
    """Of which the mirror shows one side: the latest may come first."""
    rows = [transaction(Pool(), n, f"10.0.0.{n % 8}") for n in range(200)]
    polls = [transaction(Pool(), 200, INSIDER, server=FAR, ts=START + 5 * n * TICK) for n in range(1, 39)]
    assert run_transactions(stage_of(Pool()), join(rows + polls[::-1]), 10) == []


def test_sizes_that_vary_are_no_beacon() -> None:
    assert over_http(beats(5, 30, 0.1), Pool(), sizes=[100 * 3 ** (n % 5) for n in range(30)]) == []


def test_a_poller_that_was_there_from_the_start() -> None:
    assert over_http(beats(5, 60, 0.05, first=0.0), Pool()) == []


def connections(host: str, client: str, first: float, sent: int = 700) -> list:
    return [flow(at, ConnState.SF, client, host, 443, (sent, 3_000)) for at in beats(5, 30, 0.1, first)]


def found_of_flows(*each: list) -> set[str]:
    rows = sorted((row for rows in each for row in rows), key=lambda row: row[0]["end_now"][0])
    return {hit.entity.value for hit in run_flows(stage_of(Pool()), rows, 5)}


def test_without_http() -> None:
    early = connections("10.0.1.1", "10.0.0.2", 0.0)
    assert found_of_flows(early, connections(FAR, INSIDER, 40.0)) == {INSIDER}
    assert found_of_flows(early, connections(FAR, INSIDER, 40.0, sent=0)) == set()


def test_a_destination_that_many_have() -> None:
    assert found_of_flows(*[connections(FAR, f"10.0.0.{n}", 40.0 + n) for n in range(8)]) == set()


def test_small_calls_of_any_size() -> None:
    chance = np.random.default_rng(3)
    assert over_http(beats(5, 30, 0.1), Pool(), sizes=chance.integers(20, 900, 30).tolist())
    assert over_http(beats(5, 14, 0.1), Pool(), sizes=chance.integers(20, 900, 14).tolist()) == []


def held_open(gaps: np.ndarray, size: int = 48, port: int = 4_444, first: float = 30.0) -> list[Packet]:
    """One connection of INSIDER on which a message goes out behind each gap (s), and is answered."""
    talk = Talk(INSIDER, 40_000, FAR, port, START + round(first * TICK)).open()
    for gap in gaps:
        if size:
            talk.client(b"x" * size).server(b"y" * 64)
        else:
            talk.acknowledge(0).acknowledge(1)  # a keep-alive probe
        talk.pause(round(gap * TICK))
    return talk.packets


def alerts_of(folder: Path, packets: list[Packet]) -> list[Alert]:
    """Of these and of what was there from the beginning."""
    early = exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", source="10.0.0.3").packets
    capture = write_pcap(folder / "held.pcap", merged(early, packets))
    settings = Settings(detection=alone(beaconing=BeaconingSettings()))
    return [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]


def blamed(folder: Path, packets: list[Packet]) -> set[str]:
    return {alert.entity.value for alert in alerts_of(folder, packets)}


RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(("period", "jitter", "port"), [(6, 0.1, 4_444), (30, 0.3, 443), (2, 0.0, 8_443)])
def test_a_beat_inside_one_connection(tmp_path: Path, period: float, jitter: float, port: int) -> None:
    gaps = period * (1 + RANDOM.uniform(-jitter, jitter, 90))
    assert blamed(tmp_path, held_open(gaps, port=port)) == {INSIDER}


def test_a_beat_inside_one_connection_is_told_of_while_that_lives(tmp_path: Path) -> None:
    alerts = alerts_of(tmp_path, held_open(np.full(60, 5.0)))
    assert alerts[0].ts < (START + 200 * TICK) / 1e9


def test_a_beat_behind_a_long_greeting(tmp_path: Path) -> None:
    talk = Talk(INSIDER, 40_000, FAR, 4_444, START + 30 * TICK).open().client(b"h" * 1_400).server(b"y")
    for _ in range(60):
        talk.pause(5 * TICK).client(b"x" * 20).server(b"y" * 20)
    assert blamed(tmp_path, talk.packets) == {INSIDER}


@pytest.mark.parametrize(
    "given",
    [
        {"gaps": RANDOM.exponential(6, 40)},             # a person
        {"gaps": np.full(40, 6.0), "size": 0},           # TCP keeps the connection alive
        {"gaps": np.full(40, 15.0), "port": 22},         # so does SSH
        {"gaps": np.full(15, 6.0)},                      # not for long
        {"gaps": np.full(40, 6.0), "first": 1.0},        # from the beginning
        {"gaps": np.tile([0.5] * 10 + [60.0], 4)},       # bursts
    ],
)  # fmt: skip
def test_connections_without_a_beat_of_their_own(tmp_path: Path, given: dict) -> None:
    assert blamed(tmp_path, held_open(**given)) == set()


def test_what_is_known_outlives_a_restart() -> None:
    first, second = stage_of(Pool()), stage_of(Pool())
    early = connections(FAR, INSIDER, 0.0)
    run_flows(first, early)
    memory = first.detectors["beaconing"].state()
    assert second.detectors["beaconing"].restore({name: each.copy() for name, each in memory.items()})
    assert run_flows(second, connections(FAR, INSIDER, 400.0), 5) == []
    hits = run_flows(second, connections("203.0.113.8", "10.0.0.3", 700.0))
    assert {hit.entity.value for hit in hits} == {"10.0.0.3"}


def test_real_beacons() -> None:
    hits = [alert for alert in real_alerts("12-beacon") if alert["rule_id"] == "beaconing"]
    assert {alert["entity.value"] for alert in hits} == {"10.60.1.35", "10.60.1.36"}


@pytest.mark.parametrize("kept", [False, True])
def test_the_last_call_of_a_capture_counts_unless_another_run_goes_on(tmp_path: Path, kept: bool) -> None:
    early = exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", source="10.0.0.3").packets
    late = 10 - START / 1e9 % 10  # behind a step of ten seconds
    calls = [
        exchange(
            b"GET /c HTTP/1.1\r\nHost: b\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", source=INSIDER, target=FAR,
            source_port=4_000 + turn, start=START + round((40 + late + 10 * turn + 0.5) * TICK),
        ).packets for turn in range(12)
    ]  # fmt: skip
    capture = write_pcap(tmp_path / "cut.pcap", merged(early, *calls))
    settings = Settings(
        detection=alone(beaconing=BeaconingSettings()),
        state=StateSettings(folder=str(tmp_path / "state")) if kept else StateSettings(),
    )
    alerts = [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]
    assert bool(alerts) is not kept


def test_real_beacons_are_found_as_soon_in_large_batches_as_in_small_ones() -> None:
    capture = REAL / "12-beacon.pcap.xz"
    if not capture.exists():
        pytest.skip(f"{capture} is not there: the captures that the project does not own lie beside its checkout")
    found = []
    for frames in (8_192, 512):
        beacons, capturing = alone(beaconing=BeaconingSettings()), CaptureSettings(batch_frames=frames)
        settings = Settings(detection=beacons, capture=capturing)
        alerts = [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]
        found.append([(alert.entity.value, alert.ts) for alert in alerts if alert.state == "raised"])
    assert found[0] == found[1]
