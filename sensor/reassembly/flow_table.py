"""Which flow a segment belongs to: in: a segment; out: its flow's row and direction.

The one law: a row that ended is not used again before the batch it ended in is over, so whoever reads the batch's
chunks still finds it.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.limits import PATHS_MAX
from sensor.reassembly.measures import LETTER_FLIPPED
from sensor.reassembly.tables import STREAM, Count, Scalar
from sensor.schema import FlowFlag, Proto, Service, TcpFlag, TcpState
from sensor.structures.hash_table import find_row, following, home, insert, remove, row_of, same_tag
from sensor.structures.hashing import MULTIPLIER, finish, mix
from sensor.structures.records import new_row

DNS_PORT = 53
_EPHEMERAL = 32768
_MASK = 0xFFFFFFFF
NEAR_BYTES = 1 << 22
"""More than what is in flight at a time, and a thousandth of the sequence space."""
VLAN_BITS = 0xFFFF
TUNNEL_BITS = -1 << 16
_NEW_STREAM = new_row(STREAM, fin=-1, hold_head=-1, hold_tail=-1, round_end=-1)


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
    return finish(mix(t.seed[1] ^ (source + target), np.uint64(segment["proto"])))


@inline_kernel
def path_of(segment):
    """The way a packet came: VLAN, tunnel and tunnel id."""
    return np.int64(segment["vlan"]) | np.int64(segment["tunnel"]) << 16 | np.int64(segment["tunnel_id"]) << 32


@inline_kernel
def _goes_on(t, stream_row, segment):
    """Whether a segment that came another way belongs to the flow.

    One with numbers does when they go on where the flow's stand: two connections with equal addresses and ports in two
    networks have begun at numbers of their own (RFC 6528). One without does when its direction is the flow's other one,
    of which nothing was seen: many networks carry the two directions in different VLANs, tunnels or labels.
    """
    stream, peer = t.streams[stream_row], t.streams[stream_row ^ 1]
    if segment["proto"] != Proto.TCP:
        return stream["packets"] == 0
    if stream["first"] != 0:
        away = (np.int64(segment["seq"]) - stream["next"] + NEAR_BYTES) & _MASK
        if away >= 2 * NEAR_BYTES:
            return False
    if segment["tcp_flags"] & TcpFlag.ACK == 0 or peer["first"] == 0:
        return stream["first"] != 0 or peer["first"] != 0
    return (np.int64(segment["ack"]) - peer["next"] + NEAR_BYTES) & _MASK < 2 * NEAR_BYTES


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
def find_flow(t, segment, hashed, path):
    """2*flow + direction, or -1: the flow that came the same way, else the first one that the segment goes on with."""
    other, ways = -1, 0
    position = home(t.slots, hashed)
    while t.slots[position] != 0:
        if same_tag(t.slots[position], hashed):
            row = row_of(t.slots[position])
            flow = t.flows[row]
            direction = direction_of(flow, segment)
            if direction >= 0 and flow["proto"] == segment["proto"]:
                stream_row = 2 * row + direction
                if (t.streams[stream_row]["path"] ^ path) & t.state[Scalar.PATH_MASK] == 0:
                    return stream_row
                if other < 0 and _goes_on(t, stream_row, segment):
                    other = stream_row
                ways += 1
                if ways == PATHS_MAX:
                    t.counts[Count.PATHS_MERGED] += 1
                    return other if other >= 0 else stream_row
        position = following(t.slots, position)
    return other


@inline_kernel
def _is_from_responder(segment, flags):
    """Whether the first packet seen of a flow looks like the responder's."""
    if segment["proto"] == Proto.TCP and flags & TcpFlag.SYN != 0:
        return flags & TcpFlag.ACK != 0
    source, target = np.int64(segment["src_port"]), np.int64(segment["dst_port"])
    if source < 1024 and target >= 1024:
        return segment["proto"] == Proto.TCP or segment["proto"] == Proto.UDP
    return segment["proto"] == Proto.TCP and source < _EPHEMERAL <= target


@part_kernel
def create_flow(t, segment, hashed, path, flags):
    """A new flow for the segment, or for that with other TCP flags from its side; the caller has made sure that a row
    is free. Returns 2*flow + direction.
    """
    t.state[Scalar.FREE] -= 1
    row = np.int64(t.free[t.state[Scalar.FREE]])
    position = home(t.slots, hashed)
    while t.slots[position] != 0:
        position = following(t.slots, position)
    insert(t.slots, position, hashed, row)
    flow = t.flows[row]
    direction = 1 if _is_from_responder(segment, flags) else 0
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
    flow["told_ts"] = segment["ts"]
    flow["history_low"] = np.uint64(LETTER_FLIPPED if direction == 1 else 0)
    flow["history_high"] = np.uint64(0)
    flow["history_len"] = direction
    flow["history_seen"] = 0
    flow["flags"] = 0
    if segment["proto"] == Proto.TCP and flags & TcpFlag.SYN == 0:
        flow["flags"] = FlowFlag.MIDSTREAM | FlowFlag.ORIG_GUESSED
    attempt = segment["proto"] == Proto.TCP and flags & (TcpFlag.SYN | TcpFlag.ACK) == TcpFlag.SYN
    flow["state"] = TcpState.SYN if attempt else TcpState.NONE
    flow["conn_state"] = 0
    flow["end_reason"] = 0
    asks = segment["proto"] == Proto.TCP and (segment["src_port"] == DNS_PORT or segment["dst_port"] == DNS_PORT)
    flow["service"] = Service.MAYBE_DNS if asks else Service.UNKNOWN
    flow["stack"] = segment["stack"] if direction == 0 and attempt else 0
    flow["ttl"] = segment["ttl"] if direction == 0 else 0
    for stream_row in (2 * row, 2 * row + 1):
        t.streams[stream_row] = _NEW_STREAM[0]
        t.streams[stream_row]["path"] = path
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
