"""Transactions: a request with its response, as a table.

Columns of type u4 named below as codes are codes of the string pool; 0 is "absent". The one law: what leaves the sensor
of a transaction is here, and no secret is.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

TRANSACTION = np.dtype(
    [
        ("ts", "i8"),               # first byte of the request (of the response when the request was not seen)
        ("now", "i8"),              # packet time at which the row was finished; never decreases from row to row
        ("request_end_ts", "i8"),   # 0 when not seen
        ("response_ts", "i8"),      # first byte of the final response, 0 when not seen
        ("response_end_ts", "i8"),  # 0 when not seen
        ("uid_hi", "u8"),           # of the flow; the same 128 bits as Flows has
        ("uid_lo", "u8"),
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("peer_hi", "u8"),          # who connected: the client, or the last proxy before the server
        ("peer_lo", "u8"),
        ("user", "u8"),             # keyed fingerprint of the credential, 0 when there is none
        ("account", "u8"),          # keyed fingerprint of the name a login request gives, 0 when there is none
        ("subject", "u8"),          # keyed fingerprint of who the credential stands for, 0 when it does not tell
        ("role", "u8"),             # fingerprint of the roles and scopes that the token names, 0 when it names none
        ("issued", "u8"),           # keyed fingerprint of the token that the response hands out, 0 when it does not
        ("object_id", "u8"),        # fingerprint of the ids in the target, 0 when there are none
        ("object_number", "i8"),    # the last of these ids when it is a number, else -1
        ("token_expires", "i8"),    # when the token says it ends, 0 when it does not say
        ("stack", "u8"),            # what the client's software is like, see structures/client_stack.py
        ("request_body_len", "i8"),     # exact, or the lower bound
        ("request_body_max", "i8"),     # upper bound; equal when exact; -1 when unbounded
        ("response_body_len", "i8"),
        ("response_body_max", "i8"),
        ("request_missing_bytes", "i8"),   # of the message, body and trailing framing, that nobody saw
        ("response_missing_bytes", "i8"),
        ("anomalies", "u8"),        # Anomaly
        ("flow", "i8"),             # serial of the flow
        ("trans_depth", "i4"),      # 1 for the first on its connection
        ("records", "i4"),          # records counted in the response body, -1 when not counted
        ("request_messages", "i4"), # gRPC messages in the request, -1 when it is not gRPC or bytes were lost
        ("response_messages", "i4"),
        ("page", "i4"),             # page or offset that the query asks for, -2 when it is a cursor, -1 when none
        ("token_seconds", "u4"),    # from the token's issue to its end, 0 when it does not say
        ("subject_name", "u4"),     # code, who the credential stands for; only when names are shown
        ("method", "u4"),           # code
        ("host", "u4"),             # code
        ("uri", "u4"),              # code, secrets replaced
        ("endpoint", "u4"),         # code, the path as a template
        ("user_agent", "u4"),       # code
        ("referrer", "u4"),         # code, secrets replaced
        ("request_content_type", "u4"),   # code
        ("response_content_type", "u4"),  # code
        ("status_msg", "u4"),       # code
        ("auth_scheme", "u4"),      # code: basic, bearer, cookie, api-key ...
        ("tunnel_id", "u4"),
        ("client_port", "u2"),
        ("server_port", "u2"),
        ("vlan", "u2"),
        ("status_code", "u2"),      # 0 when no response was seen
        ("grpc_status", "i2"),      # -1 when none was seen
        ("flags", "u2"),            # TransactionFlag
        ("version", "u1"),          # 10, 11, 20; 9 for HTTP/0.9; 0 when unknown
        ("tunnel", "u1"),
        ("proto", "u1"),
        ("token_flags", "u1"),      # TokenFlag
    ],
    align=True,
)


class TransactionFlag(IntEnum):
    REQUEST = 1            # the request's head was seen
    RESPONSE = 2           # the response's head was seen
    REQUEST_DONE = 4       # the request was seen to its end
    RESPONSE_DONE = 8      # the response was seen to its end
    LOGIN = 16             # the endpoint takes logins (by its name, or by Basic credentials)
    TOUCHED = 32           # its flow was evicted, shed or marked by a fault
    LOGIN_FAILED = 64      # a login that was refused: by its status, by an error in its 2xx body, or sent back to it
    LOCKED = 128           # the answer says that the account or the client is locked out for a while
    LOGOUT = 256           # the endpoint ends a session, by its name
    REFRESH = 512          # the endpoint renews a token, by its name
    URL_SECRET = 1024      # a credential or password stands in the request target


class TokenFlag(IntEnum):
    """What a request's token says of itself (RFC 7519), at the time of its use."""

    JWT = 1
    UNSIGNED = 2           # its algorithm is none
    ENDLESS = 4            # it has no end
    EXPIRED = 8            # it had ended when the request began
    IN_URL = 16            # it stood in the request target
    COOKIE = 32            # it is a session cookie


class Anomaly(IntEnum):
    """What was odd about a message; the name in lower case is what the `anomalies` column lists."""

    REQUEST_MISSING = 1 << 0         # a response whose request was not seen
    RESPONSE_MISSING = 1 << 1        # the connection went on or ended without the response
    REQUEST_GAP = 1 << 2             # bytes of the request were lost
    RESPONSE_GAP = 1 << 3
    REQUEST_UNFINISHED = 1 << 4      # the stream ended inside the message
    RESPONSE_UNFINISHED = 1 << 5
    REQUEST_LENGTH_BOUND = 1 << 6    # the body length is a lower bound
    RESPONSE_LENGTH_BOUND = 1 << 7
    CL_TE = 1 << 8                   # Content-Length with Transfer-Encoding
    CL_CONFLICT = 1 << 9             # several Content-Lengths that differ
    CL_INVALID = 1 << 10
    CHUNK_INVALID = 1 << 11          # a chunk size that is not one, or is too large
    HEAD_TOO_LARGE = 1 << 12
    BARE_LF = 1 << 13
    FOLDED_HEADER = 1 << 14
    HEADER_INVALID = 1 << 15         # a header line without a colon, or with a bad name
    VERSION_INVALID = 1 << 16
    MIDSTREAM = 1 << 17              # the connection was joined midway
    PAIRING_AMBIGUOUS = 1 << 18      # a loss left no way to tell which request this answers
    EARLY_RESPONSE = 1 << 19         # the response began before the request ended
    NONASCII_URI = 1 << 20
    HOST_MISSING = 1 << 21           # HTTP/1.1 without Host
    TE_INVALID = 1 << 22             # a Transfer-Encoding that does not end in chunked
    HPACK_LOST = 1 << 23             # HTTP/2: header fields that nothing seen tells, behind a loss or a late start
    HEADER_BOMB = 1 << 24            # HTTP/2: a header block that decodes to far more than it is
    CONTINUATION_FLOOD = 1 << 25     # HTTP/2: a header block in more frames than any library makes
    RAPID_RESET = 1 << 26            # HTTP/2: one of a great many streams that the client reset within a second
    REQUEST_RESET = 1 << 27          # HTTP/2: the client reset the stream
    RESPONSE_RESET = 1 << 28         # HTTP/2: the server reset the stream
    HEADER_FORBIDDEN = 1 << 29       # HTTP/2: a header field that only HTTP/1 may have (Transfer-Encoding ...)
    LENGTH_MISMATCH = 1 << 30        # HTTP/2: Content-Length differs from the body
    PUSHED = 1 << 31                 # HTTP/2: the server promised the request itself
    REQUEST_BOMB = 1 << 32           # a coded body that decodes to far more than any real one does
    RESPONSE_BOMB = 1 << 33
