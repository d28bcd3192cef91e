"""HTTP as channels and sinks need it: an address goes in; POST requests over one kept connection, and answers come out.

Law: redirects are not followed, so that nobody else gets a body or a header; a fault says neither address nor header.
"""

from __future__ import annotations

import http.client
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from sensor.errors import SettingError

_ANSWER_BYTES_MAX = 16 << 20


class Answer(NamedTuple):
    status: int
    body: bytes
    retry_seconds: float  # that it asks to wait; 0 when it does not


class NoAnswer(OSError):
    """What went wrong, in words that may be stored and shown."""


class HttpConnection:
    """Connects when there is something to post, and again after a fault. `address` holds no ${VARIABLE} any more; `key`
    names the setting in SettingErrors; `context`: whom to trust, the system's choice when None.
    """

    def __init__(
        self, address: str, key: str, timeout_seconds: float, context: ssl.SSLContext | None = None
    ) -> None:
        try:
            parts = urlsplit(address)
            self.host, self._port = parts.hostname or "", parts.port
        except ValueError:
            raise SettingError(f"{key}: expected http://HOST[:PORT]/PATH or https://") from None
        if parts.scheme not in ("http", "https") or not self.host or "@" in parts.netloc:
            raise SettingError(f"{key}: expected http://HOST[:PORT]/PATH or https://")
        self.authority, self.path = parts.netloc, parts.path
        self._query = f"?{parts.query}" if parts.query else ""
        self._secure = parts.scheme == "https"
        self._context, self._timeout_seconds = context, timeout_seconds
        self._kept: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: dict[str, str], path: str = "") -> Answer:
        """To the address, or to `path` below it. Raises NoAnswer."""
        kept = self._kept is not None
        try:
            return self._posted(body, headers, path)
        except ConnectionError as error:
            self.close()
            if not kept:
                raise NoAnswer(f"no answer: {type(error).__name__}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise NoAnswer(f"no answer: {type(error).__name__}") from None
        return self.post(body, headers, path)  # the other side had ended the kept connection

    def _posted(self, body: bytes, headers: dict[str, str], path: str) -> Answer:
        if self._kept is None:
            self._kept = self._connection()
        target = (self.path.rstrip("/") + path if path else self.path) or "/"
        self._kept.request("POST", target + self._query, body, {"User-Agent": "tapir"} | headers)
        answer = self._kept.getresponse()
        read = answer.read(_ANSWER_BYTES_MAX)
        if not answer.isclosed() or answer.will_close:
            self.close()
        wait = answer.headers.get("Retry-After", "")
        return Answer(answer.status, read, float(wait) if wait.isdecimal() else 0.0)

    def _connection(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self.host, self._port, timeout=self._timeout_seconds)
        context = self._context or ssl.create_default_context()
        return http.client.HTTPSConnection(self.host, self._port, timeout=self._timeout_seconds, context=context)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
