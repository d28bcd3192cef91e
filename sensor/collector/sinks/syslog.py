"""Syslog: alerts go in, messages of RFC 5424 come out, over TCP or TLS with counted frames (RFC 6587, RFC 5425) or UDP
(RFC 5426).

Law: the header holds printable ASCII without blanks, whatever a sensor is called. Syslog has no acknowledgement: what
goes over TCP or TLS counts as taken when the server, told that no more comes, has read all and ended its side too, and
so each batch has a connection of its own; what goes over UDP when it is sent.
"""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import sys
import termios
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sensor.alert import Alert, Severity
from sensor.collector.sinks.sink import Refused, key_of, line_of, tls
from sensor.config import SinkSettings
from sensor.errors import SettingError

_SEVERITIES = {Severity.CRITICAL: 2, Severity.HIGH: 3, Severity.MEDIUM: 4, Severity.LOW: 5}
_DATAGRAM_BYTES_MAX = 65_000
_ASK_SECONDS = 0.01


class Syslog:
    def __init__(self, settings: SinkSettings) -> None:
        try:
            parts = urlsplit(settings.syslog)
            port = parts.port
        except ValueError:
            port = None
        if port is None or parts.scheme not in ("tcp", "tls", "udp") or not parts.hostname:
            raise SettingError(f"{key_of(settings)}: expected tcp://HOST:PORT, tls://HOST:PORT or udp://HOST:PORT")
        self._host, self._port, self._datagrams = parts.hostname, port, parts.scheme == "udp"
        self._context = tls(settings) if parts.scheme == "tls" else None
        self._settings = settings

    def write(self, alerts: Sequence[Alert]) -> Refused:
        messages = [message(alert, self._settings) for alert in alerts]
        if self._datagrams:
            self._send(messages)
            return {}
        where = (self._host, self._port)
        with ExitStack() as stack:
            server = stack.enter_context(socket.create_connection(where, self._settings.timeout_seconds))
            if self._context is not None:
                server = stack.enter_context(self._context.wrap_socket(server, server_hostname=self._host))
            server.sendall(b"".join(b"%d %s" % (len(one), one) for one in messages))
            _end(server, self._settings.timeout_seconds)
        return {}

    def _send(self, messages: Sequence[bytes]) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as server:
            server.connect(address)
            for one in messages:
                server.send(one[:_DATAGRAM_BYTES_MAX])


def _end(server: socket.socket, timeout_seconds: float) -> None:
    """Say that no more comes, and wait until the server has ended its side. Raises OSError when it did so before it had
    read all: in TLS 1.3, only then shows that it did not like our certificate.
    """
    try:
        if isinstance(server, ssl.SSLSocket):
            server.unwrap()
        else:
            server.shutdown(socket.SHUT_WR)
            while server.recv(4096):
                pass
    except (TimeoutError, ssl.SSLEOFError):
        pass  # one that keeps its side open had the time to read; one that ends it without a word may have read all
    end = time.monotonic() + timeout_seconds
    while _unacknowledged_bytes(server):  # to what has ended already, a system answers with a reset
        if time.monotonic() > end:
            raise TimeoutError("what was sent was not acknowledged in time")
        time.sleep(_ASK_SECONDS)
    if error := server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))


def _unacknowledged_bytes(server: socket.socket) -> int:
    answer = bytearray(4)
    fcntl.ioctl(server, termios.TIOCOUTQ, answer)
    return int.from_bytes(answer, sys.byteorder)


def message(alert: Alert, settings: SinkSettings) -> bytes:
    """<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG, without a frame."""
    priority = settings.facility * 8 + _SEVERITIES[alert.severity]
    stamp = datetime.fromtimestamp(alert.ts, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = f"<{priority}>1 {stamp} {_word(alert.sensor, 255)} tapir - {_word(alert.rule_id, 32)} - "
    return head.encode() + line_of(settings)(alert)


def _word(text: str, length_max: int) -> str:
    return "".join(sign if "!" <= sign <= "~" else "_" for sign in text)[:length_max] or "-"
