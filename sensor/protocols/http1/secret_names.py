"""Which parameters hold secrets: in: a parameter's name without escapes; out: whether its value may be shown.

The one law: a name is judged by its words, however it is cased or nested (`user[newPassword]`, `x-api-key`,
`card.pin`).
"""

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.words import find_folded, folded, is_letter, short_word

NAME_MAX = 256
"""How much of a name is looked at."""
_TOKEN, _SECRET, _PASSW, _APIKEY = folded("token"), folded("secret"), folded("passw"), folded("apikey")
_SIGNATUR, _SESSION, _SESSID, _BEARER = folded("signatur"), folded("session"), folded("sessid"), folded("bearer")
_OAUTH, _JWT, _CREDENTI, _AUTHORIZ = folded("oauth"), folded("jwt"), folded("credenti"), folded("authoriz")
_PRIVATE, _PASSCODE, _PASSPHRA = folded("private"), folded("passcode"), folded("passphra")
_ASSERTIO, _ACCESSKE, _SAMLRESP = folded("assertio"), folded("accesske"), folded("samlresp")
_KEY, _PWD, _PASS, _SID, _SESS = folded("key"), folded("pwd"), folded("pass"), folded("sid"), folded("sess")
_SIG, _PIN, _OTP, _CVV, _CVC = folded("sig"), folded("pin"), folded("otp"), folded("cvv"), folded("cvc")
_PAN, _AUTH, _CARD, _SSN, _IBAN = folded("pan"), folded("auth"), folded("card"), folded("ssn"), folded("iban")


@inline_kernel
def _is_upper(byte):
    return 0x41 <= byte <= 0x5A


@inline_kernel
def _last_word(data, start, stop):
    """(start, length) of the last word of letters: behind a separator, or from the capital letter of camelCase."""
    while stop > start and not is_letter(at(data, stop - 1)):
        stop -= 1
    i = stop
    while i > start and is_letter(at(data, i - 1)):
        i -= 1
        if i > start and _is_upper(at(data, i)) and is_letter(at(data, i - 1)) and not _is_upper(at(data, i - 1)):
            break
    return i, stop - i


@inline_kernel
def _is_short_secret(data, start, length):
    word = short_word(data, start, length)
    if length == 3:
        return (
            word == _KEY or word == _PWD or word == _SID or word == _SIG or word == _PIN or word == _OTP
            or word == _CVV or word == _CVC or word == _PAN or word == _SSN or word == _JWT
        )  # fmt: skip
    return word == _PASS or word == _AUTH or word == _CARD or word == _IBAN or word == _SESS


@inline_kernel
def _has(data, start, stop, word, length):
    return stop - start >= length and find_folded(data, start, stop, word, length) >= 0


@part_kernel
def is_secret_name(data, start, stop):
    """Whether a parameter of this name holds what nobody else may read."""
    word, length = _last_word(data, start, stop)
    if (length == 3 or length == 4) and _is_short_secret(data, word, length):
        return True
    if stop - start < 4:
        return False
    return (
        _has(data, start, stop, _TOKEN, 5)
        or _has(data, start, stop, _SECRET, 6)
        or _has(data, start, stop, _PASSW, 5)
        or _has(data, start, stop, _PWD, 3)
        or _has(data, start, stop, _APIKEY, 6)
        or _has(data, start, stop, _SIGNATUR, 8)
        or _has(data, start, stop, _SESSION, 7)
        or _has(data, start, stop, _SESSID, 6)
        or _has(data, start, stop, _OAUTH, 5)
        or _has(data, start, stop, _JWT, 3)
        or _has(data, start, stop, _CVV, 3)
        or _has(data, start, stop, _CREDENTI, 8)
        or _has(data, start, stop, _AUTHORIZ, 8)
        or _has(data, start, stop, _PRIVATE, 7)
        or _has(data, start, stop, _CARD, 4)
        or _has(data, start, stop, _PASSCODE, 8)
        or _has(data, start, stop, _PASSPHRA, 8)
        or _has(data, start, stop, _ACCESSKE, 8)
        or _has(data, start, stop, _ASSERTIO, 8)
        or _has(data, start, stop, _SAMLRESP, 8)
        or _has(data, start, stop, _BEARER, 6)
    )
