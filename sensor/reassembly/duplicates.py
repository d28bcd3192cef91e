"""Doubles of the mirror: in: a segment and the packets of the last moments; out: whether it is one of them again.

A mirror of both ports, or of both sides of a router, shows each packet twice. A copy has the same addresses, ports,
numbers, flags, lengths and checksum as its original; TTL, MAC, VLAN, tunnel and, behind some firewalls, the IP id may
differ. A retransmission looks much the same, so the copy must also be shown to be none:

- another VLAN, tunnel or TTL: it took another way, and a sender has only one;
- the same IP id: a sender counts on;
- no id to go by (IPv6, id 0): no stack sends again within QUIET_NS unless its peer reports a loss (RFC 6298, RFC 8985);
- another id: nobody can send again before the flow's round trip is over, unless its peer reports a loss.

The one law: what is taken for a double changes nothing but the counts of doubles, and what cannot be told apart is
taken for sent twice and counted apart. Every packet is noted in a ring; only one that repeats what its flow has seen
is looked up, so healthy traffic pays for the note alone.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import inline_kernel
from sensor.limits import RECENT_PACKETS
from sensor.reassembly.flow_table import direction_of
from sensor.reassembly.tables import HORIZON_NS, QUIET_NS, RECENT_BUCKETS, SHORT_QUIET_NS, Count, Scalar
from sensor.schema import Proto, SegmentFlag, TcpFlag
from sensor.structures.hashing import MULTIPLIER, hash_bytes, mix

_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_HASHED_BYTES_MAX = 128
_LOOKS_MAX = 8
"""Equal packets compared with; a flood of one packet has no end of them."""


class Copy(IntEnum):
    """What a segment is to the packets before it."""

    NEW = 0
    UNSURE = 1   # as like another as a double, but it can have been sent twice
    DOUBLE = 2


@inline_kernel
def tcp_fingerprint(segment, hashed):
    """64 bits of all that a double cannot change; 16 bits of checksum stand for TCP's options and payload."""
    numbers = np.uint64(segment["seq"]) << np.uint64(32) | np.uint64(segment["ack"])
    rest = np.uint64(segment["payload_len"]) << np.uint64(40) | np.uint64(segment["window"]) << np.uint64(24)
    rest |= np.uint64(segment["checksum"]) << np.uint64(8) | np.uint64(segment["tcp_flags"])
    source = segment["src_lo"] + np.uint64(segment["src_port"]) * MULTIPLIER
    return mix(hashed ^ numbers, rest ^ source)


@inline_kernel
def fingerprint(t, segment, hashed, data):
    """That of TCP, and of what else there is the payload too."""
    word = tcp_fingerprint(segment, hashed)
    if segment["proto"] != Proto.TCP:
        length = min(np.int64(segment["payload_caplen"]), _HASHED_BYTES_MAX)
        word = mix(word, hash_bytes(t.seed[0], data, segment["payload_offset"], length))
    return word


@inline_kernel
def may_repeat(t, stream_row, segment):
    """Whether the stream has seen the like: all that is new to it cannot be a double."""
    if segment["proto"] != Proto.TCP:
        return True
    stream = t.streams[stream_row]
    flags, length = np.int64(segment["tcp_flags"]), np.int64(segment["payload_len"])
    if flags & (TcpFlag.SYN | TcpFlag.RST) != 0:
        return np.int64(stream["tcp_flags"]) & flags & (TcpFlag.SYN | TcpFlag.RST) != 0
    if length > 0:
        behind = stream["next"] - np.int64(segment["seq"]) - length
        return stream["hold_head"] >= 0 or behind & _MASK < _HALF
    if flags & TcpFlag.FIN != 0:
        return stream["fin"] >= 0
    ahead = (np.int64(segment["ack"]) - t.streams[stream_row ^ 1]["acked"]) & _MASK
    return ahead == 0 or ahead >= _HALF


@inline_kernel
def _sent_once_within(t, stream_row, segment, earlier):
    """For how long (ns) an equal packet with another id, or with none, is a double."""
    absent = segment["ip_id"] == 0 and earlier["ip_id"] == 0
    if segment["proto"] != Proto.TCP:
        return SHORT_QUIET_NS if absent else 0
    flags, length = np.int64(segment["tcp_flags"]), np.int64(segment["payload_len"])
    if flags & TcpFlag.SYN != 0:
        return QUIET_NS
    if stream_row < 0:
        return QUIET_NS if absent else 0
    if length == 0 and flags & TcpFlag.FIN == 0:
        headers = 60 if np.int64(segment["flags"]) & SegmentFlag.IPV6 != 0 else 40
        if absent:
            return QUIET_NS
        if flags & TcpFlag.RST == 0 and np.int64(segment["ip_len"]) > headers:
            return SHORT_QUIET_NS  # time stamps or SACK blocks would tell the next acknowledgement from this
        return 0
    stream, peer = t.streams[stream_row], t.streams[stream_row ^ 1]
    if peer["loss_ts"] >= earlier["ts"]:
        return 0
    round_trip = stream["round_min"] + peer["round_min"]
    return max(QUIET_NS, round_trip) if absent else round_trip


@inline_kernel
def _judge(t, stream_row, segment, path, earlier):
    age = abs(segment["ts"] - earlier["ts"])
    if age > HORIZON_NS:
        return Copy.NEW
    if earlier["path"] != path or earlier["ttl"] != segment["ttl"]:
        return Copy.DOUBLE
    if earlier["ip_id"] == segment["ip_id"] and segment["ip_id"] != 0:
        return Copy.DOUBLE
    within = _sent_once_within(t, stream_row, segment, earlier)
    if age < within:
        return Copy.DOUBLE
    return Copy.UNSURE if age < QUIET_NS else Copy.NEW


@inline_kernel
def recent_bucket(word):
    """The chain of `recent` that packets with this fingerprint are in."""
    return np.int64(word & np.uint64(RECENT_BUCKETS - 1))


@inline_kernel
def look_up(t, stream_row, segment, path, word):
    """(Copy, the ring's row of the packet it is like)."""
    verdict, found, looks = Copy.NEW + 0, np.int64(-1), 0
    bucket = recent_bucket(word)
    at, age = np.int64(t.recent_heads[bucket]), np.int64(0)
    while at >= 0 and looks < _LOOKS_MAX:
        older = (t.state[Scalar.RECENT] - at) & (RECENT_PACKETS - 1)
        older = older if older != 0 else RECENT_PACKETS
        earlier = t.recent[at]
        if older <= age or earlier["fingerprint"] & np.uint64(RECENT_BUCKETS - 1) != np.uint64(bucket):
            break  # written over since
        age = older
        if earlier["fingerprint"] == word:
            looks += 1
            copy = _judge(t, stream_row, segment, path, earlier)
            if copy > verdict:
                verdict, found = copy + 0, at
            if copy == Copy.DOUBLE:
                break
        at = np.int64(earlier["before"])
    return verdict, found


@inline_kernel
def remember(t, stream_row, segment, path, word):
    """Note a packet that counts."""
    at = t.state[Scalar.RECENT]
    bucket = recent_bucket(word)
    row = t.recent[at]
    row["fingerprint"] = word
    row["ts"] = segment["ts"]
    row["path"] = path
    row["stream"] = stream_row
    row["before"] = t.recent_heads[bucket]
    row["ip_id"] = segment["ip_id"]
    row["ttl"] = segment["ttl"]
    t.recent_heads[bucket] = at
    t.state[Scalar.RECENT] = (at + 1) & (RECENT_PACKETS - 1)


@inline_kernel
def count_double(t, stream_row, segment, original):
    """Count a double under its flow, or under its original's when it came where that flow is not looked for."""
    size = np.int64(segment["ip_len"])
    t.counts[Count.DUPLICATE_PACKETS] += 1
    t.counts[Count.DUPLICATE_BYTES] += size
    row = stream_row
    if row < 0:
        row = np.int64(t.recent[original]["stream"])
        flow = t.flows[row >> 1]
        if flow["wheel_bucket"] < 0 or direction_of(flow, segment) != row & 1:
            return
    stream = t.streams[row]
    stream["duplicate_packets"] += 1
    stream["duplicate_bytes"] += size


@inline_kernel
def note_unsure(t, stream_row):
    t.counts[Count.UNSURE_PACKETS] += 1
    t.streams[stream_row]["unsure_packets"] += 1


@inline_kernel
def note_report(stream, segment):
    """A pure acknowledgement that acknowledges nothing new reports a loss, as far as anyone can tell (RFC 5681)."""
    if segment["payload_len"] == 0 and np.int64(segment["tcp_flags"]) & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST) == 0:
        stream["loss_ts"] = segment["ts"]
