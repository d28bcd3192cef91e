"""Which flow a segment belongs to: in: a segment; out: its flow's row and direction.

The one law: a row that ended is not used again before the batch it ended in is over, so whoever reads the batch's
chunks still finds it.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.reassembly.tables import Count, Scalar
from sensor.schema import FlowFlag, Proto, TcpFlag, TcpState
from sensor.structures.hash_table import find_row, following, home, insert, remove, row_of, same_tag
from sensor.structures.hashing import MULTIPLIER, finish, mix

_EPHEMERAL = 32768


@inline_kernel
def _end_hash(t, address_hi, address_lo, port):
    """One end's share: its parts are multiplied side by side, then together."""
    lower = (address_lo ^ t.seed[0]) * MULTIPLIER
    upper = ((address_hi + port) ^ t.seed[1]) * MULTIPLIER
    return mix(lower ^ (lower >> np.uint64(32)), upper ^ (upper >> np.uint64(29)))


@inline_kernel
def key_hash(t, segment):
    """The same for both directions: what the two ends give is added."""
    source = _end_hash(t, segment["src_hi"], segment["src_lo"], np.uint64(segment["src_port"]))
    target = _end_hash(t, segment["dst_hi"], segment["dst_lo"], np.uint64(segment["dst_port"]))
    rest = np.uint64(segment["proto"])
    if t.state[Scalar.VLAN_IN_KEY] != 0:
        rest |= np.uint64(segment["vlan"]) << np.uint64(8)
    if t.state[Scalar.TUNNEL_IN_KEY] != 0:
        rest |= np.uint64(segment["tunnel_id"]) << np.uint64(24)
    return finish(mix(t.seed[1] ^ (source + target), rest))


@inline_kernel
def _same_path(t, flow, segment):
    if flow["proto"] != segment["proto"]:
        return False
    if t.state[Scalar.VLAN_IN_KEY] != 0 and flow["vlan"] != segment["vlan"]:
        return False
    return not (
        t.state[Scalar.TUNNEL_IN_KEY] != 0
        and (flow["tunnel_id"] != segment["tunnel_id"] or flow["tunnel"] != segment["tunnel"])
    )


@inline_kernel
def direction_of(flow, segment):
    """0 from the originator, 1 from the responder, -1 when the segment is another flow's."""
    if (
        flow["orig_lo"] == segment["src_lo"]
        and flow["resp_lo"] == segment["dst_lo"]
        and flow["orig_port"] == segment["src_port"]
        and flow["resp_port"] == segment["dst_port"]
        and flow["orig_hi"] == segment["src_hi"]
        and flow["resp_hi"] == segment["dst_hi"]
    ):
        return 0
    if (
        flow["orig_lo"] == segment["dst_lo"]
        and flow["resp_lo"] == segment["src_lo"]
        and flow["orig_port"] == segment["dst_port"]
        and flow["resp_port"] == segment["src_port"]
        and flow["orig_hi"] == segment["dst_hi"]
        and flow["resp_hi"] == segment["src_hi"]
    ):
        return 1
    return -1


@inline_kernel
def find_flow(t, segment, hashed):
    """2*flow + direction, or -1."""
    position = home(t.slots, hashed)
    while t.slots[position] != 0:
        if same_tag(t.slots[position], hashed):
            row = row_of(t.slots[position])
            flow = t.flows[row]
            direction = direction_of(flow, segment)
            if direction >= 0 and _same_path(t, flow, segment):
                return 2 * row + direction
        position = following(t.slots, position)
    return -1


@inline_kernel
def _is_from_responder(segment):
    """Whether the first packet seen of a flow looks like the responder's."""
    if segment["proto"] == Proto.TCP and segment["tcp_flags"] & TcpFlag.SYN != 0:
        return segment["tcp_flags"] & TcpFlag.ACK != 0
    source, target = np.int64(segment["src_port"]), np.int64(segment["dst_port"])
    if source < 1024 and target >= 1024:
        return segment["proto"] == Proto.TCP or segment["proto"] == Proto.UDP
    return segment["proto"] == Proto.TCP and source < _EPHEMERAL <= target


@inline_kernel
def _clear_stream(stream):
    stream["packets"] = 0
    stream["ip_bytes"] = 0
    stream["payload_bytes"] = 0
    stream["retransmitted_bytes"] = 0
    stream["missing_bytes"] = 0
    stream["first_ts"] = 0
    stream["last_ts"] = 0
    stream["size_min"] = 0
    stream["size_max"] = 0
    stream["size_sumsq"] = 0.0
    stream["gap_min"] = 0
    stream["gap_max"] = 0
    stream["gap_sum"] = 0
    stream["gap_sumsq"] = 0.0
    stream["next"] = 0
    stream["acked"] = 0
    stream["fin"] = -1
    stream["first"] = 0
    stream["hold_ts"] = 0
    stream["hold_head"] = -1
    stream["hold_tail"] = -1
    stream["hold_pages"] = 0
    stream["out_of_order_packets"] = 0
    stream["overlap_bytes"] = 0
    stream["tcp_flags"] = 0
    stream["reset"] = 0


@part_kernel
def create_flow(t, segment, hashed):
    """A new flow for the segment; the caller has made sure that a row is free. Returns 2*flow + direction."""
    t.state[Scalar.FREE] -= 1
    row = np.int64(t.free[t.state[Scalar.FREE]])
    position = home(t.slots, hashed)
    while t.slots[position] != 0:
        position = following(t.slots, position)
    insert(t.slots, position, hashed, row)
    flow = t.flows[row]
    direction = 1 if _is_from_responder(segment) else 0
    if direction == 0:
        flow["orig_hi"], flow["orig_lo"], flow["orig_port"] = segment["src_hi"], segment["src_lo"], segment["src_port"]
        flow["resp_hi"], flow["resp_lo"], flow["resp_port"] = segment["dst_hi"], segment["dst_lo"], segment["dst_port"]
    else:
        flow["orig_hi"], flow["orig_lo"], flow["orig_port"] = segment["dst_hi"], segment["dst_lo"], segment["dst_port"]
        flow["resp_hi"], flow["resp_lo"], flow["resp_port"] = segment["src_hi"], segment["src_lo"], segment["src_port"]
    flow["hash"] = hashed
    flow["proto"] = segment["proto"]
    flow["vlan"] = segment["vlan"]
    flow["tunnel"] = segment["tunnel"]
    flow["tunnel_id"] = segment["tunnel_id"]
    flow["start_ts"] = segment["ts"]
    flow["last_ts"] = segment["ts"]
    flow["end_now"] = 0
    flow["history_low"] = np.uint64(0)
    flow["history_high"] = np.uint64(0)
    flow["history_len"] = 0
    flow["history_seen"] = 0
    flow["flags"] = 0
    if segment["proto"] == Proto.TCP and segment["tcp_flags"] & TcpFlag.SYN == 0:
        flow["flags"] = FlowFlag.MIDSTREAM | FlowFlag.ORIG_GUESSED
    attempt = segment["proto"] == Proto.TCP and segment["tcp_flags"] & (TcpFlag.SYN | TcpFlag.ACK) == TcpFlag.SYN
    flow["state"] = TcpState.SYN if attempt else TcpState.NONE
    flow["conn_state"] = 0
    flow["end_reason"] = 0
    flow["service"] = 0
    _clear_stream(t.streams[2 * row])
    _clear_stream(t.streams[2 * row + 1])
    t.state[Scalar.LIVE] += 1
    t.counts[Count.FLOWS] += 1
    flow["serial"] = t.counts[Count.FLOWS]
    t.counts[Count.TABLE_PEAK] = max(t.counts[Count.TABLE_PEAK], t.state[Scalar.LIVE])
    return 2 * row + direction


@inline_kernel
def release_flow(t, row):
    """Take an ended flow out of the index; its row is free in the next batch."""
    remove(t.slots, find_row(t.slots, t.flows[row]["hash"], row))
    t.pending[t.state[Scalar.PENDING]] = row
    t.state[Scalar.PENDING] += 1
    t.state[Scalar.LIVE] -= 1
