"""TRANSACTION rows to cells: in: rows in the order in which they leave and the numbers of their kept texts; out: a
slice of cells and the texts made for it.

What names a connection (uid, Community ID, addresses) is made once and copied for the connection's other transactions:
it lies in a small table by the flow's serial, and is good only for rows whose uid, addresses and ports are the same.
The one law: every conversion (units, null, names of numbers) of transactions is in this file.
"""

import numpy as np

from sensor._jit import Bytes, I32s, I64s, inline_kernel, kernel
from sensor.export.columns import TRANSACTION_COLUMNS
from sensor.export.json_lines import NULL
from sensor.export.texts import UID_BYTES, put_address, put_hex, put_uid
from sensor.schema import TRANSACTION, Anomaly, TransactionFlag
from sensor.structures.bytesearch import copy32
from sensor.structures.community_id_kernels import TEXT_BYTES, put_community_id

CONNECTION = np.dtype(
    [
        ("uid_hi", "u8"), ("uid_lo", "u8"), ("client_hi", "u8"), ("client_lo", "u8"), ("server_hi", "u8"),
        ("server_lo", "u8"), ("client_port", "u2"), ("server_port", "u2"), ("proto", "u2"), ("filled", "u2"),
        ("client_end", "i8"), ("server_end", "i8"),
    ]
)  # fmt: skip
"""A connection whose texts are known: uid, Community ID, client's and server's address, one after the other."""
CONNECTION_BYTES = 192
CONNECTIONS = 4_096

(
    TS, UID, COMMUNITY_ID, CLIENT_IP, CLIENT_PORT, SERVER_IP, SERVER_PORT, VLAN, TRANS_DEPTH, METHOD, HOST, URI,
    ENDPOINT, VERSION, USER_AGENT, REFERRER, REQUEST_CONTENT_TYPE, RESPONSE_CONTENT_TYPE, REQUEST_BODY_LEN,
    RESPONSE_BODY_LEN, STATUS_CODE, STATUS_MSG, AUTH_SCHEME, USER, REQUEST_MS, WAIT_MS, RESPONSE_MS, COMPLETE,
    ANOMALIES, REQUEST_BODY_LEN_MAX, RESPONSE_BODY_LEN_MAX, RECORDS, TUNNEL, TUNNEL_ID, ACCOUNT, GRPC_STATUS,
    REQUEST_MESSAGES, RESPONSE_MESSAGES, REQUEST_MISSING_BYTES, RESPONSE_MISSING_BYTES,
) = range(len(TRANSACTION_COLUMNS))  # fmt: skip
"""Where each column's cell is in a row."""
_COLUMNS = len(TRANSACTION_COLUMNS)
_FIELDS = 10
HTTP_2 = 20
_ENDS = int(
    TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.REQUEST_DONE | TransactionFlag.RESPONSE_DONE
)
_GAPS = np.uint64(Anomaly.REQUEST_GAP | Anomaly.RESPONSE_GAP)


@inline_kernel
def _is_known(known, row):
    return (
        known["filled"] != 0
        and known["uid_hi"] == row["uid_hi"]
        and known["uid_lo"] == row["uid_lo"]
        and known["client_hi"] == row["client_hi"]
        and known["client_lo"] == row["client_lo"]
        and known["server_hi"] == row["server_hi"]
        and known["server_lo"] == row["server_lo"]
        and known["client_port"] == row["client_port"]
        and known["server_port"] == row["server_port"]
        and known["proto"] == row["proto"]
    )


@inline_kernel
def _learn(known, row, texts, start, work):
    """Make the texts of the row's connection at texts[start:]."""
    known["uid_hi"], known["uid_lo"] = row["uid_hi"], row["uid_lo"]
    known["client_hi"], known["client_lo"] = row["client_hi"], row["client_lo"]
    known["server_hi"], known["server_lo"] = row["server_hi"], row["server_lo"]
    known["client_port"], known["server_port"] = row["client_port"], row["server_port"]
    known["proto"], known["filled"] = row["proto"], 1
    position = put_uid(texts, start, row["uid_hi"], row["uid_lo"])
    put_community_id(
        work, texts, position, row["peer_hi"], row["peer_lo"], row["server_hi"], row["server_lo"],
        np.int64(row["client_port"]), np.int64(row["server_port"]), np.int64(row["proto"]),
    )  # fmt: skip
    position = put_address(texts, position + TEXT_BYTES, row["client_hi"], row["client_lo"])
    known["client_end"] = position - start
    known["server_end"] = put_address(texts, position, row["server_hi"], row["server_lo"]) - start


@inline_kernel
def _put_connection(cells, cell, row, connections, connection_texts, work, offsets, data, text):
    """The four texts of a connection, numbered from `text`."""
    slot = np.int64(row["flow"]) & (len(connections) - 1)
    known, start = connections[slot], slot * CONNECTION_BYTES
    if not _is_known(known, row):
        _learn(known, row, connection_texts, start, work)
    position = offsets[text]
    for i in range(0, known["server_end"], 32):
        copy32(connection_texts, start + i, data, position + i)
    offsets[text + 1], offsets[text + 2] = position + UID_BYTES, position + UID_BYTES + TEXT_BYTES
    offsets[text + 3], offsets[text + 4] = position + known["client_end"], position + known["server_end"]
    cells[cell + UID], cells[cell + COMMUNITY_ID] = text, text + 1
    cells[cell + CLIENT_IP], cells[cell + SERVER_IP] = text + 2, text + 3
    cells[cell + CLIENT_PORT], cells[cell + SERVER_PORT] = row["client_port"], row["server_port"]
    return text + 4


@inline_kernel
def _put_fingerprint(cells, cell, word, offsets, data, text):
    """Sixteen hexadecimal digits; null for 0."""
    if word == 0:
        cells[cell] = 0
        return text
    offsets[text + 1] = put_hex(data, offsets[text], word)
    cells[cell] = text
    return text + 1


@inline_kernel
def _put_codes(cells, cell, row, numbers, at_number, tunnels, versions):
    """The kept texts, and what has a name or stands for itself."""
    for i in range(4):  # method, host, uri, endpoint
        cells[cell + METHOD + i] = numbers[at_number + i]
    for i in range(4):  # user_agent, referrer and the two content types
        cells[cell + USER_AGENT + i] = numbers[at_number + 4 + i]
    cells[cell + STATUS_MSG] = numbers[at_number + 8]
    cells[cell + AUTH_SCHEME] = numbers[at_number + 9]
    cells[cell + VERSION] = versions[np.int64(row["version"])]
    cells[cell + TRANS_DEPTH] = row["trans_depth"]
    cells[cell + STATUS_CODE] = row["status_code"] if row["status_code"] != 0 else NULL
    cells[cell + VLAN] = row["vlan"] if row["vlan"] != 0 else NULL
    cells[cell + TUNNEL] = tunnels[np.int64(row["tunnel"])]
    cells[cell + TUNNEL_ID] = row["tunnel_id"] if row["tunnel"] != 0 else NULL


@inline_kernel
def _put_body(cells, at_len, at_max, seen, length, bound):
    cells[at_len] = length if seen else NULL
    cells[at_max] = bound if seen and bound >= 0 else NULL


@inline_kernel
def _put_messages(cells, cell, row):
    """Bodies, times and what was odd."""
    flags = np.int64(row["flags"])
    request, response = (flags & TransactionFlag.REQUEST) != 0, (flags & TransactionFlag.RESPONSE) != 0
    body, bound = row["request_body_len"], row["request_body_max"]
    _put_body(cells, cell + REQUEST_BODY_LEN, cell + REQUEST_BODY_LEN_MAX, request, body, bound)
    body, bound = row["response_body_len"], row["response_body_max"]
    _put_body(cells, cell + RESPONSE_BODY_LEN, cell + RESPONSE_BODY_LEN_MAX, response, body, bound)
    cells[cell + RECORDS] = row["records"] if row["records"] >= 0 else NULL
    cells[cell + GRPC_STATUS] = row["grpc_status"] if row["grpc_status"] >= 0 else NULL
    cells[cell + REQUEST_MESSAGES] = row["request_messages"] if row["request_messages"] >= 0 else NULL
    # of a connection that lost HTTP/2 frames nobody knows whose they were
    untold = row["anomalies"] & _GAPS if row["version"] == HTTP_2 else np.uint64(0)
    cells[cell + REQUEST_MISSING_BYTES] = row["request_missing_bytes"] if request and untold == 0 else NULL
    cells[cell + RESPONSE_MISSING_BYTES] = row["response_missing_bytes"] if response and untold == 0 else NULL
    cells[cell + RESPONSE_MESSAGES] = row["response_messages"] if row["response_messages"] >= 0 else NULL
    cells[cell + COMPLETE] = (flags & _ENDS) == _ENDS and (row["anomalies"] & _GAPS) == 0
    cells[cell + ANOMALIES] = np.int64(row["anomalies"])
    ts, request_end = row["ts"], row["request_end_ts"]
    answer, answer_end = row["response_ts"], row["response_end_ts"]
    cells[cell + TS] = ts
    cells[cell + REQUEST_MS] = request_end - ts if request and request_end != 0 else NULL
    cells[cell + WAIT_MS] = answer - request_end if answer != 0 and request_end != 0 else NULL
    cells[cell + RESPONSE_MS] = answer_end - answer if answer != 0 and answer_end != 0 else NULL


@kernel
def transaction_cells(
    rows: TRANSACTION, order: I64s, start: int, n: int, numbers: I32s, tunnels: I64s, versions: I64s,
    connections: CONNECTION, connection_texts: Bytes, work: I64s, cells: I64s, offsets: I64s, data: Bytes, text: int,
) -> None:  # fmt: skip
    """Fill the cells of rows order[start:start + n]; the texts made for them are numbered from `text`.

    numbers[10 * r + i] is the kept text of row r for the i-th POOLED column; `tunnels` and `versions` turn a value
    into its word's number. `work` is WORK_WORDS of scratch.
    """
    for i in range(n):
        at_row = order[start + i]
        row = rows[at_row]
        cell = i * _COLUMNS
        text = _put_connection(cells, cell, row, connections, connection_texts, work, offsets, data, text)
        text = _put_fingerprint(cells, cell + USER, row["user"], offsets, data, text)
        text = _put_fingerprint(cells, cell + ACCOUNT, row["account"], offsets, data, text)
        _put_codes(cells, cell, row, numbers, _FIELDS * at_row, tunnels, versions)
        _put_messages(cells, cell, row)
