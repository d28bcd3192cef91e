"""Perl's expressions as Python's: in: the value of a pcre option; out: the buffer its flags name, and the test.

The one law: an expression that means something else here is an error, not a guess.
"""

from __future__ import annotations

import re

from sensor.detection.signatures.parser import RuleError
from sensor.detection.signatures.rule import Pcre

BUFFER_FLAGS = {
    "U": "http.uri", "I": "http.uri.raw", "P": "http.request_body", "Q": "file_data", "H": "http.header",
    "D": "http.header.raw", "M": "http.method", "C": "http.cookie", "S": "http.stat_code", "Y": "http.stat_msg",
    "V": "http.user_agent", "W": "http.host", "Z": "http.host.raw", "B": "",
}  # fmt: skip
_FLAGS = {"i": re.I, "s": re.S, "m": re.M, "x": re.X}


def pcre_of(value: str) -> tuple[str, Pcre]:
    """Raises RuleError."""
    negated = value.startswith("!")
    text = value[1:].strip() if negated else value
    text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    end = text.rfind("/")
    if not text.startswith("/") or end <= 0:
        raise RuleError("pcre: expected /expression/flags", "pcre")
    expression, letters = text[1:end], text[end + 1 :]
    flags, buffer, relative = re.NOFLAG, "", False
    for letter in letters:
        if letter in _FLAGS:
            flags |= _FLAGS[letter]
        elif letter in BUFFER_FLAGS:
            buffer = BUFFER_FLAGS[letter]
        elif letter == "R":
            relative = True
        elif letter == "A":
            expression = f"\\A(?:{expression})"
        elif letter == "G":
            expression = re.sub(r"(?<!\\)([*+?}])(?![?+])", r"\1?", expression)
        elif letter not in "EOJ":
            raise RuleError(f"pcre: flag {letter!r} is not known", "pcre")
    for perl, python in (("\\/", "/"), ("\\;", ";"), ("\\h", "[ \\t]"), ("\\R", "(?:\\r\\n|\\n|\\r)")):
        expression = expression.replace(perl, python)
    expression = expression.replace("\\z", "\\Z") if "E" in letters else _dollar(expression)
    try:
        return buffer, Pcre(re.compile(expression.encode("latin-1", "replace"), flags), negated, relative)
    except (re.error, OverflowError) as error:
        raise RuleError(f"pcre: {error}", "pcre") from None


def _dollar(expression: str) -> str:
    r"""\Z is before a last line end too in Perl; \z is the very end, which is \Z in Python."""
    return expression.replace("\\Z", "(?=\\n?\\Z)").replace("\\z", "\\Z")
