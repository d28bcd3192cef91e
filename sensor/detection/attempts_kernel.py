"""Which flows are attempts: in: ended flows with their streams; out: whether they tried a port and used it for nothing.

TCP: refused, unanswered, or reset by its originator once it was answered (half-open); segments that no stack sends
first: without flags (NULL), FIN alone, FIN with PSH and URG (Xmas), RFC 9293 section 3.10.7; and an ACK, with FIN or
without, that gets nothing but a reset, where the port asked is the lower of the two: a server's last words to clients
that are gone look alike, the other way round. UDP: a few datagrams
without an answer, but not to ports where that is usual, and not from a well-known port: that is an answer of which the
question was not seen. The one law: a flow that carried data in TCP, or was answered in UDP, is none.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.schema import ConnState, FlowFlag, Proto, TcpFlag

_XMAS = TcpFlag.FIN | TcpFlag.PSH | TcpFlag.URG
_FIN_ACK = TcpFlag.FIN | TcpFlag.ACK
_PROBES = 3
"""Datagrams that a probe of UDP takes at most."""
_TRACES_FIRST, _TRACES_LAST = 33_434, 33_633


@inline_kernel
def _is_quiet_port(port):
    """Ports of UDP where many ask and nobody need answer: names, time, discovery, calls, logs, QUIC, traces."""
    usual = port in (53, 67, 68, 69, 123, 137, 138, 161, 162, 443, 500, 514, 1900, 3478, 4500, 4789, 5353, 5355, 6081)
    return usual or _TRACES_FIRST <= port <= _TRACES_LAST


@inline_kernel
def _is_group(hi, lo):
    """Whether an address is one of many: multicast, or broadcast as far as it shows."""
    if hi == 0:
        return lo & np.uint64(0xF0000000) == np.uint64(0xE0000000) or lo & np.uint64(0xFF) == np.uint64(0xFF)
    return hi >> np.uint64(56) == np.uint64(0xFF)


@part_kernel
def is_attempt(flow, originator, responder):
    """Whether the flow tried a port and used it for nothing."""
    if flow["proto"] == Proto.UDP:
        few = originator["packets"] <= _PROBES and responder["packets"] == 0
        asked = flow["orig_port"] >= 1_024 and not _is_quiet_port(flow["resp_port"])
        return few and asked and not _is_group(flow["resp_hi"], flow["resp_lo"])
    if flow["proto"] != Proto.TCP or originator["payload_bytes"] != 0 or responder["payload_bytes"] != 0:
        return False
    if flow["flags"] & FlowFlag.MIDSTREAM:
        odd = originator["tcp_flags"]
        late = odd == TcpFlag.ACK or odd == _FIN_ACK
        refused = responder["tcp_flags"] == TcpFlag.RST and flow["resp_port"] < flow["orig_port"]
        return odd == 0 or odd == TcpFlag.FIN or odd == _XMAS or (late and refused)
    return flow["conn_state"] in (
        ConnState.S0, ConnState.REJ, ConnState.RSTOS0, ConnState.SH, ConnState.RSTRH, ConnState.RSTO
    )  # fmt: skip
