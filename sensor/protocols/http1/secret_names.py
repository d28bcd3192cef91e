"""Which parameters hold secrets: in: a parameter's name without escapes; out: whether its value may be shown.

The one law: a name is judged by its words, however it is cased or nested (`user[newPassword]`, `x-api-key`,
`card.pin`).
"""

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.words import any_of, is_any, is_letter, says_any, short_word

NAME_MAX = 256
"""How much of a name is looked at."""
_SECRETS = any_of(
    "token", "secret", "passw", "pwd", "apikey", "signatur", "session", "sessid", "oauth", "jwt", "cvv", "credenti",
    "authoriz", "private", "card", "passcode", "passphra", "accesske", "assertio", "samlresp", "bearer",
)  # fmt: skip
_SHORT_SECRETS = any_of(
    "key", "pwd", "sid", "sig", "pin", "otp", "cvv", "cvc", "pan", "ssn", "jwt", "pass", "auth", "card", "iban", "sess",
)  # fmt: skip


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


@part_kernel
def is_secret_name(data, start, stop):
    """Whether a parameter of this name holds what nobody else may read."""
    word, length = _last_word(data, start, stop)
    if (length == 3 or length == 4) and is_any(short_word(data, word, length), _SHORT_SECRETS):
        return True
    return stop - start >= 4 and says_any(data, start, stop, _SECRETS)
