"""Syslog: alerts go in, messages of RFC 5424 come out, over TCP with counted frames (RFC 6587) or UDP (RFC 5426).

Law: the header holds printable ASCII without blanks, whatever a sensor is called. Neither transport acknowledges: what
a server that breaks down had not yet read is lost there.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sensor.alert import Alert, Severity
from sensor.config import SinkSettings
from sensor.errors import SettingError
from sensor.export.formats import FORMATS

_SEVERITIES = {Severity.CRITICAL: 2, Severity.HIGH: 3, Severity.MEDIUM: 4, Severity.LOW: 5}
_DATAGRAM_BYTES_MAX = 65_000
_TIMEOUT_SECONDS = 10.0


class Syslog:
    """Connects when there is something to write, and again after a fault."""

    def __init__(self, settings: SinkSettings) -> None:
        try:
            parts = urlsplit(settings.syslog)
            port = parts.port
        except ValueError:
            port = None
        if port is None or parts.scheme not in ("tcp", "udp") or not parts.hostname:
            raise SettingError(f"collector.sinks: {settings.name}: expected tcp://HOST:PORT or udp://HOST:PORT")
        self._host, self._port, self._tcp = parts.hostname, port, parts.scheme == "tcp"
        self._settings = settings
        self._socket: socket.socket | None = None

    def write(self, alerts: Sequence[Alert]) -> None:
        messages = [message(alert, self._settings) for alert in alerts]
        try:
            if self._socket is None or self._left():
                self._connect()
            assert self._socket is not None
            if self._tcp:
                self._socket.sendall(b"".join(b"%d %s" % (len(one), one) for one in messages))
            else:
                for one in messages:
                    self._socket.send(one[:_DATAGRAM_BYTES_MAX])
        except OSError:
            self.close()
            raise

    def _left(self) -> bool:
        """Whether the server closed the connection since."""
        if not self._tcp or self._socket is None:
            return False
        try:
            return self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False

    def _connect(self) -> None:
        self.close()
        if self._tcp:
            self._socket = socket.create_connection((self._host, self._port), _TIMEOUT_SECONDS)
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
    return head.encode() + FORMATS[settings.format](alert)


def _word(text: str, length_max: int) -> str:
    return "".join(sign if "!" <= sign <= "~" else "_" for sign in text)[:length_max] or "-"
