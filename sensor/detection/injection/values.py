"""The values of a request that a client chooses: in: its head and body as bytes; out: (place, name, text, form).

The path and each part of it, query, headers, cookies, fields of forms and multipart, strings and keys of JSON, text
and attributes of XML; anything else as one text. The one law: at most VALUES_MAX values, of whatever bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec

from sensor.detection.injection.decode import text_of, unpercent

VALUES_MAX = 400
DEPTH_MAX = 40

QUIET_HEADERS = frozenset(
    b"host accept accept-encoding connection content-length authorization date if-modified-since if-none-match etag upgrade"
    b" cache-control pragma keep-alive te trailer expect sec-fetch-mode sec-fetch-site sec-fetch-dest sec-fetch-user"
    b" sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform upgrade-insecure-requests proxy-authorization traceparent dnt"
    b" accept-language if-unmodified-since content-encoding proxy-connection sec-websocket-key".split()
)
_XML_TAG = re.compile(r"<[^<>]*>?")
_XML_TEXT = re.compile(r">([^<]{2,})")
_XML_ATTRIBUTE = re.compile(r"=\s*(?:\"([^\"]*)\"|'([^']*)')")
_BOUNDARY = re.compile(rb"boundary=\"?([^\";,\r\n]{1,200})", re.I)
_PART_NAMES = re.compile(rb"(?:file)?name\*?\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\r\n]+))", re.I)


_CODED_PART = re.compile(rb"(?<=/)(?=[^/]*[A-Z])(?=[^/]*[a-z])[A-Za-z0-9+_=-]{12,}(?=/|\Z)")
"""Of a path, in which base64 may be hidden."""


class Value(NamedTuple):
    """One value: `place` uri path query header cookie form json xml multipart body; `form`: plus is a space in it."""

    place: str
    name: str
    text: str
    form: bool = False


def request_values(head: bytes, body: bytes) -> Iterator[Value]:
    """The values of one request, at most VALUES_MAX of them."""
    lines = head.split(b"\n")
    parts = lines[0].split(b" ")
    content_type = b""
    headers: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers.append((name.strip().lower(), value.strip()))
            if headers[-1][0] == b"content-type":
                content_type = headers[-1][1].lower()
    target = b" ".join(parts[1:-1]) if len(parts) > 2 else b"".join(parts[1:])
    yield from islice(
        chain(_target_values(target), _header_values(headers), _body_values(content_type, body)), VALUES_MAX
    )


def _target_values(target: bytes) -> Iterator[Value]:
    path, _, query = target.partition(b"?")
    if path.startswith((b"http://", b"https://")):
        path = b"/" + path.split(b"/", 3)[-1]
    if len(path) > 1:
        yield Value("path", "", text_of(path))
        if b"%" in path or b"(" in path or b"'" in path:
            for part in path.split(b"/"):
                if len(part) > 3:
                    yield Value("path", "", text_of(part))
        else:
            for part in _CODED_PART.findall(path):
                yield Value("path", "", text_of(part))
    yield from _pairs("query", query)
    if (query and b"=" not in query) or (b"&" in query and b"'" in query):
        yield Value("query", "", text_of(query), True)


def _is_binary(octets: bytes) -> bool:
    """Whether it is a piece of a file: clients that send one without saying so call it a form (curl --data-binary)."""
    controls = len(_CONTROLS.findall(octets))
    return controls >= 4 and 16 * controls >= len(octets)


def _pairs(place: str, octets: bytes) -> Iterator[Value]:
    pairs = octets.split(b"&") if octets else []
    binary = list(map(_is_binary, pairs))
    for number, pair in enumerate(pairs):
        name, _, value = pair.partition(b"=")
        if binary[number] or (any(binary) and not _FIELD.fullmatch(name)):
            continue
        name_text = text_of(name)
        if value:
            yield Value(place, name_text, text_of(value), True)
            if value[:1] in (b"{", b"[") or value[:3].lower() in (b"%7b", b"%5b"):
                for part in _document(unpercent(text_of(value).replace("+", " ")), name_text, 0):
                    yield part._replace(place=place)
        if len(name) > 2 and (not value or not name.isalnum()):
            yield Value(place, "", name_text, True)
            if not value and b"%3d" in name.lower():
                yield Value(place, "", re.split("(?i)%3d", name_text, maxsplit=1)[1], True)
            if value and (b"$" in name or b"[" in name or b"%5b" in name.lower()):
                yield Value(place, "", text_of(pair), True)


def _header_values(headers: list[tuple[bytes, bytes]]) -> Iterator[Value]:
    for name, value in headers:
        if name == b"cookie":
            for pair in value.split(b";"):
                key, _, text = pair.strip().partition(b"=")
                if text:
                    yield Value("cookie", text_of(key), text_of(text), True)
                if len(key) > 2:
                    yield Value("cookie", "", text_of(key), True)
        elif name in (b"referer", b"origin") and value[:4].lower() == b"http" and b"://" in value[:8]:
            for part in _target_values(value):
                yield part._replace(place="header")
        elif name not in QUIET_HEADERS and value:
            yield Value("header", text_of(name), text_of(value))


_RAW_BYTES_MAX = 2_048
"""A body of no known form that is longer is a file or a document, not a value."""


def _body_values(content_type: bytes, body: bytes) -> Iterator[Value]:
    if not body:
        return
    start = body[:64].lstrip()
    if b"json" in content_type or (start[:1] in (b"{", b"[") and b"urlencoded" not in content_type):
        try:
            yield from _json_values(msgspec.json.decode(body), "", 0)
            return
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            yield from _strings_of(text_of(body))
            yield Value("json", "", text_of(body))
            return
    if b"multipart/" in content_type and (boundary := _BOUNDARY.search(content_type)):
        yield from _multipart_values(boundary.group(1), body)
        return
    if b"xml" in content_type or start.startswith((b"<?xml", b"<soap", b"<!DOCTYPE")):
        yield from _xml_values(text_of(body))
        return
    if b"urlencoded" in content_type or re.match(rb"[\w.%\[\]-]{1,80}=", body):
        yield from _pairs("form", body)
        if b"=" not in body:
            yield Value("form", "", text_of(body), True)
        return
    if len(body) <= _RAW_BYTES_MAX:
        yield Value("body", "", text_of(body))


_FIELD = re.compile(rb"[\w.%\[\]$-]*")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def _strings_of(text: str) -> Iterator[Value]:
    """Texts between quotes of JSON that does not parse (cut off, or not quite JSON)."""
    for match in _STRING.finditer(text):
        if len(match.group(1)) > 1:
            yield Value("json", "", match.group(1))


_WITH_TEXT = frozenset(("$where", "$function", "$accumulator", "$regex", "$type", "@type", "__type", "$expr", "__class__", "@class"))
"""Keys that mean something together with their text; that of others ($id, $ref, @context) is judged by itself."""


def _json_values(value: Any, name: str, depth: int) -> Iterator[Value]:
    """Strings and keys; a key that is an operator goes together with the text of its value."""
    if depth > DEPTH_MAX:
        return
    if isinstance(value, str):
        if len(value) > 1:
            yield Value("json", name, value)
            yield from _document(value, name, depth)
    elif isinstance(value, list):
        for member in value:
            yield from _json_values(member, name, depth + 1)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key.startswith(("$", "@", "__")):
                text = f'"{member}"' if isinstance(member, str) and key.lower() in _WITH_TEXT else "1"
                yield Value("json", "", f'{{"{key}":{text}')
            elif len(key) > 2 and not key.isalnum():
                yield Value("json", "", key)
            yield from _json_values(member, key, depth + 1)


def _document(text: str, name: str, depth: int) -> Iterator[Value]:
    """The values of JSON that stands in a text."""
    if text[:1] in ("{", "[") and len(text) > 4:
        try:
            yield from _json_values(msgspec.json.decode(text), name, depth + 1)
        except (msgspec.DecodeError, RecursionError):
            return


def _multipart_values(boundary: bytes, body: bytes) -> Iterator[Value]:
    for part in re.split(rb"(?i)--" + re.escape(boundary), body):
        head, _, content = part.partition(b"\r\n\r\n")
        for match in _PART_NAMES.finditer(head):
            yield Value("multipart", "", text_of(match.group(1) or match.group(2) or b""))
        if content:
            text = text_of(content.rstrip(b"\r\n-")[:8192])
            if b"filename" not in head or text.isprintable() or "<" in text[:200]:
                yield Value("multipart", "", text)
                if text.startswith("<?xml"):
                    yield from _xml_values(text)


def _xml_values(text: str) -> Iterator[Value]:
    """The document as far as its declaration goes, and its texts and attributes."""
    if "<!" in text or "<xi:" in text or "&#" in text:
        yield Value("xml", "document", text)
    parts = [match.group(1) for match in _XML_TEXT.finditer(text)]
    for tag in _XML_TAG.findall(text):
        if not tag.startswith(("<?", "<!")) and "=" in tag:
            parts += [one or other for one, other in _XML_ATTRIBUTE.findall(tag)]
    for part in parts:
        if len(part.strip()) > 1:
            yield Value("xml", "", unpercent(part) if "%" in part else part)


