"""Who a request says it is: in: Authorization, API-key and Cookie headers, login bodies; out: fingerprints.

A fingerprint is SipHash-2-4 under the sensor's key, never 0. The one law: what is hashed is never stored.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1 import words
from sensor.protocols.http1.escapes import json_string_end, put_form_text, put_json_text
from sensor.protocols.http1.tables import CLEAN_AT, Scalar
from sensor.protocols.http1.words import any_of, find_folded, folded, is_letter, says_any, short_word
from sensor.schema import TransactionFlag
from sensor.structures.bytesearch import find_byte
from sensor.structures.hashing import siphash

_SESSIONS = any_of("sess", "token", "auth", "jwt")
_LOGOUTS = any_of("logout", "signout", "sign-out", "revoke")
_ACCOUNTS = any_of("refresh", "logout", "signout", "regist", "signup", "reset", "verify", "password")
_CODES = any_of("otp", "mfa", "2fa")
_LOGINS = any_of(
    "login", "signin", "sign-in", "sign_in", "logon", "authenti", "token", "session", "anmeld", "connexio", "iniciar",
    "accedi",
)  # fmt: skip
_AUTH, _SID, _SRF, _REFRESH = folded("auth"), folded("sid"), folded("srf"), folded("refresh")
_USER, _EMAIL, _LOGI, _ACCOUNT = folded("user"), folded("email"), folded("logi"), folded("account")
_BENUTZER, _USUARIO, _UTILIS, _IDENTIF = folded("benutzer"), folded("usuario"), folded("utilis"), folded("identif")
_MAIL, _CORREO = folded("mail"), folded("correo")
_QUOTE, _COLON, _EQUAL, _AMP, _SEMI, _SP = 0x22, 0x3A, 0x3D, 0x26, 0x3B, 0x20
_KEY_MAX = 120
"""Twenty letters, the longest key that names an account, as JSON escapes."""


@inline_kernel
def fingerprint(numbers, data, start, length):
    """64 bits that stand for data[start:start+length]; 0 for the empty string only."""
    if length <= 0:
        return np.uint64(0)
    key_low, key_high = np.uint64(numbers[Scalar.KEY_LOW]), np.uint64(numbers[Scalar.KEY_HIGH])
    return siphash(key_low, key_high, data, start, length) | np.uint64(1)


@inline_kernel
def base64_value(byte):
    if 0x41 <= byte <= 0x5A:
        return byte - 0x41
    if 0x61 <= byte <= 0x7A:
        return byte - 0x61 + 26
    if 0x30 <= byte <= 0x39:
        return byte - 0x30 + 52
    if byte == 0x2B or byte == 0x2D:
        return 62
    if byte == 0x2F or byte == 0x5F:
        return 63
    return -1


@part_kernel
def basic_user(data, start, stop, scratch):
    """Decode Basic credentials (RFC 7617) up to the colon into scratch; returns the length of the user's name."""
    bits = 0
    held = 0
    length = 0
    for i in range(start, min(stop, start + 1024)):
        value = base64_value(at(data, i))
        if value < 0:
            break
        held = ((held << 6) | value) & 0xFFFF
        bits += 6
        if bits >= 8:
            bits -= 8
            byte = (held >> bits) & 255
            if byte == _COLON:
                return length
            scratch[length] = np.uint8(byte)
            length += 1
    return length


@part_kernel
def session_cookie(data, start, stop):
    """(start, length) of the value of the first cookie whose name is a session's, or (start, 0).

    Tokens against request forgery (csrf, xsrf) are none.
    """
    i = start
    while i < stop:
        while i < stop and (at(data, i) == _SP or at(data, i) == _SEMI):
            i += 1
        end = find_byte(data, i, stop, _SEMI)
        equal = find_byte(data, i, end, _EQUAL)
        if equal < end and find_folded(data, i, equal, _SRF) < 0 and (
            says_any(data, i, equal, _SESSIONS) or (equal - i >= 3 and short_word(data, equal - 3, 3) == _SID)
        ):
            return equal + 1, end - equal - 1
        i = end + 1
    return start, 0


@inline_kernel
def scheme_length(data, start, stop):
    """Letters of the scheme's name at the head of an Authorization value."""
    i = start
    while i < stop and (is_letter(at(data, i)) or at(data, i) == 0x2D):
        i += 1
    return i - start if i < stop and at(data, i) == _SP else 0


@part_kernel
def path_flags(data, start, stop):
    """What the words of a path say about sessions: TransactionFlag's LOGOUT or REFRESH, or 0."""
    if says_any(data, start, stop, _LOGOUTS):
        return TransactionFlag.LOGOUT
    return TransactionFlag.REFRESH if find_folded(data, start, stop, _REFRESH) >= 0 else 0


@part_kernel
def is_account_path(data, start, stop):
    """Whether a path, by its words, takes passwords for something else than to log in: a new account, a new password.
    """
    return says_any(data, start, stop, _ACCOUNTS)


@part_kernel
def is_code_path(data, start, stop):
    """Whether a path, by its words, takes the codes of a second factor."""
    return says_any(data, start, stop, _CODES)


@part_kernel
def is_login_path(data, start, stop):
    """Whether a path, by its words, takes names and passwords."""
    if is_account_path(data, start, stop):
        return False
    ends_in_auth = stop - start >= 5 and short_word(data, stop - 4, 4) == _AUTH
    return ends_in_auth or says_any(data, start, stop, _LOGINS)


@part_kernel
def _is_foreign_key(data, start, length):
    """Whether a key of six letters or more names an account in German, French, Spanish, Italian or Portuguese."""
    six = short_word(data, start, 6)
    if six == _UTILIS or six == _CORREO:
        return True
    if length < 7:
        return False
    seven = short_word(data, start, 7)
    return seven == _USUARIO or seven == _IDENTIF or (length >= 8 and short_word(data, start, 8) == _BENUTZER)


@inline_kernel
def is_account_key(data, start, stop):
    """Whether a key names an account."""
    length = stop - start
    if length < 4 or length > 20:
        return False
    return (
        short_word(data, start, 4) == _USER
        or find_folded(data, start, stop, _EMAIL) >= 0
        or short_word(data, start, 4) == _LOGI
        or (length >= 7 and short_word(data, start, 7) == _ACCOUNT)
        or (length == 4 and short_word(data, start, 4) == _MAIL)
        or (length >= 6 and _is_foreign_key(data, start, length))
    )


@inline_kernel
def _json_value(data, start, stop):
    """Where the string begins that is the value of the key whose closing quote is at `start`, or -1."""
    value = start + 1
    while value < stop and (at(data, value) <= _SP or at(data, value) == _COLON):
        value += 1
    return value + 1 if value < stop and at(data, value) == _QUOTE else -1


@part_kernel
def login_account(data, start, stop):
    """Decode the account's name in the JSON or form body data[start:stop] to data[CLEAN_AT:]; returns its length, 0
    when there is none.
    """
    i = start
    while i < stop:
        byte = at(data, i)
        if byte == _QUOTE:
            end = json_string_end(data, i + 1, stop)
            value = _json_value(data, end, stop) if end < stop and end - i < _KEY_MAX else -1
            if value >= 0:
                key_end = put_json_text(data, i + 1, end, data, CLEAN_AT)
                if is_account_key(data, CLEAN_AT, key_end):
                    return put_json_text(data, value, json_string_end(data, value, stop), data, CLEAN_AT) - CLEAN_AT
            i = end + 1
        elif byte == _EQUAL:
            name = i
            while name > start and at(data, name - 1) != _AMP and at(data, name - 1) > _SP:
                name -= 1
            end = find_byte(data, i + 1, stop, _AMP)
            key_end = put_form_text(data, name, min(i, name + _KEY_MAX), data, CLEAN_AT)
            if is_account_key(data, CLEAN_AT, key_end):
                return put_form_text(data, i + 1, end, data, CLEAN_AT) - CLEAN_AT
            i = end + 1
        else:
            i += 1
    return 0


@inline_kernel
def is_basic(data, start, length):
    return length == 5 and short_word(data, start, 5) == words.BASIC
