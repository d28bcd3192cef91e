"""One address fetched: in: a URL; out: its bytes, or that nothing has changed since.

The one law: no more than the bytes and the time that are allowed are read or unpacked, keys go to the feed's own host
alone, and what goes wrong is a FeedError that says what, never with a key in it.
"""

from __future__ import annotations

import gzip
import http.client
import io
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sensor.config.environment import expanded
from sensor.errors import SettingError
from sensor.intel.formats import FeedError

_TIMEOUTS_MAX = 20


class Fetched(NamedTuple):
    """`octets` is None when the server says that nothing changed."""

    octets: bytes | None
    etag: str = ""
    last_modified: str = ""


def fetch(
    url: str, headers: Mapping[str, str], bytes_max: int, timeout_seconds: float, etag: str = "",
    last_modified: str = "",
) -> Fetched:  # fmt: skip
    """`etag` and `last_modified` are those of the bytes that are there already. A server may be silent for
    `timeout_seconds`, and take _TIMEOUTS_MAX times as long for the whole.
    """
    try:
        url, headers = expanded(url, "url"), {name: expanded(text, name) for name, text in headers.items()}
    except SettingError as error:
        raise FeedError(str(error)) from None
    if urlsplit(url).scheme not in ("https", "http", "file"):
        raise FeedError("url: expected https://, http:// or file://")
    sent = {"User-Agent": "tapir", "Accept-Encoding": "gzip", **headers}
    sent |= {"If-None-Match": etag} if etag else {}
    sent |= {"If-Modified-Since": last_modified} if last_modified else {}
    request = urllib.request.Request(url, headers=sent)
    until = time.monotonic() + _TIMEOUTS_MAX * timeout_seconds
    try:
        with urllib.request.build_opener(_Redirects(headers)).open(request, timeout=timeout_seconds) as answer:
            octets = _read(answer, bytes_max, until)
            found = Fetched(octets, answer.headers.get("ETag") or "", answer.headers.get("Last-Modified") or "")
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return Fetched(None, etag, last_modified)
        raise FeedError(f"the server answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        inner = getattr(error, "reason", error)
        reason = getattr(inner, "strerror", None) or (inner if isinstance(inner, str) else type(inner).__name__)
        raise FeedError(f"cannot be fetched: {reason}") from None
    if len(octets) > bytes_max:
        raise FeedError(f"larger than {bytes_max} bytes")
    return found


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to another server without the feed's own headers, which are keys, and never from TLS into the clear."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._own = {name.capitalize() for name in headers}

    def redirect_request(self, *given: Any) -> urllib.request.Request | None:
        before, after = given[0], super().redirect_request(*given)
        if after is None:
            return None
        if before.type == "https" and after.type != "https":
            raise FeedError("the server sends to an address without TLS")
        if after.host != before.host:
            for name in self._own:
                after.remove_header(name)
        return after


def _read(answer: Any, bytes_max: int, until: float) -> bytes:
    """The body, one byte more than is allowed at most; FeedError when it ends early or takes too long."""
    pieces, left = [], bytes_max + 1
    while left and (piece := answer.read1(min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
        if time.monotonic() > until:
            raise FeedError("cannot be fetched: the server takes too long")
    told = answer.headers.get("Content-Length") or ""
    if left and told.isdecimal() and int(told) > bytes_max + 1 - left:
        raise FeedError(f"cannot be fetched: it ended after {bytes_max + 1 - left} of {told} bytes")
    return b"".join(pieces)


def unpacked(octets: bytes, bytes_max: int) -> bytes:
    """Without gzip, where it is gzip."""
    if octets[:2] != b"\x1f\x8b":
        return octets
    try:
        packed = gzip.GzipFile(fileobj=io.BytesIO(octets))
        whole = packed.read(bytes_max + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FeedError(f"not gzip as it says: {error}") from None
    if len(whole) > bytes_max:
        raise FeedError(f"larger than {bytes_max} bytes")
    return whole
