"""An alert as a line of ArcSight's Common Event Format, version 0 (Implementing ArcSight CEF, revision 25).

    CEF:0|Vendor|Product|Version|Signature|Name|Severity|key=value key=value

Law: in the header | and \\ are escaped, in values = and \\ and line ends; nothing that traffic chose can end a field.
"""

from __future__ import annotations

from sensor._version import __version__
from sensor.alert import Alert, Severity
from sensor.export.moments import milliseconds

_SEVERITIES = {Severity.LOW: 3, Severity.MEDIUM: 5, Severity.HIGH: 8, Severity.CRITICAL: 10}


def cef(alert: Alert) -> bytes:
    """One line, UTF-8, without its end."""
    header = ("Tapir", "Tapir", __version__, alert.rule_id, alert.title, str(_SEVERITIES[alert.severity]))
    fields: dict[str, object] = {
        "rt": milliseconds(alert.ts),
        "start": milliseconds(alert.first_seen),
        "end": milliseconds(alert.last_seen),
        "cat": alert.category,
        "act": alert.state,
        "externalId": f"{alert.alert_id}-{alert.revision}",
        "dvchost": alert.sensor,
        **_address(alert.client_ip, "src", "c6a2", "Source IPv6 Address"),
        "spt": alert.client_port,
        **_address(alert.server_ip, "dst", "c6a3", "Destination IPv6 Address"),
        "dpt": alert.server_port,
        "cnt": alert.count,
        "cs1Label": "entity",
        "cs1": f"{alert.entity.kind} {alert.entity.value}",
        "cs2Label": "owasp",
        "cs2": " ".join(alert.owasp) or None,
        "cs3Label": "attack",
        "cs3": " ".join(alert.attack) or None,
        "cs4Label": "communityId",
        "cs4": alert.community_id,
        "cfp1Label": "observed",
        "cfp1": alert.numbers.observed,
        "cfp2Label": "threshold",
        "cfp2": alert.numbers.threshold,
        "cn1Label": "sequence",
        "cn1": alert.sequence,
        "cn2Label": "epoch",
        "cn2": alert.epoch,
    }
    if alert.http:
        fields |= {
            "app": "HTTP",
            "requestMethod": alert.http.method,
            "request": alert.http.uri,
            "dhost": alert.http.host,
            "requestClientApplication": alert.http.user_agent,
            "outcome": alert.http.status_code,
        }
    fields["msg"] = f"{alert.numbers.observed:g} {alert.numbers.unit}, limit {alert.numbers.threshold:g}"
    known = {key: value for key, value in fields.items() if value is not None}
    pairs = (f"{key}={_value(value)}" for key, value in known.items() if _is_told(key, known))
    return f"CEF:0|{'|'.join(map(_header, header))}|{' '.join(pairs)}".encode()


def _address(address: str | None, four: str, six: str, label: str) -> dict[str, object]:
    """CEF's src and dst hold IPv4 only."""
    if address and ":" in address:
        return {f"{six}Label": label, six: address}
    return {four: address}


def _is_told(key: str, known: dict[str, object]) -> bool:
    """A label only beside its value."""
    return not key.endswith("Label") or key.removesuffix("Label") in known


def _header(text: str) -> str:
    return _one_line(text).replace("\\", "\\\\").replace("|", "\\|")


def _value(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("=", "\\=")
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
