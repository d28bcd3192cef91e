"""The path of a request: in: its text as sent; out: findings of files that are nobody's to ask for, of line ends.

Hidden folders, keys, dumps and copies that editors leave: paths that no API has and that scanners ask for. The one law:
what is said holds for the path alone; the same text in a value may be anybody's file name.
"""

from __future__ import annotations

import re

from sensor.detection.injection.decode import unpercent
from sensor.detection.injection.finding import Finding

_HIDDEN = re.compile(r"/\.(?!well-known(?:/|\Z)|\.|auth(?:/|\Z)|netlify/|api(?:/|\Z))[a-z_][\w-]{1,40}(?:[/.]|\Z)", re.I)
_SECRET = re.compile(
    r"\w\.(?:pem|key|p12|pfx|jks|kdbx|ppk|rdb|bak|backup|swp|swo|mdb|inc|asa|ovpn|keystore|htpasswd|dmp"
    r"|sql(?:\.(?:gz|zip|bz2|xz|7z|tar))?|(?:php|jsp|aspx?|py|rb|pl|cgi)(?:~|\.(?:old|orig|save|txt|bak)))(?:/|\Z)"
    r"|\w\.(?:bck|old|save|orig)(?:/|\Z)|\w\.\w{2,5}~(?:/|\Z)|/(?:errors?|access|debug|install)[._-]logs?\Z",
    re.I,
)
_LINE_END = re.compile(r"[^\r\n][\r\n]+[^\r\n]")


def judge_target(path: str) -> list[Finding]:
    """Findings about the path of a request."""
    plain = unpercent(path) if "%" in path else path
    found = []
    if _HIDDEN.search(plain):
        found.append(Finding("path", 5, "hidden folder or file"))
    if _SECRET.search(plain):
        found.append(Finding("path", 5, "key, dump or copy of a file"))
    if _LINE_END.search(plain):
        found.append(Finding("crlf", 5, "line end in a path"))
    return found
