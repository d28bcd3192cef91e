"""Fields of a message's headers, cookies and body: in: a batch's contents; out: columns for log sources.

A header block that was met before in the batch is not taken apart again. What is not ASCII stands as in the string
pool: \\xNN, and as people read it. The one law: a batch without contents has none of these fields, and nothing here is
stored or shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sensor.detection.detector import Batch, Strings
from sensor.detection.sigma.column import Column, Rows, Values, spellings
from sensor.schema import Wanted

BODY_BYTES = 65_536
"""Of a body that rules are tested on."""
Pairs = list[tuple[str, str]]
"""(name, value) of each header line, in their order."""


def _shown(octets: bytes) -> str:
    text = octets.decode("ascii", "backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _pairs(block: bytes) -> Pairs:
    lines = (line.partition(b":") for line in block.split(b"\n") if line.strip())
    return [(_shown(name.strip()), _shown(value.strip())) for name, _, value in lines]


def _octets(batch: Batch, part: str, rows: Rows) -> list[bytes]:
    if not len(batch.contents):
        return [b""] * len(rows)
    starts, lengths = batch.contents[f"{part}_offset"][rows], batch.contents[f"{part}_len"][rows]
    return [
        batch.arena[start : start + length].tobytes()
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]


def _spelled(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(spelling for text in texts for spelling in spellings(text))


def _head(side: str, describe: Callable[[Pairs], tuple[str, ...]]) -> Column:
    """What `describe` makes of a side's header lines."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        places: dict[bytes, int] = {}
        which = [
            places.setdefault(head.partition(b"\n")[2], len(places)) for head in _octets(batch, f"{side}_head", rows)
        ]
        found = [_spelled(describe(_pairs(block))) if block else () for block in places]
        return found, np.array(which, np.intp)

    return Column(texts, wanted=Wanted(request_head=side == "request", response_head=side == "response"))


def _body(side: str) -> Column:
    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        bodies = _octets(batch, f"{side}_body", rows)
        return [spellings(_shown(body)) if body else () for body in bodies], np.arange(len(rows))

    wanted = Wanted(request_body=BODY_BYTES) if side == "request" else Wanted(response_body=BODY_BYTES)
    return Column(texts, wanted=wanted)


def _cookies(pairs: Pairs) -> tuple[str, ...]:
    """Each line, and all together as RFC 9113, 8.2.3 joins them."""
    lines = [value for name, value in pairs if name.lower() == "cookie"]
    return tuple(lines) if len(lines) < 2 else (*lines, "; ".join(lines))


def header(name: str, side: str = "request") -> Column:
    """The values of the headers of this name, in lower case."""
    return _head(side, lambda pairs: tuple(value for key, value in pairs if key.lower() == name))


def _names(pairs: Pairs) -> tuple[str, ...]:
    return tuple(name for name, _ in pairs)


def _values(pairs: Pairs) -> tuple[str, ...]:
    return tuple(value for _, value in pairs)


def _lines(pairs: Pairs) -> tuple[str, ...]:
    return tuple(f"{name}: {value}" for name, value in pairs)


COOKIES = _head("request", _cookies)
LOGGED: Mapping[str, Column] = {
    "cs-cookie": COOKIES,
    "cs-headers": _head("request", _lines),
    "sc-headers": _head("response", _lines),
    "cs-x-forwarded-for": header("x-forwarded-for"),
    "cs-origin": header("origin"),
    "sc-location": header("location", "response"),
}
"""Web servers and proxies."""

ZEEK: Mapping[str, Column] = {
    "client_header_names": _head("request", _names),
    "client_header_values": _head("request", _values),
    "server_header_names": _head("response", _names),
    "server_header_values": _head("response", _values),
    "cookie_vars": COOKIES,
    "origin": header("origin"),
    "proxied": header("x-forwarded-for"),
    "post_body": _body("request"),
}
"""Zeek's http.log, with what its policy scripts add."""

WHOLE: Mapping[str, Column] = {
    "request_headers": _head("request", _lines),
    "response_headers": _head("response", _lines),
    "request_cookies": COOKIES,
    "request_body": _body("request"),
    "response_body": _body("response"),
}
"""The category `api`."""
