"""What the answer to a login says: in: the start of its body, its status and where it sends the client; out: the token
that it hands out, whether the login was refused, whether somebody is locked out.

Servers refuse with 401, with 200 and an error in the body, or by sending the client back to where it came from. The one
law: an answer that hands out a token, or sets a session's cookie, has not refused by its words.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.credentials import fingerprint, is_login_path
from sensor.protocols.http1.members import after_value, is_string, next_member, string_end, value_end
from sensor.protocols.http1.tables import Field
from sensor.protocols.http1.words import any_of, find_folded, folded, says_any, short_word
from sensor.schema import TransactionFlag
from sensor.structures.bytesearch import find_byte

ANSWER_BYTES_MAX = 4_096
"""How much of an answer's body is looked at."""
_TOKEN_MIN = 8
_QUERY, _BRACE, _BRACKET = 0x3F, 0x7B, 0x5B
_REFUSALS = any_of("invalid", "incorrec", "fail", "denied", "wrong", "unauthor", "mismatch", "error")
_LOCKS = any_of("locked", "too many", "blocked", "disabled")
_NO_TOKENS = any_of("refresh", "csrf", "xsrf", "type")
_SESSIONS = any_of("jwt", "sess")
_TOKEN, _ACCESS, _SID, _ERROR = folded("token"), folded("access"), folded("sid"), folded("error")
_SUCCESS, _OK, _AUTHENTI, _VALID = folded("success"), folded("ok"), folded("authenti"), folded("valid")
_STATUS, _RESULT, _MESSAGE, _CODE = folded("status"), folded("result"), folded("message"), folded("code")
_NULL, _FALSE, _TRUE = folded("null"), folded("false"), folded("true")


@part_kernel
def says_refused(data, start, stop):
    """Whether a text has one of the words of a refusal."""
    return says_any(data, start, stop, _REFUSALS)


@part_kernel
def says_locked(data, start, stop):
    """Whether a text says that somebody is locked out."""
    return says_any(data, start, stop, _LOCKS)


@part_kernel
def _token_rank(data, key, stop):
    """How likely a member of this name is the token to ask with: 2 access token, 1 token, 0 none."""
    if says_any(data, key, stop, _NO_TOKENS):
        return 0
    if find_folded(data, key, stop, _TOKEN) >= 0:
        return 2 if find_folded(data, key, stop, _ACCESS) >= 0 else 1
    sid = stop - key >= 3 and short_word(data, stop - 3, 3) == _SID
    return 1 if sid or says_any(data, key, stop, _SESSIONS) else 0


@inline_kernel
def _is_nothing(data, value, end):
    """null, false, 0, and what is empty."""
    length = end - value
    if length <= 2:
        return True  # 0, "", [], {}
    word = short_word(data, value, min(length, 5))
    return (length == 4 and word == _NULL) or (length == 5 and word == _FALSE)


@part_kernel
def _refuses(data, key, length, value, end):
    """Whether a member of an answer says that the login was refused."""
    word = short_word(data, key, min(length, 8))
    if find_folded(data, key, key + length, _ERROR) >= 0:
        return not _is_nothing(data, value, end)
    if (length == 7 and word == _SUCCESS) or (length == 2 and word == _OK) or (length == 5 and word == _VALID) or (
        length >= 8 and word == _AUTHENTI
    ):
        return end - value == 5 and short_word(data, value, 5) == _FALSE
    named = (length == 6 and (word == _STATUS or word == _RESULT)) or (length == 7 and word == _MESSAGE)
    if named or (length == 4 and word == _CODE):
        return end - value > 2 and says_refused(data, value, end)
    return False


@inline_kernel
def _read_json(numbers, data, start, stop, row):
    refused = False
    token, token_len, best = start, 0, 0
    depth = 0
    i = start
    while i < stop:
        key, length, value, depth = next_member(data, i, stop, depth)
        if key < 0:
            break
        i = after_value(data, value, stop)
        rank = _token_rank(data, key, key + length)
        if rank > best and is_string(data, value, stop):
            end = string_end(data, value + 1, stop)
            if end < stop and end - value - 1 >= _TOKEN_MIN:
                token, token_len, best = value + 1, end - value - 1, rank
        elif _refuses(data, key, length, value, value_end(data, value, stop)):
            refused = True
    if token_len > 0:
        row["issued"] = fingerprint(numbers, data, token, token_len)
    return refused


@part_kernel
def read_answer(numbers, data, start, stop, row):
    """Look at the body of an answer to a login or a refresh, data[start:stop]: `issued` and flags of the row."""
    begin = start
    while begin < stop and data[np.uint64(begin)] <= 0x20:
        begin += 1
    if begin == stop:
        return
    json = data[np.uint64(begin)] == _BRACE or data[np.uint64(begin)] == _BRACKET
    refused = _read_json(numbers, data, begin, stop, row) if json else says_refused(data, begin, stop)
    if row["issued"] != 0:
        return
    if refused:
        row["flags"] = row["flags"] | TransactionFlag.LOGIN_FAILED
    if says_locked(data, begin, stop):
        row["flags"] = row["flags"] | TransactionFlag.LOCKED


@part_kernel
def read_redirect(field, data, row):
    """A login that is answered with its own form again, or with an error in the new target, was refused; so was what
    is no login and is sent to one: LOGIN_FAILED without LOGIN.
    """
    start, length = field[Field.LOCATION], field[Field.LOCATION + 1]
    stop = start + length
    path = find_byte(data, start, stop, _QUERY)
    login = row["flags"] & TransactionFlag.LOGIN != 0
    if is_login_path(data, start, path) or (login and says_refused(data, start, stop)):
        row["flags"] = row["flags"] | TransactionFlag.LOGIN_FAILED


@inline_kernel
def judge_login(row):
    """What the status of an answered login adds; Basic credentials come with every request, so only 401 speaks of them.
    """
    status = np.int64(row["status_code"])
    flags = np.int64(row["flags"])
    basic = row["account"] != 0 and row["account"] == row["user"]
    if status == 401 or (not basic and (status == 400 or status == 403 or status == 422 or status == 423)):
        flags |= TransactionFlag.LOGIN_FAILED
    if status == 423 or status == 429:
        flags |= TransactionFlag.LOCKED
    row["flags"] = flags
