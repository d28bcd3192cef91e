"""Ending flows: in: packet time; out: ended flows, with what waited for them delivered.

A wheel of one-second buckets holds every flow in the bucket of the earliest second in which it can be due; a flow that
was busy since moves on when its bucket comes round. The one law: flows expire at packet-time seconds, before the packet
that passes that second, so results do not depend on batches.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.limits import NS
from sensor.reassembly.conn_state import conn_state
from sensor.reassembly.flow_table import release_flow
from sensor.reassembly.order import emit, emit_gap, skip_hole
from sensor.reassembly.reuse import forget_asked
from sensor.reassembly.tables import CHUNKS_PER_STEP, WHEEL_SECONDS, Count, Scalar
from sensor.schema import ChunkKind, EndReason, FlowFlag, Proto, TcpState

_TRIES = 64


@inline_kernel
def due_ts(t, flow):
    """When the flow has been idle long enough to end, if nothing comes."""
    if flow["proto"] != Proto.TCP:
        return flow["last_ts"] + t.state[Scalar.IDLE_OTHER_NS]
    if flow["state"] == TcpState.CLOSED:
        return flow["last_ts"] + t.state[Scalar.IDLE_CLOSED_NS]
    if flow["state"] == TcpState.SYN:
        return flow["last_ts"] + t.state[Scalar.IDLE_ATTEMPT_NS]
    return flow["last_ts"] + t.state[Scalar.IDLE_TCP_NS]


@inline_kernel
def unlink(t, row):
    flow = t.flows[row]
    before, after = np.int64(flow["wheel_prev"]), np.int64(flow["wheel_next"])
    t.flows[before]["wheel_next"] = after
    t.flows[after]["wheel_prev"] = before
    if t.wheel[flow["wheel_bucket"]] == row:
        t.wheel[flow["wheel_bucket"]] = after if after != row else -1
    flow["wheel_bucket"] = -1


@inline_kernel
def link(t, row, first):
    """Put the flow behind the others in the bucket of the second it is due in, from second `first` on.

    Nearly one round ahead is the farthest: what is due later comes by again. A bucket is a ring, so that its end is at
    hand.
    """
    flow = t.flows[row]
    second = min(max(due_ts(t, flow) // NS + 1, first), first + WHEEL_SECONDS - 2)
    bucket = second % WHEEL_SECONDS
    flow["wheel_bucket"] = bucket
    head = np.int64(t.wheel[bucket])
    if head < 0:
        head = row
        flow["wheel_prev"] = row
        t.wheel[bucket] = row
    last = np.int64(t.flows[head]["wheel_prev"])
    flow["wheel_prev"] = last
    flow["wheel_next"] = head
    t.flows[last]["wheel_next"] = row
    t.flows[head]["wheel_prev"] = row


@part_kernel
def _flush_stream(t, stream_row):
    """Deliver what still waits, and mark what the other side acknowledged but nobody saw."""
    stream = t.streams[stream_row]
    while stream["hold_head"] >= 0:
        skip_hole(t, stream_row)
    if stream["first"] == 0:
        return
    if stream["fin"] < 0:
        unseen = stream["acked"] - stream["next"]
        if unseen > 1:
            emit_gap(t, stream_row, unseen, -1, t.state[Scalar.NOW], 0)
    elif stream["fin"] > stream["next"]:
        emit_gap(t, stream_row, stream["fin"] - stream["next"], -1, t.state[Scalar.NOW], 0)
        emit(t, stream_row, ChunkKind.FIN, 0, 0, 0, stream["next"], -1, t.state[Scalar.NOW])


@part_kernel
def end_flow(t, row, reason):
    """Both directions are done: deliver what waits, judge the state, free the row. Needs CHUNKS_PER_STEP chunks of
    room.
    """
    flow = t.flows[row]
    t.state[Scalar.FLOW] = row
    _flush_stream(t, 2 * row)
    _flush_stream(t, 2 * row + 1)
    unlink(t, row)
    emit(t, 2 * row, ChunkKind.STOP, 0, 0, 0, 0, -1, t.state[Scalar.NOW])
    emit(t, 2 * row + 1, ChunkKind.STOP, 0, 0, 0, 0, -1, t.state[Scalar.NOW])
    emit(t, 2 * row, ChunkKind.END, 0, 0, 0, 0, -1, t.state[Scalar.NOW])
    flow["conn_state"] = np.uint8(conn_state(t, row))
    flow["end_now"] = t.state[Scalar.NOW]
    if reason == EndReason.IDLE and flow["state"] == TcpState.CLOSED:
        reset = t.streams[2 * row]["reset"] != 0 or t.streams[2 * row + 1]["reset"] != 0
        flow["end_reason"] = EndReason.RESET if reset else EndReason.FIN
    else:
        flow["end_reason"] = reason
    if reason == EndReason.EVICTED:
        flow["flags"] = flow["flags"] | FlowFlag.EVICTED
        t.counts[Count.FLOWS_EVICTED] += 1
    if t.state[Scalar.ASKED] != 0:
        forget_asked(t, row)
    release_flow(t, row)
    t.ended[t.state[Scalar.ENDED]] = row
    t.state[Scalar.ENDED] += 1


@part_kernel
def expire(t, until_ts):
    """End the flows that are due before `until_ts`. False when the chunks are full: call again with room."""
    last = until_ts // NS
    t.state[Scalar.TICK] = max(t.state[Scalar.TICK], last - WHEEL_SECONDS)
    while t.state[Scalar.TICK] <= last:
        tick = t.state[Scalar.TICK]
        bucket = tick % WHEEL_SECONDS
        row = np.int64(t.wheel[bucket])
        while row >= 0:
            if len(t.chunks) - t.state[Scalar.CHUNKS] < CHUNKS_PER_STEP:
                return False
            if due_ts(t, t.flows[row]) < tick * NS:
                t.state[Scalar.NOW] = max(t.state[Scalar.NOW], tick * NS)
                end_flow(t, row, EndReason.IDLE)
                t.counts[Count.FLOWS_EXPIRED] += 1
            else:
                unlink(t, row)
                link(t, row, tick + 1)
            row = np.int64(t.wheel[bucket])
        t.state[Scalar.TICK] = tick + 1
    return True


@part_kernel
def evict_oldest(t):
    """End the flow that would expire first."""
    first = t.state[Scalar.TICK]
    tries = 0
    for second in range(first, first + WHEEL_SECONDS):
        bucket = second % WHEEL_SECONDS
        while t.wheel[bucket] >= 0:
            row = np.int64(t.wheel[bucket])
            tries += 1
            if tries >= _TRIES or due_ts(t, t.flows[row]) // NS + 1 <= second:
                end_flow(t, row, EndReason.EVICTED)
                return
            unlink(t, row)
            link(t, row, second)
            if t.flows[row]["wheel_bucket"] == bucket:
                end_flow(t, row, EndReason.EVICTED)
                return


@part_kernel
def end_next(t):
    """End one flow, in the order in which they would expire. False when none is left."""
    for second in range(t.state[Scalar.TICK], t.state[Scalar.TICK] + WHEEL_SECONDS):
        row = np.int64(t.wheel[second % WHEEL_SECONDS])
        if row >= 0:
            end_flow(t, row, EndReason.CAPTURE_END)
            return True
    return False
