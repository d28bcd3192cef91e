"""Putting one TCP stream in order: in: segments; out: chunks of consecutive bytes with the gaps marked.

The one law: every byte of sequence space leaves exactly once, as data or as part of a gap, and the first copy of a byte
is the one that counts. Bytes in order are not copied; those that wait lie in pages. Bytes the snap length cut off leave
as gaps.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.limits import PAGE_BYTES, STREAM_PAGES_MAX
from sensor.reassembly.measures import LETTER_G, LETTER_T, note
from sensor.reassembly.tables import (
    HOLE_ACKED_NODES,
    HOLE_ACKED_NS,
    HOLE_ACKED_SOON_NS,
    HOLE_NS,
    HOLE_ONE_SIDED_NS,
    Count,
    Scalar,
)
from sensor.schema import ChunkKind, ChunkSource, Service
from sensor.structures.bytesearch import copy_bytes


@inline_kernel
def emit(t, stream_row, kind, source, offset, length, seq, ack, ts):
    """One chunk, unless the protocols have said that they cannot read this flow."""
    service = t.flows[stream_row >> 1]["service"]
    if service == Service.NOT_HTTP:
        return
    chunk = t.chunks[t.state[Scalar.CHUNKS]]
    chunk["seq"] = seq
    chunk["ack"] = ack
    chunk["ts"] = ts
    chunk["now"] = t.state[Scalar.NOW]
    chunk["offset"] = offset
    chunk["length"] = length
    chunk["stream"] = stream_row
    chunk["kind"] = kind
    chunk["source"] = source
    chunk["service"] = service
    t.state[Scalar.CHUNKS] += 1
    t.state[Scalar.DNS_CHUNKS] += service >= Service.MAYBE_DNS


@inline_kernel
def emit_gap(t, stream_row, length, ack, ts, cut):
    """Sequence space that was never seen, from what is expected next on; `cut`: 1 when it ends the segment that
    was delivered before it, which the snap length cut off. The chunk's offset says so.
    """
    stream = t.streams[stream_row]
    emit(t, stream_row, ChunkKind.GAP, 0, cut, length, stream["next"], ack, ts)
    stream["missing_bytes"] += length
    stream["next"] += length
    t.counts[Count.MISSING_BYTES] += length
    t.counts[Count.GAPS] += 1
    note(t.flows[stream_row >> 1], LETTER_G, stream_row & 1)


@inline_kernel
def deliver(t, stream_row, source, offset, caplen, length, ack, ts):
    """Bytes that are next in order; those the snap length cut off are a gap."""
    stream = t.streams[stream_row]
    if caplen > 0:
        emit(t, stream_row, ChunkKind.DATA, source, offset, caplen, stream["next"], ack, ts)
        stream["next"] += caplen
    if length > caplen:
        t.counts[Count.CUT_BYTES] += length - caplen
        stream["cut_bytes"] += length - caplen
        emit_gap(t, stream_row, length - caplen, ack, ts, 1 if caplen > 0 else 0)


@inline_kernel
def _pop_node(t, stream):
    node_row = np.int64(stream["hold_head"])
    stream["hold_head"] = t.nodes[node_row]["next"]
    stream["hold_pages"] -= 1
    if stream["hold_head"] < 0:
        stream["hold_tail"] = -1
    t.node_pending[t.state[Scalar.NODE_PENDING]] = node_row
    t.state[Scalar.NODE_PENDING] += 1
    return node_row


@part_kernel
def drain(t, stream_row):
    """Deliver the waiting nodes that are in order now."""
    stream = t.streams[stream_row]
    while stream["hold_head"] >= 0 and t.nodes[stream["hold_head"]]["seq"] <= stream["next"]:
        node_row = _pop_node(t, stream)
        node = t.nodes[node_row]
        deliver(
            t,
            stream_row,
            ChunkSource.PAGES,
            node_row * PAGE_BYTES,
            np.int64(node["caplen"]),
            np.int64(node["length"]),
            node["ack"],
            node["ts"],
        )
    if stream["hold_head"] >= 0:
        stream["hold_ts"] = t.state[Scalar.NOW]


@part_kernel
def skip_hole(t, stream_row):
    """Give the hole before the first waiting node up for lost."""
    stream = t.streams[stream_row]
    node = t.nodes[stream["hold_head"]]
    emit_gap(t, stream_row, node["seq"] - stream["next"], node["ack"], node["ts"], 0)
    drain(t, stream_row)


@inline_kernel
def skip_lost_holes(t, stream_row, peer):
    """Decide whether the hole of a stream with waiting nodes can still be filled."""
    stream = t.streams[stream_row]
    while stream["hold_head"] >= 0:
        waited = t.state[Scalar.NOW] - stream["hold_ts"]
        node = t.nodes[stream["hold_head"]]
        behind = t.state[Scalar.NOW] - node["ts"]
        soon = stream["hold_pages"] >= HOLE_ACKED_NODES and behind >= HOLE_ACKED_SOON_NS
        lost = (
            (stream["acked"] >= node["seq"] and (soon or behind >= HOLE_ACKED_NS))
            or waited >= HOLE_NS
            or (peer["packets"] == 0 and waited >= HOLE_ONE_SIDED_NS)
            or stream["hold_pages"] > STREAM_PAGES_MAX
        )
        if not lost:
            return
        skip_hole(t, stream_row)


@part_kernel
def _hold(t, stream_row, data, offset, caplen, length, seq, ack, before, after):
    """Put one stretch between two waiting nodes (-1 for none); returns the last node's row, -1 when no page is left."""
    stream = t.streams[stream_row]
    done = 0
    while done < length:
        if t.state[Scalar.NODE_FREE] == 0:
            t.counts[Count.PAGES_EXHAUSTED] += 1
            return -1
        t.state[Scalar.NODE_FREE] -= 1
        node_row = np.int64(t.node_free[t.state[Scalar.NODE_FREE]])
        node = t.nodes[node_row]
        stored = min(max(caplen - done, 0), PAGE_BYTES)
        taken = stored if done + stored < caplen else length - done
        copy_bytes(data, offset + done, stored, t.pages, node_row * PAGE_BYTES)
        node["seq"] = seq + done
        node["ack"] = ack
        node["ts"] = t.state[Scalar.NOW]
        node["length"] = taken
        node["caplen"] = stored
        node["next"] = after
        if before < 0:
            stream["hold_head"] = node_row
        else:
            t.nodes[before]["next"] = node_row
        if after < 0:
            stream["hold_tail"] = node_row
        stream["hold_pages"] += 1
        before = node_row
        done += taken
    return before


@part_kernel
def hold_segment(t, stream_row, data, offset, caplen, length, seq, ack):
    """Keep a segment that is ahead of what is expected; what is already waiting keeps its place."""
    stream = t.streams[stream_row]
    if stream["hold_head"] < 0:
        stream["hold_ts"] = t.state[Scalar.NOW]
    before, after = -1, np.int64(stream["hold_head"])
    tail = np.int64(stream["hold_tail"])
    if tail >= 0 and t.nodes[tail]["seq"] + t.nodes[tail]["length"] <= seq:
        before, after = tail, -1
    done = 0
    while done < length:
        while after >= 0 and t.nodes[after]["seq"] + t.nodes[after]["length"] <= seq + done:
            before, after = after, np.int64(t.nodes[after]["next"])
        stop = length
        if after >= 0:
            node = t.nodes[after]
            if node["seq"] <= seq + done:
                again = min(node["seq"] + node["length"], seq + length) - (seq + done)
                if length > 1:  # one byte again is a keep-alive
                    count_again(t, stream_row, again)
                    stream["overlap_bytes"] += again
                    t.counts[Count.OVERLAP_BYTES] += again
                done += again
                continue
            stop = min(length, node["seq"] - seq)
        cap = max(min(caplen, stop) - done, 0)
        before = _hold(t, stream_row, data, offset + done, cap, stop - done, seq + done, ack, before, after)
        if before < 0:
            return
        done = stop


@inline_kernel
def count_again(t, stream_row, length):
    """Bytes of sequence space that were seen before."""
    stream = t.streams[stream_row]
    stream["retransmitted_bytes"] += length
    t.counts[Count.RETRANSMITTED_BYTES] += length
    note(t.flows[stream_row >> 1], LETTER_T, stream_row & 1)
