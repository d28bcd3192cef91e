"""Which packets an alert's evidence holds: those of the flow that decided first, then the rest, within the budget."""

from __future__ import annotations

import io
from pathlib import Path

import dpkt
import numpy as np
from msgspec.structs import replace

from sensor.alert import Alert, Entity
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings, DecodeSettings
from sensor.evidence.packets import Packets, pcap_file
from sensor.evidence.stage import decoder
from sensor.pipeline import Pipeline
from tests.replay.captures import PCAPS
from tests.test_reload import settings


def alert_of(name: str, rule: str) -> Alert:
    """The last revision of the first alert of this rule."""
    pipeline = Pipeline(settings(judged_frames=5000), [str(PCAPS / f"{name}.pcap")])
    return [alert for batch in pipeline for alert in batch.alerts if alert.rule_id == rule][-1]


def cut(name: str, alert: Alert, bytes_max: int = 1 << 30) -> Packets:
    packets = Packets(alert, bytes_max)
    decode = decoder(DecodeSettings())
    for block in CaptureStage(CaptureSettings(), [str(PCAPS / f"{name}.pcap")]).blocks():
        packets.take(block.data, block.frames, decode(block.data, block.frames))
    return packets


def flows_of(data: bytes) -> set[tuple[str, int, str, int]]:
    """Both directions of each flow are one."""
    found = set()
    for _, content in dpkt.pcap.Reader(io.BytesIO(data)):
        ip = dpkt.ethernet.Ethernet(content).data
        ends = sorted([(".".join(map(str, ip.src)), ip.data.sport), (".".join(map(str, ip.dst)), ip.data.dport)])
        found.add((*ends[0], *ends[1]))
    return found


def test_the_flow_that_decided_and_what_else_passed_between_the_two() -> None:
    alert = alert_of("hydra-basic", "brute-force-login")
    packets = cut("hydra-basic", alert)
    client = alert.client_ip, alert.client_port
    (deciding,) = flows_of(pcap_file(packets.of_the_flow))
    assert client in (deciding[:2], deciding[2:])
    every = flows_of(pcap_file(packets.packets))
    assert deciding in every
    assert len(every) > 10
    assert all(alert.client_ip in flow and alert.server_ip in flow for flow in every)


def test_the_file_is_what_was_captured() -> None:
    """Order, times to the nanosecond, lengths: those of the capture itself."""
    alert = alert_of("hydra-form", "brute-force-login")
    whole = list(dpkt.pcap.Reader((PCAPS / "hydra-form.pcap").open("rb")))
    contents = [content for _, content in whole]
    found = list(dpkt.pcap.Reader(io.BytesIO(pcap_file(cut("hydra-form", alert).packets))))
    places = [contents.index(content) for _, content in found]
    assert len(found) > 100
    assert [round(float(ts), 6) for ts, _ in found] == [round(float(whole[place][0]), 6) for place in places]


def test_a_budget_keeps_the_flow_that_decided() -> None:
    alert = alert_of("hydra-basic", "brute-force-login")
    whole = cut("hydra-basic", alert)
    least = sum(len(packet.data) + 16 for packet in whole.of_the_flow)
    packets = cut("hydra-basic", alert, least + 1_000)
    assert packets.of_the_flow == whole.of_the_flow
    assert len(pcap_file(packets.packets)) <= 24 + least + 1_000
    assert packets.left_out == len(whole.packets) - len(packets.packets) > 0
    others = [packet for packet in packets.packets if packet not in packets.of_the_flow]
    assert others == [packet for packet in whole.packets if packet not in whole.of_the_flow][-len(others) :]


def test_a_scan_is_all_that_its_client_sent_and_got() -> None:
    alert = alert_of("nmap-connect", "port-scan-horizontal")
    flows = flows_of(pcap_file(cut("nmap-connect", alert).packets))
    assert len({address for flow in flows for address in (flow[0], flow[2])}) > 10
    assert all(alert.client_ip in flow for flow in flows)


def test_a_client_behind_a_proxy_is_found_by_its_flow() -> None:
    alert = replace(alert_of("hydra-basic", "brute-force-login"), client_ip="198.51.100.7")
    packets = cut("hydra-basic", alert)
    assert packets.deciding == len(packets.packets) > 5


def test_who_names_nobody_wants_nothing() -> None:
    alert = replace(
        alert_of("hydra-basic", "brute-force-login"), client_ip=None, server_ip=None, entity=Entity("sensor", "journal")
    )
    assert not Packets(alert, 1 << 20).wanted.names_somebody
    assert cut("hydra-basic", alert).packets == []


def test_a_tag_that_the_card_took_out_is_put_back(tmp_path: Path) -> None:
    alert = alert_of("hydra-basic", "brute-force-login")
    plain = cut("hydra-basic", alert).packets[0]
    packets = Packets(alert, 1 << 20)
    decode = decoder(DecodeSettings())
    for block in CaptureStage(CaptureSettings(), [str(PCAPS / "hydra-basic.pcap")]).blocks():
        frames = block.frames.copy()
        frames["vlan"] = 42
        packets.take(block.data, frames, decode(block.data, np.ascontiguousarray(frames)))
    tagged = packets.packets[0]
    assert tagged.wirelen == plain.wirelen + 4
    assert dpkt.ethernet.Ethernet(tagged.data).vlanid == 42
