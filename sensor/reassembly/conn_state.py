"""What became of a connection, in Zeek's words: in: an ended flow and its streams; out: its ConnState.

https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html, as Zeek itself applies it: each side is
inactive, partial (heard without its SYN), established, closed (FIN) or reset, and the two together name the state. The
one law: a side that only spoke on a connection joined midway is as good as inactive.
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.reassembly.measures import LETTER_A, LETTER_F, LETTER_G, LETTER_H, LETTER_I, LETTER_Q, LETTER_R
from sensor.schema import ConnState, Proto, TcpFlag

_NOT_A_TRY = 1 << LETTER_A | 1 << LETTER_F | 1 << LETTER_G | 1 << LETTER_H | 1 << LETTER_I | 1 << LETTER_Q


@inline_kernel
def _only_tried(flow):
    """Whether the originator had sent nothing but its SYN, or data with it, when it reset."""
    letters = flow["history_low"]
    while letters != 0:
        letter = np.int64(letters & np.uint64(31))
        if letter == LETTER_R:
            return True
        if _NOT_A_TRY >> letter & 1 != 0:
            return False
        letters = letters >> np.uint64(5)
    return False


@inline_kernel
def _reset_state(flow, orig, resp, met):
    """At least one side sent a RST; of both sides' resets Zeek names the responder's."""
    asked = orig["tcp_flags"] & TcpFlag.SYN != 0
    if resp["reset"] != 0:
        if orig["reset"] != 0:
            return ConnState.REJ if orig["payload_bytes"] == 0 and resp["payload_bytes"] == 0 else ConnState.RSTR
        if met or orig["fin"] >= 0:
            return ConnState.RSTR
        return ConnState.REJ if asked else ConnState.RSTRH
    if met or resp["fin"] >= 0:
        return ConnState.RSTO
    return ConnState.RSTOS0 if asked and _only_tried(flow) else ConnState.OTH


@inline_kernel
def _tcp_conn_state(flow, orig, resp):
    asked = orig["tcp_flags"] & TcpFlag.SYN != 0
    met = resp["tcp_flags"] & TcpFlag.SYN != 0 and orig["packets"] > 0
    if orig["reset"] != 0 or resp["reset"] != 0:
        return _reset_state(flow, orig, resp, met)
    if orig["fin"] >= 0:
        if resp["fin"] >= 0:
            return ConnState.SF
        return ConnState.S2 if met else ConnState.SH
    if resp["fin"] >= 0:
        return ConnState.S3 if asked or met else ConnState.SHR
    if met:
        return ConnState.S1
    return ConnState.S0 if asked and resp["packets"] == 0 else ConnState.OTH


@inline_kernel
def conn_state(t, row):
    """Zeek's conn_state; without TCP it says who spoke."""
    flow, orig, resp = t.flows[row], t.streams[2 * row], t.streams[2 * row + 1]
    if flow["proto"] == Proto.TCP:
        return _tcp_conn_state(flow, orig, resp)
    if orig["packets"] == 0:
        return ConnState.SHR
    return ConnState.SF if resp["packets"] > 0 else ConnState.S0
