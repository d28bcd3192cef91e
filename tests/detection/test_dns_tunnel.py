"""DNS tunnels: data in names is told, fast or slow, by names or, where none were seen, by bytes; ordinary questions,
however many, are not.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.api import read
from sensor.config import DnsTunnelSettings, Settings, WorkerSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.dns_tunnel import DnsTunnel
from sensor.detection.stage import DetectionStage
from sensor.schema import ConnState, Proto, Service
from tests.detection.lookups import CLIENT, CNAME, MX, NULL, PTR, TXT, A, Ask, batch_of, run_lookups
from tests.detection.tables import Pool, alone, flow, run_flows
from tests.protocols.dns.messages import query, response, udp
from tests.traffic import write_pcap

INSIDER, RESOLVER = "10.0.0.9", "10.0.1.53"
Rows = list[tuple[np.ndarray, np.ndarray]]


def questions(seconds: float, size: int, count: int = 1, proto: int = Proto.UDP, told: int = 0):
    """A flow of so many questions of `size` bytes each, and their answers."""
    row = flow(seconds, ConnState.SF, INSIDER, RESOLVER, 53, (size * count, 90 * count), proto=proto)
    row[1]["packets"] = count + (6 if proto == Proto.TCP else 0)
    row[1]["told_bytes"][0] = told
    return row


def found(rows: Rows, batch: int = 1 << 30) -> list[Detection]:
    return run_flows(DetectionStage(alone(dns_tunnel=DnsTunnelSettings()), Pool()), rows, batch)


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_data_in_many_questions(batch: int) -> None:
    rows = [questions(n, 220) for n in range(200)]
    detections = found(rows, batch)
    assert {(each.rule.id, each.entity.value) for each in detections} == {("dns-tunnel", INSIDER)}
    assert 20_000 <= detections[0].numbers.observed < 20_000 + 220
    assert detections[0].details["bytes_a_question"] == 220
    assert [(each.now, each.count) for each in detections] == [(each.now, each.count) for each in found(rows)]


def test_one_flow_with_everything() -> None:
    assert found([questions(10, 200, 5_000)])
    assert found([questions(10, 600, 60, Proto.TCP)])


def test_a_drip_adds_up_over_a_day() -> None:
    (hit, *_) = found([questions(80 * n, 240) for n in range(1_000)])
    assert hit.numbers.window_seconds == 86_400
    assert found([questions(200 * n, 240) for n in range(1_000)]) == []


@pytest.mark.parametrize("size", [33, 60, 101, 113])
def test_ordinary_questions(size: int) -> None:
    """Hosts, services, addresses of IPv6 backwards, with and without EDNS and cookies."""
    assert found([questions(0.1 * n, size) for n in range(20_000)]) == []


def test_a_few_long_questions() -> None:
    assert found([questions(20 * n, 180) for n in range(100)]) == []


def test_bytes_of_a_living_flow_count_once() -> None:
    one = DnsTunnel(DnsTunnelSettings(), Pool())
    (flows, streams), (later, later_streams) = questions(10, 200, 60), questions(20, 200, 120, told=12_000)
    nothing = flow(0)[0][:0], flow(0)[1][:0]
    assert one.process(Batch(None, *nothing, 0, None, None, told=flows, told_streams=streams)) == []  # type: ignore[arg-type]
    (hit,) = one.process(Batch(None, later, later_streams, 0, None, None))  # type: ignore[arg-type]
    assert hit.numbers.observed == 24_000


def test_a_restart_costs_nothing() -> None:
    before, after = DnsTunnel(DnsTunnelSettings(), Pool()), DnsTunnel(DnsTunnelSettings(), Pool())
    first, second = questions(1, 200, 70), questions(2, 200, 70)
    assert before.process(Batch(None, *first, 0, None, None)) == []  # type: ignore[arg-type]
    assert after.restore(before.state())
    assert [hit.numbers.observed for hit in after.process(Batch(None, *second, 0, None, None))] == [28_000]  # type: ignore[arg-type]


# --- by names -------------------------------------------------------------------------------------------------------

CHANCE = random.Random(6)


def label(size: int, letters: str = "abcdefghijklmnopqrstuvwxyz234567") -> str:
    return "".join(CHANCE.choice(letters) for _ in range(size))


def hexadecimal(size: int) -> str:
    return label(size, "0123456789abcdef")


def named(asks: list[Ask], batch: int = 1 << 30, **settings: int) -> list[Detection]:
    return run_lookups(DetectionStage(alone(dns_tunnel=DnsTunnelSettings(**settings)), Pool()), asks, batch)


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_a_file_sent_in_long_names(batch: int) -> None:
    chance = random.Random(1)
    labels = ["".join(chance.choice("abcdef234567xyz") for _ in range(55)) for _ in range(600)]
    names = [".".join(labels[n : n + 3]) for n in range(0, 600, 3)]
    detections = named([Ask(n, f"{name}.t.evil.example.com") for n, name in enumerate(names)], batch)
    assert {(each.rule.id, each.entity.value) for each in detections} == {("dns-tunnel", CLIENT)}
    assert detections[0].details["domain"] == "example.com"
    assert detections[0].details["new_names"] < 70
    assert 165 <= detections[0].details["bytes_a_name"] <= 175
    assert not any(name in str(detections) for name in names)  # what was sent is nobody's business


def test_commands_over_txt_in_short_names() -> None:
    """As dnscat2 does while nothing happens: hexadecimal, once a second."""
    (hit, *_) = named([Ask(n, f"{hexadecimal(34)}.c2.net", qtype=(TXT, CNAME, MX)[n % 3]) for n in range(600)])
    assert hit.numbers.window_seconds == 600
    assert hit.details["txt_null_cname_share"] == 1


@pytest.mark.parametrize(("answer", "told"), [(120, True), (20, False)])
def test_long_names_whose_answers_carry_much_need_less(answer: int, told: bool) -> None:
    asks = [Ask(6 * n, f"{label(50)}.{label(40)}.t.evil.example", qtype=TXT, answers=[(TXT, "a" * answer)])
            for n in range(90)]  # fmt: skip
    assert bool(named(asks)) is told


def test_an_idle_tunnel_is_found_within_a_day() -> None:
    """As iodine's pings, one in four seconds, of type NULL."""
    (hit, *_) = named([Ask(4 * n, f"p{label(15)}.t.c2.net", qtype=NULL) for n in range(21_000)])
    assert hit.numbers.window_seconds == 86_400


def test_a_tunnel_behind_a_resolver() -> None:
    noise = [Ask(n / 5, f"host{n % 900}.site{n % 40}.com", RESOLVER) for n in range(3_000)]
    tunnel = [Ask(n, f"{label(60)}.{label(60)}.evil.com", RESOLVER) for n in range(600)]
    assert {each.details["domain"] for each in named(noise + tunnel)} == {"evil.com"}


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_a_resolver_that_passes_questions_on_is_not_blamed(batch: int) -> None:
    """The mirror shows both sides of it; its own questions are asked later, and answered earlier."""
    names = [f"{label(60)}.{label(60)}.t.evil.com" for _ in range(600)]
    asked = [Ask(n, name, CLIENT, NULL, took_seconds=0.3) for n, name in enumerate(names)]
    passed = [Ask(n + 0.1, name, "10.0.1.54", NULL, took_seconds=0.1) for n, name in enumerate(names)]
    assert {each.entity.value for each in named(asked + passed, batch)} == {CLIENT}
    late = [Ask(n + 0.1, name, "10.0.1.54", NULL, took_seconds=0.5) for n, name in enumerate(names)]
    assert {each.entity.value for each in named(asked + late, batch)} == {CLIENT}
    assert {each.entity.value for each in named(passed, batch)} == {"10.0.1.54"}  # when nobody else is seen to ask


def test_bytes_that_are_not_printable_are_one_each() -> None:
    (hit, *_) = named([Ask(n, "\\xe9\\x07" * 30 + f"{label(40)}.evil.com", qtype=NULL) for n in range(200)])
    assert hit.details["bytes_a_name"] == 100


def test_a_slow_tunnel_in_a_large_network() -> None:
    """What thousands of others ask for does not push it out."""
    names = [f"edge-{n % 37}-{n % 5}.pop.cdn{n % 60}.net" for n in range(40_000)]
    others = [Ask(n / 2, name, f"10.{n % 90}.0.{n % 101}") for n, name in enumerate(names)]
    tunnel = [Ask(20 * n, f"{label(50)}.{label(50)}.evil.com") for n in range(1_500)]
    (hit, *_) = named(others + tunnel, clients_max=1_000)
    assert (hit.entity.value, hit.details["domain"]) == (CLIENT, "evil.com")


TWINS: dict[str, Callable[[int], Ask]] = {
    "hashed names of a content network": lambda n: Ask(2 * n, f"r{n % 20}---sn-{label(8)}.googlevideo.com"),
    "customers of a content network": lambda n: Ask(2 * n, f"d{label(13)}.cloudfront.net"),
    "files asked by hash, for addresses": lambda n: Ask(5 * n, f"{hexadecimal(40)}.av.vendor.com", rcode=3),
    "a registry of hashes": lambda n: Ask(n, f"{hexadecimal(32)}.malware.hash.cymru.com", qtype=TXT),
    "addresses on lists of spammers": lambda n: Ask(
        n / 9, f"{n % 250}.{n // 250 % 250}.2.192.zen.spamlist.net", qtype=(A, TXT)[n % 2], rcode=3
    ),
    "backward names": lambda n: Ask(n / 9, f"{n % 250}.{n // 250 % 250}.2.192.in-addr.arpa", qtype=PTR),
    "backward names of IPv6": lambda n: Ask(n / 9, f"{'.'.join(f'{n:032x}')}.ip6.arpa", qtype=PTR),
    "keys of mail": lambda n: Ask(n / 2, f"s{label(20)}._domainkey.sender.com", qtype=TXT),
    "one device's telemetry": lambda n: Ask(n, f"{'ab12' * 8}.{'cd34' * 8}.cloud.example.com", qtype=(A, TXT)[n % 2]),
    "services of the local network": lambda n: Ask(n, f"{label(40)}._http._tcp.local", qtype=TXT, port=5_353),
    "a thousand hosts of a company": lambda n: Ask(n / 3, f"host-{n % 1000:04}.plant-{n % 7}.corp.example.com"),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_names_that_carry_nothing(name: str) -> None:
    assert named([TWINS[name](n) for n in range(3_000)]) == []


def test_telemetry_of_many_devices_behind_a_resolver() -> None:
    devices = [f"{hexadecimal(32)}.telemetry.vendor.com" for _ in range(1_500)]
    assert named([Ask(n, devices[n % 1_500], RESOLVER) for n in range(20_000)]) == []


def test_a_service_that_many_ask_needs_more() -> None:
    def asks(clients: int) -> list[Ask]:
        who = [f"10.0.0.{n}" for n in range(clients)] * 180
        return [Ask(n, f"{label(45)}.{label(45)}.reputation.com", client) for n, client in enumerate(who)]

    assert len({each.entity for each in named(asks(1))}) == 1
    assert named(asks(8)) == []


def test_a_restart_costs_nothing_of_names() -> None:
    asks = [Ask(n, f"{label(60)}.{label(60)}.evil.com") for n in range(120)]
    whole = named(asks)
    before, after = DnsTunnel(DnsTunnelSettings(), Pool()), DnsTunnel(DnsTunnelSettings(), Pool())
    found = before.process(batch_of(asks[:60]))
    assert after.restore(before.state())
    found += after.process(batch_of(asks[60:]))
    assert whole
    assert [(each.now, each.numbers, each.run) for each in found] == [
        (each.now, each.numbers, each.run) for each in whole
    ]  # fmt: skip


def test_flows_whose_names_were_seen_are_left_to_names() -> None:
    row = questions(1, 220, 500)
    assert found([row])
    row[0]["service"] = Service.DNS
    assert found([row]) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_from_packets_to_an_alert(tmp_path: Path, workers: int) -> None:
    """A tunnel and ordinary questions as packets, in one process and in two."""
    chance, packets = random.Random(8), []
    for n in range(300):
        below = ".".join("".join(chance.choice("abcdef0123456789") for _ in range(50)) for _ in range(3))
        for trans_id, text in ((n, f"{below}.t.evil.net"), (1_000 + n, f"www{n % 5}.example.org")):
            asked, told = query(text, trans_id=trans_id), response(text, trans_id=trans_id)
            packets += [udp(asked, 500 * n), udp(told, 500 * n + 9, back=True)]
    settings = Settings(workers=WorkerSettings(count=workers))
    capture = read(write_pcap(tmp_path / "a.pcap", sorted(packets, key=lambda packet: packet.ts)), settings)
    alerts = [row for row in capture.alerts.to_dicts() if row["rule_id"] == "dns-tunnel"]
    assert [(row["entity.value"], json.loads(row["details"])["domain"]) for row in alerts] == [("10.0.0.7", "evil.net")]
    assert len(capture.dns) == 600
