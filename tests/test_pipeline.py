"""The stages together: results do not depend on batches, no bytes make one raise, a fault costs the row it was on."""

from __future__ import annotations

import lzma
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import event

import sensor
from sensor._jit import KERNELS
from sensor.capture.sources.source import InputError
from sensor.config import CaptureSettings, ReassemblySettings, Settings
from sensor.reassembly.stage import ReassemblyStage
from sensor.schema import FlowFlag
from tests.fuzz import dissect
from tests.protocols.http1.exchanges import keep_alive, pipelined
from tests.traffic import (
    SECOND,
    START,
    SYN,
    Observer,
    Packet,
    Talk,
    address,
    doubled,
    ethernet,
    exchange,
    in_new_order,
    lossy,
    merged,
    observe,
    segments,
    snapped,
    write_pcap,
)

SHARED = Path(__file__).resolve().parents[2] / "shared"
OF_THIS_RUN = ("epoch", "detection_ts")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def tables(capture: Path, batch_frames: int) -> tuple[pl.DataFrame, ...]:
    """Transactions, flows and alerts of a capture, without what tells one run from another."""
    found = sensor.read(capture, Settings(capture=CaptureSettings(batch_frames=batch_frames)))
    return found.transactions, found.flows, found.alerts.drop(OF_THIS_RUN, strict=False)


def same_in_all_batches(capture: Path, *batches: int) -> tuple[pl.DataFrame, ...]:
    whole = tables(capture, 10_000_000)
    for batch in batches:
        for one, other in zip(whole, tables(capture, batch), strict=True):
            assert one.equals(other), (capture.name, batch)
    return whole


# --- determinism ----------------------------------------------------------------------------------------------------


def rough_traffic() -> list[Packet]:
    """Loss, doubles, reordering, time-outs, ports used again, a scan: all a few times over."""
    chance = random.Random(7)
    talks = []
    for i in range(30):
        start = START + i * 20 * SECOND
        make = keep_alive if i % 2 else pipelined
        packets = lossy(make(8, source_port=20_000 + i % 5, start=start, isn=(i * 99_991, i)).packets, 0.03, chance)
        packets = doubled(packets, [n for n in range(len(packets)) if chance.random() < 0.1])
        order = list(range(len(packets)))
        for place in range(3, len(order) - 1, 9):
            order[place], order[place + 1] = order[place + 1], order[place]
        talks.append(in_new_order(packets, order))
    talks.append([
        Packet(START + i * 1_000_000, "10.0.0.66", 40_000, "10.0.0.2", 1 + i, SYN) for i in range(300)
    ])  # fmt: skip
    talks.append(snapped(keep_alive(10, source_port=30_000, start=START + 800 * SECOND).packets, 96))
    return merged(*talks)


def test_batches_do_not_matter_however_rough_the_traffic(tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "rough.pcap", rough_traffic())
    transactions, flows, alerts = same_in_all_batches(capture, 1, 7, 1_000)
    assert len(transactions) > 200
    assert set(flows["end_reason"]) >= {"fin", "idle", "capture_end"}
    assert alerts["rule_id"].str.contains("scan").any()


@pytest.mark.parametrize("name", ["01a-benign", "18f-09-bulk-exfil-drop2"])
def test_batches_do_not_matter_on_real_captures(name: str, tmp_path: Path) -> None:
    packed = SHARED / "real" / f"{name}.pcap.xz"
    if not packed.exists():
        pytest.skip("../shared/real is not there")
    capture = tmp_path / f"{name}.pcap"
    capture.write_bytes(lzma.decompress(packed.read_bytes()))
    assert len(same_in_all_batches(capture, 1_000)[0]) > 1_000


def test_batches_do_not_matter_on_public_captures() -> None:
    captures = [path for path in sorted((SHARED / "oracle" / "dev").glob("*.pcap*")) if path.stat().st_size < 60_000]
    if not captures:
        pytest.skip("../shared/oracle is not there")
    compared = 0
    for capture in captures[::12]:
        try:
            same_in_all_batches(capture, 1, 100)
        except InputError:
            continue
        compared += 1
    assert compared > 20


def test_the_capture_file_gives_what_the_segments_give(tmp_path: Path) -> None:
    packets = keep_alive(6).packets
    direct = observe(packets)
    found = sensor.read(write_pcap(tmp_path / "a.pcap", packets))
    assert found.transactions["uri"].to_list() == [row["uri"] for row in direct.transactions]
    assert found.flows["orig_pkts"].to_list() == [flow["orig"]["packets"] for flow in direct.flows]
    assert found.flows["resp_ip_bytes"].to_list() == [flow["resp"]["ip_bytes"] for flow in direct.flows]


# --- hostile bytes --------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**48))
@settings(max_examples=50, deadline=None)
def test_mutated_conversations_break_nothing(seed: int) -> None:
    chance = random.Random(seed)
    packets = dissect.conversation(chance)
    whole = dissect.check(packets)
    assert dissect.check(packets, chance.choice([1, 7])).transactions == whole.transactions


@given(st.lists(st.tuples(st.binary(max_size=80), st.booleans(), st.integers(0, 255)), max_size=12))
@settings(max_examples=100, deadline=None)
def test_random_bytes_in_streams_break_nothing(pieces: list[tuple[bytes, bool, int]]) -> None:
    talk = Talk()
    for content, side, flags in pieces:
        talk.send(int(side), flags, content)
    dissect.check(talk.packets)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=20), st.sampled_from([0, 14, 34, 54]))
@settings(max_examples=60, deadline=None)
def test_random_bytes_behind_good_headers_break_nothing(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], kept: int
) -> None:
    good = ethernet(Talk().open().client(GET).packets[3])
    path = tmp_path_factory.mktemp("random") / "a.pcap"
    with path.open("wb") as file:
        file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        for i, content in enumerate(contents):
            frame = good[:kept] + content
            file.write(np.array([1_700_000_000 + i, 0, len(frame), len(frame)], "<u4").tobytes() + frame)
    found = sensor.read(path)
    assert not any(counts.get("kernel_fault") for counts in found.counters.values())


# --- faults ---------------------------------------------------------------------------------------------------------


def two_connections() -> tuple[Observer, list[Packet], list[Packet]]:
    """An observer that has seen both connections begin, and what is to come of each."""
    first = exchange(GET, OK, source_port=40_000).packets
    second = exchange(GET, OK, source_port=40_001).packets
    observer = Observer()
    observer.feed(merged(first[:4], second[:4]))
    return observer, first[4:], second[4:]


def row_of(observer: Observer, port: int) -> int:
    return int(np.flatnonzero(observer.reassembly.flows["orig_port"] == port)[0])


@pytest.mark.parametrize("field", ["hold_head", "hold_tail"])
def test_a_fault_in_reassembly_costs_the_row_it_was_on(field: str) -> None:
    observer, first, second = two_connections()
    row = row_of(observer, 40_000)
    observer.reassembly.streams[field][2 * row + 1] = 1 << 30
    if field == "hold_tail":
        observer.reassembly.streams["next"][2 * row + 1] -= 7  # the next segment has to wait
    observer.feed(merged(first, second))
    outcome = observer.finish()
    assert outcome.reassembly["kernel_fault"] == 1
    flows = {flow["orig_port"]: flow for flow in outcome.flows}
    assert flows[40_000]["flags"] & FlowFlag.FAULT
    assert not flows[40_001]["flags"] & FlowFlag.FAULT
    whole = next(row for row in outcome.transactions if row["client_port"] == 40_001)
    assert whole["complete"]
    assert not whole["touched"]


def test_a_fault_when_a_flow_ends_costs_what_it_held() -> None:
    observer, _, second = two_connections()
    observer.reassembly.streams["hold_head"][2 * row_of(observer, 40_000)] = 1 << 30
    later = Talk(start=START + 1_000 * SECOND, source_port=40_002).open().client(GET).server(OK).close()
    observer.feed(merged(second, later.packets))
    outcome = observer.finish()
    assert outcome.reassembly["kernel_fault"] == 1
    assert sorted(flow["orig_port"] for flow in outcome.flows) == [40_000, 40_001, 40_002]
    assert [row["client_port"] for row in outcome.transactions if row["complete"]] == [40_001, 40_002]


def test_a_fault_at_the_end_of_a_capture_costs_what_the_flow_held() -> None:
    observer, _, second = two_connections()
    observer.reassembly.streams["hold_head"][2 * row_of(observer, 40_000)] = 1 << 30
    observer.feed(second)
    outcome = observer.finish()
    assert outcome.reassembly["kernel_fault"] == 1
    assert len(outcome.flows) == 2


def test_a_fault_in_a_parser_costs_the_row_it_was_on() -> None:
    observer, first, second = two_connections()
    state = observer.protocols._tables.http_streams
    state["message"][2 * row_of(observer, 40_000)] = 1 << 30
    state["message"][2 * row_of(observer, 40_000) + 1] = 1 << 30
    observer.feed(merged(first, second))
    outcome = observer.finish()
    assert outcome.protocols["kernel_fault"] >= 1
    assert next(flow for flow in outcome.flows if flow["orig_port"] == 40_000)["flags"] & FlowFlag.FAULT
    assert [row["complete"] for row in outcome.transactions if row["client_port"] == 40_001] == [True]


# --- compiled once, keyed at random ---------------------------------------------------------------------------------


def test_no_kernel_compiles_again_on_any_input(tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "rough.pcap", rough_traffic())
    sensor.read(capture)  # also what is not a kernel is loaded by now
    signatures = [len(kernel.signatures) for kernel in KERNELS]
    with event.install_recorder("numba:compile") as compiled:
        sensor.read(capture)
        for seed in range(40):
            dissect.check(dissect.conversation(random.Random(seed)))
        observe([Packet(START, "2001:db8::1", 1, "2001:db8::2", 2, SYN)])
        observe([])
    assert compiled.buffer == []
    assert [len(kernel.signatures) for kernel in KERNELS] == signatures
    assert set(signatures) == {1}


def hash_of_a_flow(**given: Any) -> int:
    stage = ReassemblyStage(ReassemblySettings(flows_max=8, **given))
    rows, data = segments([Packet(START, "10.0.0.1", 1, "10.0.0.2", 2, SYN)])
    for _ in stage.process(data, np.zeros(0, np.uint8), rows):
        pass
    row = np.flatnonzero(stage.flows["orig_lo"] == address("10.0.0.1")[1])[0]
    return int(stage.flows["hash"][row])


def test_hashes_of_what_traffic_chooses_are_keyed_at_random() -> None:
    assert len({hash_of_a_flow() for _ in range(8)}) == 8
