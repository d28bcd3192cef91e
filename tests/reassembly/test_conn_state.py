"""Zeek's conn_state and history of a connection, beside what Zeek's documentation says of its endpoints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sensor.reassembly.turning import turned
from sensor.schema import FLOW, HISTORY_LETTERS, STREAM, ConnState, FlowFlag, Proto
from tests.oracles.zeek_states import Seen, zeek
from tests.reassembly.test_flows import GET, OK, only
from tests.traffic import (
    ACK,
    FIN,
    MS,
    RST,
    START,
    SYN,
    Packet,
    Talk,
    exchange,
    observe,
)

NO_CONTENT = str.maketrans("", "", "^gGtT")

# name -> (packets, conn_state, history)
STATES = {
    "no answer": (Talk().send(0, SYN), "S0", "S"),
    "tried three times": (Talk().send(0, SYN).send(0, SYN, seq=1_000).send(0, SYN, seq=1_000), "S0", "S"),
    "answered and left": (Talk().open(), "S1", "ShA"),
    "half open": (Talk().send(0, SYN).send(1, SYN | ACK), "S1", "Sh"),
    "open with data": (Talk().open().client(GET).server(OK), "S1", "ShADd"),
    "closed": (exchange(GET, OK), "SF", "ShADdFf"),
    "closed by the responder": (Talk().open().client(GET).server(OK).close(1), "SF", "ShADdfFa"),
    "refused": (Talk().send(0, SYN).send(1, RST | ACK), "REJ", "Sr"),
    "half closed by the originator": (Talk().open().send(0, FIN | ACK).acknowledge(1), "S2", "ShAFa"),
    "half closed by the responder": (Talk().open().send(1, FIN | ACK).acknowledge(0), "S3", "ShAf"),
    "reset by the originator": (Talk().open().client(GET).send(0, RST | ACK), "RSTO", "ShADR"),
    "reset by the responder": (Talk().open().client(GET).send(1, RST | ACK), "RSTR", "ShADr"),
    "scanned: SYN, answer, RST": (Talk().send(0, SYN).send(1, SYN | ACK).send(0, RST), "RSTO", "ShR"),
    "SYN and RST without an answer": (Talk().send(0, SYN).send(0, RST), "RSTOS0", "SR"),
    "only the answer and its reset": (Talk().send(1, SYN | ACK).send(1, RST | ACK), "RSTRH", "^hr"),
    "SYN and FIN without an answer": (Talk().send(0, SYN).send(0, FIN), "SH", "SF"),
    "only the answer and its FIN": (Talk().send(1, SYN | ACK).send(1, FIN | ACK), "SHR", "^hf"),
    "joined midway": (Talk().client(GET).server(OK), "OTH", "Dd"),
    "joined midway and closed": (Talk().client(GET).server(OK).close(), "SF", "DdFfA"),
    "joined midway and reset by the responder": (Talk().client(GET).send(1, RST), "RSTRH", "Dr"),
    "joined midway and reset by the originator": (Talk().client(GET).server(OK).send(0, RST), "OTH", "DdR"),
    "joined midway and half closed": (Talk().client(GET).send(0, FIN | ACK).acknowledge(1), "SH", "DFa"),
    "its SYN was lost": (Talk().send(1, SYN | ACK).send(0, ACK).client(GET).server(OK).close(), "SF", "^hADdFf"),
    "a reset behind both ends": (exchange(GET, OK).send(1, RST | ACK), "SF", "ShADdFfr"),
    "a reset between the ends": (Talk().open().send(0, FIN | ACK).send(0, RST).send(1, FIN | ACK), "SF", "ShAFRf"),
    "its last data with the FIN": (Talk().open().client(GET).send(1, FIN | ACK, OK).send(0, FIN | ACK), "SF", "ShADfF"),
    "an inconsistent packet": (Talk().open().send(0, FIN | RST | ACK), "RSTO", "ShAI"),
    "a packet with several flags": (Talk().send(0, SYN | FIN), "SH", "Q"),
    "no room": (Talk().open().client(GET).send(1, ACK, window=0).send(1, ACK, OK, window=0), "S1", "ShADawd"),
}


@pytest.mark.parametrize("name", STATES)
def test_conn_state_and_history_are_zeeks(name: str) -> None:
    talk, state, history = STATES[name]
    flow = only(talk)
    assert (flow["conn_state"], flow["history"]) == (state, history)


@given(
    st.sampled_from(([], [(0, SYN)], [(0, SYN), (1, SYN | ACK)], [(1, SYN | ACK), (0, ACK)])),
    st.lists(st.builds(
        Seen, st.integers(0, 1), st.sampled_from((ACK, FIN | ACK, RST | ACK)),
        st.sampled_from((0, 100)), st.sampled_from((0, 65_535)),
    ), max_size=8),
)  # fmt: skip
def test_any_packets_are_named_as_zeek_names_them(begun: list[tuple[int, int]], rest: list[Seen]) -> None:
    """But for those that are another connection; and who has reset it sends nothing but more resets."""
    packets = [Seen(*packet) for packet in begun]
    for packet in rest:
        if packet.flags & RST or not any(one.flags & RST and one.side == packet.side for one in packets):
            packets.append(packet)
    assume(packets)
    talk = Talk()
    for packet in packets:
        talk.send(packet.side, packet.flags, b"x" * packet.length, window=packet.window)
    outcome = observe(talk.packets)
    assume(len(outcome.flows) == 1 and outcome.reassembly["rst_ignored"] == 0)
    flow = outcome.flows[0]
    side = 0 if flow["orig_port"] == 40_000 else 1
    state, history = zeek([packet._replace(side=packet.side ^ side) for packet in packets])
    assert (flow["conn_state"], flow["history"].translate(NO_CONTENT)) == (state, history)


def test_a_turned_flow_reads_as_if_it_had_been_known() -> None:
    """On a connection joined midway the requests tell who opened it."""
    talk = Talk(source_port=50_001, target_port=50_000)
    talk.server(OK).client(GET).server(OK).send(1, FIN | ACK).acknowledge(0)
    seen = observe(talk.packets).flows[0]
    assert (seen["history"], seen["conn_state"], seen["flags"] & FlowFlag.FLIPPED) == ("DdFa", "SH", FlowFlag.FLIPPED)
    rows, streams = np.zeros(1, FLOW), np.zeros(2, STREAM)
    for name in ("history_low", "history_high", "flags"):
        rows[name] = seen[name]
    rows["conn_state"] = ConnState[seen["conn_state"]]
    turned(rows, streams)
    codes = [int(rows["history_low"][0]) >> 5 * i & 31 for i in range(12)]
    assert "".join(HISTORY_LETTERS[code - 1] for code in codes if code) == "^dDfA"
    assert ConnState(int(rows["conn_state"][0])) == ConnState.SHR


def test_every_state_of_zeek_is_among_them() -> None:
    assert {state for _, state, _ in STATES.values()} == {
        "OTH", "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR",
    }  # fmt: skip


def test_udp_says_who_spoke() -> None:
    def udp(ts: int, side: int) -> Packet:
        ends = (("10.0.0.1", 5_000), ("10.0.0.2", 53))
        (src, sport), (dst, dport) = ends[side], ends[1 - side]
        return Packet(START + ts, src, sport, dst, dport, payload=b"query", proto=int(Proto.UDP))

    asked = observe([udp(0, 0)]).flows[0]
    answered = observe([udp(0, 0), udp(MS, 1)]).flows[0]
    assert (asked["conn_state"], answered["conn_state"]) == ("S0", "SF")
    assert (answered["orig"]["packets"], answered["resp"]["payload_bytes"]) == (1, 5)
