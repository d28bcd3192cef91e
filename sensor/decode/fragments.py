"""Rebuilding fragmented IP datagrams, IPv4 (RFC 791, RFC 815) and IPv6 (RFC 8200 4.5). In: one fragment. Out: the
whole datagram.

The law: the first copy of a byte wins. Fragments begin at multiples of 8 bytes, so a datagram's store needs one mark
per block of 8 bytes; it is whole when its end is known and every block before it is marked. Each datagram has 64 KiB
of `store` to itself while it waits; when whole it moves to `datagrams`, where it stays until the next batch.
"""

from __future__ import annotations

import numpy as np

from sensor import limits
from sensor._jit import inline_kernel, part_kernel
from sensor.decode.layers import IP, Layer
from sensor.decode.reasons import FragmentCount, Reason
from sensor.schema import SegmentFlag
from sensor.structures.bytesearch import copy_bytes
from sensor.structures.hashing import finish, mix

IPV6 = int(SegmentFlag.IPV6)
OFFLOAD = int(SegmentFlag.OFFLOAD)
ANY_PROTO = 256
"""IPv6 names a datagram by addresses and id alone; IPv4 by its protocol too."""
BLOCK = 8
BLOCKS = limits.DATAGRAM_BYTES // BLOCK
WAIT_NS = limits.DATAGRAM_SECONDS * limits.NS

SLOT = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("start", "i8"),      # packet time of its first fragment, ns
        ("end", "i8"),        # bytes of the datagram, -1 until its last fragment came
        ("reach", "i8"),      # end of the bytes held, exclusive
        ("held", "i8"),       # blocks held
        ("ip_bytes", "i8"),   # of its fragments on the wire, IP headers included
        ("id", "i8"),
        ("kind", "i8"),       # IP protocol, or ANY_PROTO
        ("proto", "i8"),      # of the datagram's first header
        ("tunnel_id", "u4"),
        ("vlan", "u2"),
        ("tunnel", "u1"),
    ],
    align=True,
)
"""A datagram being rebuilt; row s owns store[s * DATAGRAM_BYTES:] and marks[s * BLOCKS:]."""


@inline_kernel
def digest(state, row, kind):
    """Never 0, which says that a slot is free. Not keyed: all digests are looked at anyway."""
    hashed = mix(mix(mix(np.uint64(kind), row["src_hi"]), row["src_lo"]), row["dst_hi"])
    hashed = mix(mix(hashed, row["dst_lo"]), np.uint64(state["fragment_id"]))
    place = np.uint64(row["vlan"]) << np.uint64(8) | np.uint64(row["tunnel"])
    return finish(mix(mix(hashed, np.uint64(row["tunnel_id"])), place)) | np.uint64(1)


@inline_kernel
def is_same(slot, state, row, kind):
    return (
        slot["src_hi"] == row["src_hi"]
        and slot["src_lo"] == row["src_lo"]
        and slot["dst_hi"] == row["dst_hi"]
        and slot["dst_lo"] == row["dst_lo"]
        and slot["id"] == state["fragment_id"]
        and slot["kind"] == kind
        and slot["tunnel_id"] == row["tunnel_id"]
        and slot["vlan"] == row["vlan"]
        and slot["tunnel"] == row["tunnel"]
    )


@part_kernel
def find(name, state, row, kind, slots, digests, counts):
    """The slot of this fragment's datagram, or -1; one that waited too long is given up."""
    for s in range(digests.size):
        if digests[s] == name and is_same(slots[s], state, row, kind):
            if state["now"] - slots[s]["start"] <= WAIT_NS:
                return s
            digests[s] = 0
            counts[FragmentCount.EXPIRED] += 1
            return -1
    return -1


@part_kernel
def take(name, state, row, kind, slots, digests, marks, counts):
    """A slot for a new datagram: a free one, else the oldest."""
    chosen = 0
    for s in range(digests.size):
        if digests[s] == 0:
            chosen = s
            break
        if slots[s]["start"] < slots[chosen]["start"]:
            chosen = s
    slot = slots[chosen]
    if digests[chosen] != 0:
        late = state["now"] - slot["start"] > WAIT_NS
        counts[FragmentCount.EXPIRED if late else FragmentCount.EVICTED] += 1
    for block in range((slot["reach"] + BLOCK - 1) // BLOCK):
        marks[chosen * BLOCKS + block] = 0
    digests[chosen] = name
    slot["src_hi"] = row["src_hi"]
    slot["src_lo"] = row["src_lo"]
    slot["dst_hi"] = row["dst_hi"]
    slot["dst_lo"] = row["dst_lo"]
    slot["id"] = state["fragment_id"]
    slot["kind"] = kind
    slot["tunnel_id"] = row["tunnel_id"]
    slot["vlan"] = row["vlan"]
    slot["tunnel"] = row["tunnel"]
    slot["start"] = state["now"]
    slot["end"] = -1
    slot["reach"] = 0
    slot["held"] = 0
    slot["ip_bytes"] = 0
    slot["proto"] = state["fragment_proto"]
    return chosen


@inline_kernel
def contradicts(slot, end, more):
    """Whether a fragment that ends at `end` disagrees with what is known of its datagram's end."""
    if slot["end"] >= 0 and end > slot["end"]:
        return True
    return not more and (end < slot["reach"] or (slot["end"] >= 0 and end != slot["end"]))


@part_kernel
def copy(source, offset, begin, end, s, marks, store):
    """Keep the blocks of datagram bytes begin to end that are new; returns how many they are."""
    kept = 0
    for block in range(begin // BLOCK, (end + BLOCK - 1) // BLOCK):
        if marks[s * BLOCKS + block] != 0:
            continue
        marks[s * BLOCKS + block] = 1
        kept += 1
        place = block * BLOCK
        to, origin = s * limits.DATAGRAM_BYTES + place, offset + place - begin
        copy_bytes(source, origin, min(BLOCK, end - place), store, to)
    return kept


@part_kernel
def step(source, offset, state, row, slots, digests, marks, store, datagrams, counts):
    """Hold the fragment, or continue in `datagrams` at the datagram that it completes."""
    if state["stop"] < state["wire_stop"]:
        return Reason.FRAGMENT_CUT, Layer.FAILED
    begin = state["fragment_offset"]
    end = begin + state["wire_stop"] - offset
    if state["fragment_more"]:
        end -= end % BLOCK
    if end <= begin or end >= limits.DATAGRAM_BYTES:
        return Reason.FRAGMENT_BAD, Layer.FAILED
    kind = ANY_PROTO if row["flags"] & IPV6 else state["fragment_proto"]
    name = digest(state, row, kind)
    s = find(name, state, row, kind, slots, digests, counts)
    if s < 0:
        s = take(name, state, row, kind, slots, digests, marks, counts)
    slot = slots[s]
    if contradicts(slot, end, state["fragment_more"]):
        return Reason.FRAGMENT_BAD, Layer.FAILED
    slot["reach"] = max(slot["reach"], end)
    kept = copy(source, offset, begin, end, s, marks, store)
    if kept < (end - begin + BLOCK - 1) // BLOCK:
        counts[FragmentCount.OVERLAPS] += 1
    if not state["fragment_more"]:
        slot["end"] = end
    if kept == 0:
        return Reason.FRAGMENT_DUPLICATE, Layer.FAILED
    if begin == 0:
        slot["proto"] = state["fragment_proto"]
    slot["held"] += kept
    slot["ip_bytes"] += row["ip_len"]
    if slot["end"] < 0 or slot["held"] * BLOCK < slot["end"]:
        return Reason.FRAGMENT_HELD, Layer.FAILED
    digests[s] = 0
    counts[FragmentCount.REBUILT] += 1
    row["ip_len"] = slot["ip_bytes"]
    row["flags"] &= 0xFF ^ OFFLOAD
    start = state["datagrams"]
    copy_bytes(store, s * limits.DATAGRAM_BYTES, slot["end"], datagrams, start)
    state["datagrams"] = start + slot["end"]
    state["stop"] = state["datagrams"]
    state["wire_stop"] = state["datagrams"]
    return start, IP + slot["proto"]
