"""What an analyst is shown of a row: in: rows of the tables; out: addresses, HTTP context, Community ID.

The one law: texts come from the string pool, where secrets are already replaced.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sensor.alert import Detection, Entity, Http, Numbers, Rule, Severity
from sensor.detection.detector import Strings
from sensor.structures.community_id import community_id_of
from sensor.structures.entity_tables import IdentityKind


def address_text(hi: int, lo: int) -> str:
    """The address in its usual form; ::ffff:a.b.c.d is a.b.c.d."""
    if hi == 0 and lo >> 32 == 0xFFFF:
        return f"{lo >> 24 & 255}.{lo >> 16 & 255}.{lo >> 8 & 255}.{lo & 255}"
    return str(ipaddress.IPv6Address(hi << 64 | lo))


def address(row: Any, side: str) -> str:
    """Address of one side of a row: "client" or "server" of a transaction, "orig" or "resp" of a flow."""
    return address_text(int(row[f"{side}_hi"]), int(row[f"{side}_lo"]))


def community_id(row: Any, source: str, target: str) -> str:
    """Community ID of a transaction ("client", "server") or a flow ("orig", "resp"): what was on the wire, so behind a
    proxy that of its connection.
    """
    if source == "client":
        source_hi, source_lo = int(row["peer_hi"]), int(row["peer_lo"])
    else:
        source_hi, source_lo = int(row[f"{source}_hi"]), int(row[f"{source}_lo"])
    return community_id_of(
        source_hi,
        source_lo,
        int(row[f"{target}_hi"]),
        int(row[f"{target}_lo"]),
        int(row[f"{source}_port"]),
        int(row[f"{target}_port"]),
        int(row["proto"]),
    )


def host_name(host: str) -> str:
    """The Host header without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and ("]" in name or ":" not in name) else host


def http_of(transaction: Any, strings: Strings) -> Http:
    """The HTTP context of one transaction; what was absent is None."""

    def text(column: str) -> str | None:
        return strings.text(int(transaction[column])) or None

    return Http(
        method=text("method"),
        host=text("host"),
        uri=text("uri"),
        endpoint=text("endpoint"),
        status_code=int(transaction["status_code"]) or None,
        user_agent=text("user_agent"),
    )


def identity_of(transaction: Any, kind: int) -> Entity:
    """The identity that a transaction is ascribed to, as alerts name it; `kind` is IdentityKind."""
    if kind == IdentityKind.CLIENT:
        return Entity("client", address(transaction, "client"))
    return Entity("user", f"{int(transaction['subject'] or transaction['user']):016x}")


def detection_of(
    transaction: Any,
    strings: Strings,
    rule: Rule,
    entity: Entity,
    numbers: Numbers,
    *,
    count: int,
    run: str,
    first_ts: int,
    severity: Severity | None = None,
    confidence: float = 1.0,
    details: dict[str, Any] | None = None,
) -> Detection:
    """A detection that a transaction decided: who, where and when are taken from it. What befalls an endpoint, or many
    do with the same software, is no one client's doing: none is named.
    """
    theirs = entity.kind not in ("endpoint", "software")
    return Detection(
        now=int(transaction["now"]),
        rule=rule,
        entity=entity,
        numbers=numbers,
        count=count,
        run=run,
        first_ts=first_ts,
        last_ts=max(int(transaction["ts"]), first_ts),
        confidence=confidence,
        client_ip=address(transaction, "client") if theirs else None,
        client_port=int(transaction["client_port"]) if theirs else None,
        server_ip=address(transaction, "server"),
        server_port=int(transaction["server_port"]),
        community_id=community_id(transaction, "client", "server"),
        http=http_of(transaction, strings),
        severity=severity,
        details=details or {},
    )
