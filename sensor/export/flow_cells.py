"""FLOW and STREAM rows to cells: in: rows in the order in which they leave, two streams a flow; out: a slice of cells
and the texts made for it.

The one law: every conversion (units, null, names of numbers) of flows is in this file.
"""

import numpy as np

from sensor._jit import Bytes, I64s, inline_kernel, kernel
from sensor.export.columns import FLOW_COLUMNS, FLOW_DIRECTION_COLUMNS, FLOW_RECORD_COLUMNS
from sensor.export.json_lines import NULL
from sensor.export.texts import put_address, put_history, put_uid
from sensor.schema import FLOW, STREAM, ConnState, FlowFlag, Proto
from sensor.structures.community_id_kernels import TEXT_BYTES, put_community_id
from sensor.structures.uid import flow_uid

(
    TS, UID, ORIG_H, ORIG_P, RESP_H, RESP_P, PROTO, SERVICE, DURATION, ORIG_BYTES, RESP_BYTES, CONN_STATE, MISSED_BYTES,
    MISSED_EXACT, HISTORY, ORIG_PKTS, ORIG_IP_BYTES, RESP_PKTS, RESP_IP_BYTES, COMMUNITY_ID, VLAN, TUNNEL, TUNNEL_ID,
    END_REASON, ORIG,
) = range(len(FLOW_COLUMNS) - 2 * FLOW_DIRECTION_COLUMNS - len(FLOW_RECORD_COLUMNS) + 1)  # fmt: skip
"""Where each column's cell is in a row; ORIG is the first of the originator's own."""
(
    SIZE_MIN, SIZE_MEAN, SIZE_MAX, SIZE_DEVIATION, INTERVAL_MIN, INTERVAL_MEAN, INTERVAL_MAX, INTERVAL_DEVIATION,
    RETRANSMITTED_BYTES, MISSING_BYTES, OVERLAP_BYTES, OUT_OF_ORDER_PKTS, DUP_PKTS, DUP_IP_BYTES, UNSURE_DUP_PKTS,
    ACK_MIN, TCP_FLAGS,
) = range(FLOW_DIRECTION_COLUMNS)  # fmt: skip
"""Where they are behind the first of a direction's own."""
_COLUMNS = len(FLOW_COLUMNS)
RECORDS = _COLUMNS - len(FLOW_RECORD_COLUMNS)
"""The first of those about TLS records; null here, filled for the few flows that have them."""
_EXACT = 1 << ConnState.SF | 1 << ConnState.RSTO | 1 << ConnState.RSTR | 1 << ConnState.REJ


@inline_kernel
def _put_spread(cells, cell, low, high, total, squares, count, scale):
    """Minimum, mean, maximum and population standard deviation; null where there is nothing to take them of."""
    if count < 1:
        for i in range(4):
            cells[cell + i] = NULL
        return
    mean = total / count
    variance = squares / count - mean * mean
    cells[cell] = low
    cells[cell + 1] = np.int64(np.rint(mean * scale))
    cells[cell + 2] = high
    cells[cell + 3] = np.int64(np.rint(np.sqrt(max(variance, 0.0)) * scale))


@inline_kernel
def _put_direction(cells, cell, stream, flags):
    """What one side has of its own."""
    packets = stream["packets"]
    _put_spread(
        cells, cell + SIZE_MIN, stream["size_min"], stream["size_max"], stream["ip_bytes"], stream["size_sumsq"],
        packets, 1_000.0,
    )  # fmt: skip
    _put_spread(
        cells, cell + INTERVAL_MIN, stream["gap_min"], stream["gap_max"], stream["gap_sum"], stream["gap_sumsq"],
        packets - 1, 1.0,
    )  # fmt: skip
    cells[cell + RETRANSMITTED_BYTES] = stream["retransmitted_bytes"]
    cells[cell + MISSING_BYTES] = stream["missing_bytes"]
    cells[cell + OVERLAP_BYTES] = stream["overlap_bytes"]
    cells[cell + OUT_OF_ORDER_PKTS] = stream["out_of_order_packets"]
    cells[cell + DUP_PKTS] = stream["duplicate_packets"]
    cells[cell + DUP_IP_BYTES] = stream["duplicate_bytes"]
    cells[cell + UNSURE_DUP_PKTS] = stream["unsure_packets"]
    cells[cell + ACK_MIN] = stream["round_min"] if stream["round_min"] != 0 else NULL
    cells[cell + TCP_FLAGS] = flags[np.int64(stream["tcp_flags"])]


@inline_kernel
def _bytes_once(stream, tcp):
    """Payload; of TCP the sequence space that it covers."""
    if not tcp:
        return stream["payload_bytes"]
    lost = stream["missing_bytes"] - stream["cut_bytes"]  # what was cut off is in the payload
    return max(stream["payload_bytes"] - stream["retransmitted_bytes"] + lost, 0)


@inline_kernel
def _put_texts(cells, cell, row, letters, work, offsets, data, text):
    """uid, Community ID, both addresses and the history, numbered from `text`."""
    uid_hi, uid_lo = flow_uid(row)
    offsets[text + 1] = put_uid(data, offsets[text], uid_hi, uid_lo)
    put_community_id(
        work, data, offsets[text + 1], row["orig_hi"], row["orig_lo"], row["resp_hi"], row["resp_lo"],
        np.int64(row["orig_port"]), np.int64(row["resp_port"]), np.int64(row["proto"]),
    )  # fmt: skip
    offsets[text + 2] = offsets[text + 1] + TEXT_BYTES
    offsets[text + 3] = put_address(data, offsets[text + 2], row["orig_hi"], row["orig_lo"])
    offsets[text + 4] = put_address(data, offsets[text + 3], row["resp_hi"], row["resp_lo"])
    offsets[text + 5] = put_history(data, offsets[text + 4], row["history_low"], row["history_high"], letters)
    cells[cell + UID], cells[cell + COMMUNITY_ID] = text, text + 1
    cells[cell + ORIG_H], cells[cell + RESP_H] = text + 2, text + 3
    cells[cell + HISTORY] = text + 4 if row["history_low"] != 0 else 0
    return text + 5


@inline_kernel
def _put_flow(cells, cell, row, tunnels, protos, states, reasons, services):
    cells[cell + TS] = row["start_ts"]
    cells[cell + DURATION] = row["last_ts"] - row["start_ts"]
    cells[cell + ORIG_P], cells[cell + RESP_P] = row["orig_port"], row["resp_port"]
    cells[cell + PROTO] = protos[np.int64(row["proto"])]
    cells[cell + SERVICE] = services[np.int64(row["service"])]
    cells[cell + CONN_STATE] = states[np.int64(row["conn_state"])]
    whole = 1 if row["flags"] & FlowFlag.MIDSTREAM == 0 else 0
    cells[cell + MISSED_EXACT] = _EXACT >> np.int64(row["conn_state"]) & whole
    cells[cell + END_REASON] = reasons[np.int64(row["end_reason"])]
    cells[cell + VLAN] = row["vlan"] if row["vlan"] != 0 else NULL
    cells[cell + TUNNEL] = tunnels[np.int64(row["tunnel"])]
    cells[cell + TUNNEL_ID] = row["tunnel_id"] if row["tunnel"] != 0 else NULL


@kernel
def flow_cells(
    rows: FLOW, streams: STREAM, order: I64s, start: int, n: int, tunnels: I64s, protos: I64s, states: I64s,
    reasons: I64s, services: I64s, flags: I64s, letters: Bytes, work: I64s, cells: I64s, offsets: I64s, data: Bytes,
    text: int,
) -> None:  # fmt: skip
    """Fill the cells of flows order[start:start + n], whose streams are 2 * row and 2 * row + 1; the texts made for
    them are numbered from `text`.

    `tunnels` to `flags` turn a value into its word's number, `letters` are those of the history; `work` is WORK_WORDS
    of scratch.
    """
    for i in range(n):
        at_row = order[start + i]
        row, cell = rows[at_row], i * _COLUMNS
        text = _put_texts(cells, cell, row, letters, work, offsets, data, text)
        _put_flow(cells, cell, row, tunnels, protos, states, reasons, services)
        missed = np.int64(0)
        for side in range(2):
            stream = streams[2 * at_row + side]
            cells[cell + ORIG_BYTES + side] = _bytes_once(stream, row["proto"] == Proto.TCP)
            cells[cell + ORIG_PKTS + 2 * side] = stream["packets"]
            cells[cell + ORIG_IP_BYTES + 2 * side] = stream["ip_bytes"]
            _put_direction(cells, cell + ORIG + FLOW_DIRECTION_COLUMNS * side, stream, flags)
            missed += stream["missing_bytes"]
        cells[cell + MISSED_BYTES] = missed
        for column in range(RECORDS, _COLUMNS):
            cells[cell + column] = NULL
