"""Whatever packets come, several workers make of them what one process makes: losses, doubles, other orders, equal
times, bytes that are no HTTP, more rows than fit in one part.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

import sensor
from sensor.config import AlertingSettings, CaptureSettings, Settings, WorkerSettings
from tests.traffic import MS, START, Packet, Talk, doubled, lossy, merged, write_pcap

OF_THIS_RUN = ("epoch", "detection_ts")


def conversation(chance: random.Random, number: int) -> list[Packet]:
    """A keep-alive connection with a few requests, some pipelined, some in pieces, some of them noise."""
    talk = Talk(
        source=f"10.1.{number // 200}.{number % 200 + 1}", source_port=chance.randrange(1024, 65_536),
        start=START + chance.randrange(200) * MS, step=chance.choice((1_000, MS, 7 * MS)),
    ).open()  # fmt: skip
    for _ in range(chance.randrange(1, 8)):
        item = chance.randrange(50)
        target = f"/items/{item}?q={chance.randbytes(4).hex()}"
        request = f"GET {target} HTTP/1.1\r\nHost: shop{item % 3}.test\r\n\r\n".encode()
        body = chance.choice((b"[]", b'[{"id": 1}, {"id": 2}]', b"x" * chance.randrange(3_000)))
        answer = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (chance.choice((200, 401, 404)), len(body)) + body
        if chance.random() < 0.1:
            request, answer = chance.randbytes(90), chance.randbytes(400)
        times = chance.choice((1, 1, 1, 3))
        talk.client(request * times, sorted(chance.sample(range(1, len(request)), chance.randrange(3))))
        talk.server(answer * times)
    return (talk.close() if chance.random() < 0.7 else talk).packets


def traffic(seed: int) -> list[Packet]:
    """Many connections at once, as a bad mirror with a coarse clock shows them."""
    chance = random.Random(seed)
    packets = merged(*(conversation(chance, number) for number in range(120)))
    packets = lossy(packets, chance.choice((0, 0.02, 0.2)), chance)
    packets = doubled(packets, chance.sample(range(len(packets)), len(packets) // 5))
    grain = chance.choice((1, MS, 20 * MS))
    packets = [replace(packet, ts=packet.ts // grain * grain) for packet in packets]
    for _ in range(len(packets) // 50):
        place = chance.randrange(len(packets) - 1)
        packets[place : place + 2] = reversed(packets[place : place + 2])
    return packets


@pytest.mark.parametrize("seed", range(6))
def test_random_traffic(seed: int, tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "random.pcap", traffic(seed))
    found = []
    for workers, batch_frames in ((1, 8192), (3, 8192), (2, 64)):
        settings = Settings(
            workers=WorkerSettings(count=workers), capture=CaptureSettings(batch_frames=batch_frames),
            alerting=AlertingSettings(sensor="lab"),
        )  # fmt: skip
        read = sensor.read(capture, settings)
        alerts = read.alerts.drop(OF_THIS_RUN, strict=False)
        found.append((read.transactions.drop("user", "account"), read.flows, alerts))
    assert len(found[0][0]) > 100
    for other in found[1:]:
        for table, alone in zip(other, found[0], strict=True):
            assert table.equals(alone)


def test_more_transactions_in_one_batch_than_are_judged_at_a_time(tmp_path: Path) -> None:
    """Short pipelined requests: some twenty thousand rows from two hundred packets."""
    talks = []
    for number in range(4):
        talk = Talk(source=f"10.2.0.{number + 1}", mss=60_000, step=MS).open()
        for part in range(25):
            talk.client(b"GET /%d HTTP/1.1\r\nHost:a\r\n\r\n" % part * 200)
            talk.server(b"HTTP/1.1 204 No\r\n\r\n" * 200)
        talks.append(talk.close().packets)
    capture = write_pcap(tmp_path / "pipelined.pcap", merged(*talks))
    rows = [
        sensor.read(capture, Settings(workers=WorkerSettings(count=workers))).transactions.drop("user", "account")
        for workers in (1, 2)
    ]
    assert len(rows[0]) == 20_000
    assert rows[1].equals(rows[0])
