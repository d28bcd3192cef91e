"""What a JSON Web Token says (RFC 7519): in: a credential; out: the columns of its row that speak of it.

A token is decoded when it is first seen; what it said is kept by its fingerprint in a small table, of which a slot is
the token's that came last, so that it costs one look to use it again. The signature cannot be checked without the key:
what a token says counts only as far as the server accepted it. The one law: claims are never stored, only their
fingerprints.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.limits import NS
from sensor.protocols.http1.credentials import base64_value, fingerprint
from sensor.protocols.http1.members import (
    after_value,
    is_string,
    key_word,
    next_member,
    string_end,
    value_end,
    whole_number,
)
from sensor.protocols.http1.secret_names import NAME_MAX
from sensor.protocols.http1.tables import NAME_AT, Scalar
from sensor.protocols.http1.words import folded, short_word
from sensor.schema import TokenFlag
from sensor.structures.bytesearch import find_byte
from sensor.structures.hashing import hash_bytes

TOKEN_AT = NAME_AT + 4 * NAME_MAX
"""In `scratch`: where a token's parts are decoded to."""
_PART_BYTES_MAX = 4_096
"""How much of a token's header or payload is read; tokens of large groups of roles are longer, and need not be."""
_SECONDS_MAX = 9_000_000_000
"""Times beyond it are milliseconds: as seconds it would be the year 2255."""
_DOT = 0x2E
_ALG, _NONE, _SUB, _EXP, _IAT = folded("alg"), folded("none"), folded("sub"), folded("exp"), folded("iat")
_UID, _USER_ID, _USERNAME, _EMAIL = folded("uid"), folded("user_id"), folded("username"), folded("email")
_ROLE, _ROLES, _SCOPE, _SCP = folded("role"), folded("roles"), folded("scope"), folded("scp")
_GROUPS, _IS_ADMIN, _ADMIN, _OID = folded("groups"), folded("is_admin"), folded("admin"), folded("oid")


@inline_kernel
def begins_jwt(data, start):
    """Whether a value begins like a JSON Web Token: `eyJ`."""
    return at(data, start) == 0x65 and at(data, start + 1) == 0x79 and at(data, start + 2) == 0x4A


@part_kernel
def decode_part(data, start, stop, out, position):
    """Decode base64url at data[start:stop] to out[position:]; returns the end."""
    limit = position + _PART_BYTES_MAX
    bits = 0
    held = 0
    for i in range(start, stop):
        value = base64_value(at(data, i))
        if value < 0 or position == limit:
            break
        held = ((held << 6) | value) & 0xFFFF
        bits += 6
        if bits >= 8:
            bits -= 8
            out[position] = np.uint8((held >> bits) & 255)
            position += 1
    return position


@inline_kernel
def _seconds(data, value, stop):
    number = whole_number(data, value, stop)
    return number // 1_000 if number > _SECONDS_MAX else max(number, 0)


@inline_kernel
def _is_unsigned(data, start, stop):
    """Whether a decoded header says that the algorithm is none."""
    depth = 0
    i = start
    while i < stop:
        key, length, value, depth = next_member(data, i, stop, depth)
        if key < 0:
            return False
        if depth == 1 and key_word(data, key, length) == _ALG and is_string(data, value, stop):
            end = string_end(data, value + 1, stop)
            return end - value - 1 == 4 and short_word(data, value + 1, 4) == _NONE
        i = after_value(data, value, stop)
    return False


@inline_kernel
def _read_claims(t, start, stop, token):
    """The claims at work[start:stop] into `token`; returns where the subject's name lies and its length."""
    data = t.work
    issued = 0
    name, name_len, rank = start, 0, 9
    depth = 0
    i = start
    while i < stop:
        key, length, value, depth = next_member(data, i, stop, depth)
        if key < 0:
            break
        i = after_value(data, value, stop)
        word = key_word(data, key, length)
        if depth != 1 or word == 0:
            continue
        if word == _EXP:
            token["expires"] = _seconds(data, value, stop) * NS
        elif word == _IAT:
            issued = _seconds(data, value, stop)
        elif word == _SUB or word == _USER_ID or word == _UID or word == _USERNAME or word == _EMAIL or word == _OID:
            own = 0 if word == _SUB else (1 if word == _USER_ID or word == _UID or word == _OID else 2)
            quoted = is_string(data, value, stop)
            end = value_end(data, value, stop)
            if own < rank and end > value and (quoted or whole_number(data, value, stop) >= 0):
                rank = own
                name = value + 1 if quoted else value
                name_len = end - value - 2 if quoted else end - value
        elif (
            word == _ROLE or word == _ROLES or word == _SCOPE or word == _SCP or word == _GROUPS or word == _IS_ADMIN
            or word == _ADMIN
        ):  # fmt: skip
            end = value_end(data, value, stop)
            token["role"] = hash_bytes(np.uint64(token["role"]) ^ word, data, value, end - value) | np.uint64(1)
    seconds = token["expires"] // NS
    token["seconds"] = min(seconds - issued, 0xFFFFFFFF) if 0 < issued < seconds else 0
    return name, name_len


@part_kernel
def read_token(t, data, start, length, token):
    """Fill `token` (TOKEN, its user already set) from a credential; returns (start, length) of the name in `work`."""
    token["subject"] = np.uint64(0)
    token["role"] = np.uint64(0)
    token["expires"] = 0
    token["seconds"] = 0
    token["flags"] = 0
    stop = start + length
    if length < 10 or not begins_jwt(data, start):
        return start, 0
    first = find_byte(data, start, stop, _DOT)
    second = find_byte(data, min(first + 1, stop), stop, _DOT)
    if second >= stop:
        return start, 0
    end = decode_part(data, start, first, t.work, TOKEN_AT)
    flags = np.int64(TokenFlag.JWT)
    if _is_unsigned(t.work, TOKEN_AT, end):
        flags |= TokenFlag.UNSIGNED
    end = decode_part(data, first + 1, second, t.work, TOKEN_AT)
    name, name_len = _read_claims(t, TOKEN_AT, end, token)
    if end == TOKEN_AT or at(t.work, TOKEN_AT) != 0x7B:
        return start, 0  # encrypted (RFC 7516): five parts, of which none can be read
    token["subject"] = fingerprint(t.numbers, t.work, name, name_len)
    if token["expires"] == 0:
        flags |= TokenFlag.ENDLESS
    token["flags"] = flags
    return name, name_len


@inline_kernel
def token_place(t, user):
    """Where the token of this fingerprint is kept, if it is."""
    return np.int64((user >> np.uint64(8)) & np.uint64(len(t.tokens) - 1))


@inline_kernel
def token_slot(t, user):
    """The slot in which the token of this fingerprint is kept, if it is."""
    return t.tokens[token_place(t, user)]


@inline_kernel
def use_token(t, data, start, length, row):
    """What the credential at data[start:start+length], whose fingerprint `row` has, says; returns whom it names, as
    (start, length) in `work`, when names are shown.
    """
    token = token_slot(t, row["user"])
    name, name_len = 0, 0
    if token["user"] != row["user"] or t.numbers[Scalar.SHOW_NAMES] != 0:
        token["user"] = row["user"]
        name, name_len = read_token(t, data, start, length, token)
    row["subject"] = token["subject"]
    row["role"] = token["role"]
    row["token_expires"] = token["expires"]
    row["token_seconds"] = token["seconds"]
    flags = np.int64(token["flags"])
    if 0 < token["expires"] <= row["ts"]:
        flags |= TokenFlag.EXPIRED
    row["token_flags"] = flags
    return name, name_len
