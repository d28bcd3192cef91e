"""Syslog: alerts go in, messages of RFC 5424 come out, over TCP or TLS with counted frames (RFC 6587, RFC 5425) or UDP
(RFC 5426).

Law: the header holds printable ASCII without blanks, whatever a sensor is called. No transport acknowledges: what
a server that breaks down had not yet read is lost there.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sensor.alert import Alert, Severity
from sensor.collector.sinks.sink import Refused, key_of, line_of, tls
from sensor.config import SinkSettings
from sensor.errors import SettingError

_SEVERITIES = {Severity.CRITICAL: 2, Severity.HIGH: 3, Severity.MEDIUM: 4, Severity.LOW: 5}
_DATAGRAM_BYTES_MAX = 65_000


class Syslog:
    """Connects when there is something to write, and again after a fault."""

    def __init__(self, settings: SinkSettings) -> None:
        try:
            parts = urlsplit(settings.syslog)
            port = parts.port
        except ValueError:
            port = None
        if port is None or parts.scheme not in ("tcp", "tls", "udp") or not parts.hostname:
            raise SettingError(f"{key_of(settings)}: expected tcp://HOST:PORT, tls://HOST:PORT or udp://HOST:PORT")
        self._host, self._port, self._stream = parts.hostname, port, parts.scheme != "udp"
        self._context = tls(settings) if parts.scheme == "tls" else None
        self._settings = settings
        self._socket: socket.socket | None = None

    def write(self, alerts: Sequence[Alert]) -> Refused:
        messages = [message(alert, self._settings) for alert in alerts]
        try:
            if self._socket is None or self._left():
                self._connect()
            assert self._socket is not None
            if self._stream:
                self._socket.sendall(b"".join(b"%d %s" % (len(one), one) for one in messages))
            else:
                for one in messages:
                    self._socket.send(one[:_DATAGRAM_BYTES_MAX])
        except OSError:
            self.close()
            raise
        return {}

    def _left(self) -> bool:
        """Whether the server closed the connection since."""
        if not self._stream or self._socket is None:
            return False
        self._socket.setblocking(False)
        try:
            return self._socket.recv(1) == b""  # servers send nothing
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._socket.settimeout(self._settings.timeout_seconds)

    def _connect(self) -> None:
        self.close()
        if self._stream:
            self._socket = socket.create_connection((self._host, self._port), self._settings.timeout_seconds)
            if self._context is not None:
                self._socket = self._context.wrap_socket(self._socket, server_hostname=self._host)
            return
        family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.connect(address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def message(alert: Alert, settings: SinkSettings) -> bytes:
    """<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG, without a frame."""
    priority = settings.facility * 8 + _SEVERITIES[alert.severity]
    stamp = datetime.fromtimestamp(alert.ts, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = f"<{priority}>1 {stamp} {_word(alert.sensor, 255)} tapir - {_word(alert.rule_id, 32)} - "
    return head.encode() + line_of(settings)(alert)


def _word(text: str, length_max: int) -> str:
    return "".join(sign if "!" <= sign <= "~" else "_" for sign in text)[:length_max] or "-"
