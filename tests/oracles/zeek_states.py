"""Zeek's conn_state and history, packet by packet: in: the flags of a connection's packets in order of arrival, and who
sent each; out: the two words.

From Zeek's documentation of conn.log and of its TCP endpoints' states. The law: an endpoint's state follows from the
packets before, never from what comes later; sequence numbers play no part, so no packet given may lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from tests.traffic import ACK, FIN, RST, SYN


class Ending(Enum):
    INACTIVE = auto()
    SYN_SENT = auto()
    PARTIAL = auto()
    ESTABLISHED = auto()
    CLOSED = auto()
    RESET = auto()


class Seen(NamedTuple):
    """One packet; side 0 is the originator."""

    side: int
    flags: int
    length: int = 0
    window: int = 65_535


@dataclass
class Endpoint:
    state: Ending = Ending.INACTIVE
    before: Ending = Ending.INACTIVE
    size: int = 0
    spoke: bool = False

    def become(self, state: Ending) -> None:
        self.before, self.state = self.state, state

    @property
    def inactive(self) -> bool:
        return self.state in (Ending.INACTIVE, Ending.PARTIAL)


def _begin(own: Endpoint, peer: Endpoint, packet: Seen) -> None:
    """The first packet of an endpoint that says something of its state."""
    if packet.flags & SYN:
        if packet.side == 0:
            own.become(Ending.SYN_SENT)
        else:
            if peer.state is Ending.SYN_SENT:
                peer.become(Ending.ESTABLISHED)
            own.become(Ending.ESTABLISHED)
    if packet.flags & FIN:
        own.become(Ending.CLOSED)
    if packet.flags & RST:
        own.become(Ending.RESET)
    if own.state is Ending.INACTIVE:
        known = packet.flags & ACK and peer.state is Ending.ESTABLISHED
        own.become(Ending.ESTABLISHED if known else Ending.PARTIAL)


def _step(own: Endpoint, peer: Endpoint, packet: Seen) -> None:
    if own.state is Ending.INACTIVE:
        _begin(own, peer, packet)
    elif own.state is Ending.SYN_SENT:
        if packet.flags & FIN:
            own.become(Ending.CLOSED)
        if packet.flags & RST:
            own.become(Ending.RESET)
    elif own.state in (Ending.PARTIAL, Ending.ESTABLISHED):
        if packet.flags & FIN and not packet.flags & RST:
            own.become(Ending.CLOSED)
        if packet.flags & RST:
            own.become(Ending.RESET)
    elif own.state is Ending.CLOSED and packet.flags & RST and peer.state is not Ending.CLOSED:
        own.become(Ending.RESET)
    if own.state is Ending.CLOSED and packet.flags & FIN and (peer.state, peer.before) == (Ending.RESET, Ending.CLOSED):
        peer.become(Ending.CLOSED)
    own.size += packet.length
    own.spoke = True


def _letters(own: Endpoint, peer: Endpoint, packet: Seen) -> str:
    """Upper case; no letter that stands for content (retransmissions, gaps)."""
    control = packet.flags & (SYN | FIN | RST)
    named = {SYN: "H" if packet.flags & ACK else "S", FIN: "F", RST: "R", FIN | RST: "I", SYN | FIN | RST: "I"}
    letters = named.get(control, "Q")
    if not control:
        letters = "D" if packet.length else "A" if packet.flags & ACK else ""
    zero = packet.window == 0 and not packet.flags & RST and peer.state is not Ending.CLOSED
    return letters + ("W" if zero and own.state is not Ending.RESET else "")


def _state(orig: Endpoint, resp: Endpoint, history: str) -> str:
    if resp.state is Ending.RESET:
        silent = orig.state is Ending.RESET and orig.size == resp.size == 0
        if orig.state is Ending.SYN_SENT or silent:
            return "REJ"
        return "RSTRH" if orig.inactive else "RSTR"
    if orig.state is Ending.RESET:
        if not resp.inactive:
            return "RSTO"
        tried = history.lstrip("^").startswith("S") and not set("HAFGIQ") & set(history.partition("R")[0])
        return "RSTOS0" if tried else "OTH"
    closed = orig.state is Ending.CLOSED, resp.state is Ending.CLOSED
    if all(closed):
        return "SF"
    if closed[0]:
        return "SH" if resp.inactive else "S2"
    if closed[1]:
        return "SHR" if orig.inactive else "S3"
    if orig.state is Ending.SYN_SENT and not resp.spoke:
        return "S0"
    return "S1" if orig.state is resp.state is Ending.ESTABLISHED else "OTH"


def zeek(packets: Sequence[Seen]) -> tuple[str, str]:
    """conn_state and history, the latter without `^` and with each letter once a side.

    Two things are simpler than in Zeek: a pure acknowledgement of a SYN is an answer (Zeek still says S0), and a FIN
    that is a side's first packet turns the peer's reset behind its own FIN into an end like any other.
    """
    ends = Endpoint(), Endpoint()
    history = ""
    for packet in packets:
        own, peer = ends[packet.side], ends[1 - packet.side]
        for letter in _letters(own, peer, packet):
            said = letter if packet.side == 0 else letter.lower()
            history += said if said not in history else ""
        _step(own, peer, packet)
    return _state(*ends, history), history
