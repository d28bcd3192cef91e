"""What the keywords of rules look at: in: heads and bodies of a transaction; out: buffers by name, made when asked for.

Names are Suricata's. The one law: a buffer that the transaction does not have is None, and no test on it matches.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

REQUEST, RESPONSE = "to_server", "to_client"


class Message:
    """One transaction's bytes, heads and bodies by direction; buffers are kept once made."""

    def __init__(self, heads: Mapping[str, bytes], bodies: Mapping[str, bytes]) -> None:
        self.heads, self.bodies = heads, bodies
        self._made: dict[tuple[str, str, tuple[str, ...]], bytes | None] = {}
        self._headers: dict[str, list[tuple[bytes, bytes]]] = {}

    def buffer(self, name: str, direction: str, transforms: tuple[str, ...] = ()) -> bytes | None:
        """Raises KeyError for a name that is none of BUFFERS."""
        key = name, direction, transforms
        if key not in self._made:
            octets = BUFFERS[name](self, direction)
            for transform in transforms if octets is not None else ():
                octets = TRANSFORMS[transform](octets or b"")
            self._made[key] = octets
        return self._made[key]

    def start_line(self, direction: str) -> bytes | None:
        head = self.heads[direction]
        return head.partition(b"\n")[0].rstrip(b"\r") if head else None

    def header_lines(self, direction: str) -> list[tuple[bytes, bytes]]:
        """(name, value) of each header, of one that is repeated all values where the first stands.

        A line that begins with a blank goes on with the one before."""
        if direction not in self._headers:
            self._headers[direction] = self._read_headers(direction)
        return self._headers[direction]

    def _read_headers(self, direction: str) -> list[tuple[bytes, bytes]]:
        lines: list[bytes] = []
        for line in self.heads[direction].split(b"\n")[1:]:
            if line.strip() and line[:1] in (b" ", b"\t") and lines:
                lines[-1] += b" " + line.strip()
            elif line.strip():
                lines.append(line.rstrip(b"\r"))
        found: dict[bytes, tuple[bytes, bytes]] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            first = found.get(name.lower())
            found[name.lower()] = (first[0], first[1] + b", " + value.strip()) if first else (name, value.strip())
        return list(found.values())


def _word(number: int) -> Callable[[Message, str], bytes | None]:
    """A word of the request's start line; the target is everything between the first and the last."""

    def get(message: Message, _direction: str) -> bytes | None:
        line = message.start_line(REQUEST)
        if line is None:
            return None
        words = line.split(b" ")
        if number == 1:
            last = -1 if len(words) > 2 and words[-1].startswith(b"HTTP/") else len(words)
            return b" ".join(words[1:last])
        return words[0] if number == 0 else words[-1] if len(words) > 2 else b""

    return get


def _status(number: int) -> Callable[[Message, str], bytes | None]:
    def get(message: Message, _direction: str) -> bytes | None:
        line = message.start_line(RESPONSE)
        if line is None:
            return None
        words = line.split(b" ", 2)
        return words[number] if len(words) > number else None

    return get


_SLASHES = re.compile(rb"/{2,}")


def normalised_uri(target: bytes) -> bytes:
    """The target as Suricata sees it: decoded, backslashes turned, repeated slashes and dot segments removed."""
    if target[:7].lower() == b"http://" or target[:8].lower() == b"https://":
        target = b"/" + target.split(b"/", 3)[3] if target.count(b"/") > 2 else b"/"
    path, mark, query = target.partition(b"?")
    path = _SLASHES.sub(b"/", unquote_to_bytes(path).replace(b"\\", b"/"))
    if b"/." in path:
        parts: list[bytes] = []
        for part in path.split(b"/"):
            if part == b"..":
                if len(parts) > 1:
                    parts.pop()
            elif part != b".":
                parts.append(part)
        if path.endswith((b"/.", b"/..")):
            parts.append(b"")
        path = b"/".join(parts) or b"/"
    return path + mark + (unquote_to_bytes(query) if b"%" in query else query)


def _uri(message: Message, direction: str) -> bytes | None:
    target = _word(1)(message, direction)
    return None if target is None else normalised_uri(target)


def _header(name: bytes, both: bool = False, request: bool = True) -> Callable[[Message, str], bytes | None]:
    """The value of a header of one name; `both`: of whichever direction is looked at."""

    def get(message: Message, direction: str) -> bytes | None:
        side = direction if both else REQUEST if request else RESPONSE
        values = [value for key, value in message.header_lines(side) if key.lower() == name]
        return b", ".join(values) if values else None

    return get


def _cookie(message: Message, direction: str) -> bytes | None:
    name = b"cookie" if direction == REQUEST else b"set-cookie"
    return _header(name, both=True)(message, direction)


def _headers(message: Message, direction: str) -> bytes | None:
    if not message.heads[direction]:
        return None
    left_out = b"cookie" if direction == REQUEST else b"set-cookie"
    lines = [key + b": " + value for key, value in message.header_lines(direction) if key.lower() != left_out]
    return b"".join(line + b"\r\n" for line in lines)


def _raw_headers(message: Message, direction: str) -> bytes | None:
    head = message.heads[direction]
    return head.partition(b"\n")[2] if head else None


def _each_header(side: str) -> Callable[[Message, str], bytes | None]:
    """The headers of a side, each of which is looked at by itself."""

    def get(message: Message, _direction: str) -> bytes | None:
        return b"\r\n".join(key + b": " + value for key, value in message.header_lines(side)) or None

    return get


def _names(message: Message, direction: str) -> bytes | None:
    names = [key for key, _ in message.header_lines(direction)]
    return b"\r\n" + b"".join(name + b"\r\n" for name in names) + b"\r\n" if names else None


_AUTHORITY = re.compile(rb"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#]*)", re.I)


def _raw_host(message: Message, direction: str) -> bytes | None:
    """That of an absolute target goes before the header, and so does the target of CONNECT."""
    target = _word(1)(message, direction) or b""
    if _word(0)(message, direction) == b"CONNECT" and target:
        return target.lower()
    absolute = _AUTHORITY.match(target)
    return absolute.group(1).lower() if absolute else _header(b"host")(message, direction)


def _host(message: Message, direction: str) -> bytes | None:
    value = _raw_host(message, direction)
    return None if value is None else re.sub(rb":\d+\Z", b"", value)


def _body(side: str) -> Callable[[Message, str], bytes | None]:
    return lambda message, _direction: message.bodies[side] or None


def _payload(message: Message, direction: str) -> bytes | None:
    return message.heads[direction] + message.bodies[direction] or None


def _request_line(message: Message, _direction: str) -> bytes | None:
    return message.start_line(REQUEST)


BUFFERS: dict[str, Callable[[Message, str], bytes | None]] = {
    "http.uri": _uri,
    "http.uri.raw": _word(1),
    "http.method": _word(0),
    "http.protocol": _word(2),
    "http.request_line": _request_line,
    "http.response_line": lambda message, _direction: message.start_line(RESPONSE),
    "http.start": lambda message, direction: message.heads[direction] or None,
    "http.host": _host,
    "http.host.raw": _raw_host,
    "http.header": _headers,
    "http.header.raw": _raw_headers,
    "http.header_names": _names,
    "http.request_header": _each_header(REQUEST),
    "http.response_header": _each_header(RESPONSE),
    "http.user_agent": _header(b"user-agent"),
    "http.referer": _header(b"referer"),
    "http.accept": _header(b"accept"),
    "http.accept_enc": _header(b"accept-encoding"),
    "http.accept_lang": _header(b"accept-language"),
    "http.connection": _header(b"connection", both=True),
    "http.content_type": _header(b"content-type", both=True),
    "http.content_len": _header(b"content-length", both=True),
    "http.server": _header(b"server", request=False),
    "http.location": _header(b"location", request=False),
    "http.cookie": _cookie,
    "http.request_body": _body(REQUEST),
    "http.response_body": _body(RESPONSE),
    "file_data": lambda message, direction: message.bodies[direction] or None,
    "http.stat_code": _status(1),
    "http.stat_msg": _status(2),
    "payload": _payload,
}
"""Buffer by its name; `payload` is what a content without a buffer looks at."""

ONLY_REQUEST = frozenset(
    (
        "http.uri", "http.uri.raw", "http.method", "http.protocol", "http.request_line", "http.host", "http.host.raw",
        "http.user_agent", "http.referer", "http.accept", "http.accept_enc", "http.accept_lang", "http.request_body",
        "http.request_header",
    )
)  # fmt: skip
ONLY_RESPONSE = frozenset(
    (
        "http.response_line", "http.server", "http.location", "http.response_body", "http.stat_code", "http.stat_msg",
        "http.response_header",
    )
)  # fmt: skip
ONE_BY_ONE = frozenset(("http.request_header", "http.response_header"))
"""Buffers of several pieces, one of which is to match by itself."""

TRANSFORMS: dict[str, Callable[[bytes], bytes]] = {
    "dotprefix": lambda octets: b"." + octets,
    "url_decode": lambda octets: unquote_to_bytes(octets.replace(b"+", b" ")),
    "to_lowercase": bytes.lower,
    "to_uppercase": bytes.upper,
    "strip_whitespace": lambda octets: re.sub(rb"[\t\n\v\f\r ]+", b"", octets),
    "compress_whitespace": lambda octets: re.sub(rb"([\t\n\v\f\r ])[\t\n\v\f\r ]+", rb"\1", octets),
    "to_md5": lambda octets: hashlib.md5(octets, usedforsecurity=False).digest(),
    "to_sha1": lambda octets: hashlib.sha1(octets, usedforsecurity=False).digest(),
    "to_sha256": lambda octets: hashlib.sha256(octets).digest(),
    "header_lowercase": lambda octets: re.sub(rb"(?m)^[^:\r\n]+:", lambda m: m.group().lower(), octets),
}
