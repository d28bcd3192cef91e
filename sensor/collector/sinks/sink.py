"""What every sink is: settings go in, a function that hands alerts over comes out.

Law: what a sink says of a fault may be logged and stored: it holds no address with a password, no header, no secret.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence

from sensor.alert import Alert
from sensor.config import SinkSettings
from sensor.config.environment import expanded
from sensor.errors import SettingError
from sensor.export.formats import FORMATS

TOPIC = "tapir-alerts"

Refused = Mapping[int, str]
"""Alerts that a sink will never take, by their number in what was written, and why."""
Write = Callable[[Sequence[Alert]], Refused]
"""Hands alerts over. Raises OSError when it could not: then all of them come again."""


class NotTaken(OSError):
    """The other side could not be reached or does not want alerts now; `retry_seconds`: how long it asks to wait."""

    def __init__(self, text: str, retry_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


def key_of(settings: SinkSettings) -> str:
    """How errors of settings name it."""
    return f"collector.sinks: {settings.name}"


def secret_of(settings: SinkSettings, text: str) -> str:
    return expanded(text, key_of(settings))


def line_of(settings: SinkSettings, default: str = "native") -> Callable[[Alert], bytes]:
    """How an alert is written there."""
    return FORMATS[settings.format or default]


def id_of(alert: Alert) -> str:
    """The same whenever a revision is handed over again, and of no other."""
    return f"{alert.sensor}-{alert.alert_id}-{alert.revision}"


def missing(settings: SinkSettings, package: str, extra: str) -> SettingError:
    return SettingError(f"{key_of(settings)}: needs {package}: pip install 'tapir-sensor[{extra}]'")


def tls(settings: SinkSettings) -> ssl.SSLContext:
    """That trusts what it should, and always asks who the other side is."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingError(f"{key_of(settings)}: ca_file, certificate_file or key_file: {error}") from None
    return context
