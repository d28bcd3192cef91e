"""Alerts in the words of others: an alert goes in, a dictionary or a line comes out. One file a format, one line in
FORMATS. Law: pure functions; what a format has no field for is left out or kept under its place for such, never bent.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sensor.alert import Alert
from sensor.export.formats import cef, ecs, eve, native, ocsf

FORMATS: dict[str, Callable[[Alert], bytes]] = {
    "native": lambda alert: msgspec.json.encode(native.native(alert)),
    "eve": lambda alert: msgspec.json.encode(eve.eve(alert)),
    "ecs": lambda alert: msgspec.json.encode(ecs.ecs(alert)),
    "ocsf": lambda alert: msgspec.json.encode(ocsf.ocsf(alert)),
    "cef": cef.cef,
}
"""One line of text of an alert, without its end, by the format's name."""
