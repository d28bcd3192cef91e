"""What a TRANSACTION row looks like outside, one row and one field at a time: the slow twin of sensor/export."""

from __future__ import annotations

import ipaddress
from typing import Any

import communityid

from sensor.schema import Anomaly, TransactionFlag, Tunnel

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VERSIONS = {0: None, 9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}


def base62(word: int) -> str:
    digits = ""
    for _ in range(11):
        word, digit = divmod(word, 62)
        digits = BASE62[digit] + digits
    return digits


def address(hi: int, lo: int) -> str:
    if hi == 0 and lo >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(lo & 0xFFFFFFFF))
    return ipaddress.IPv6Address(hi << 64 | lo).compressed


def milliseconds(start: int, end: int) -> float | None:
    return (end - start) / 1e6 if start and end else None


def transaction(row: Any, strings: list[str]) -> dict[str, Any]:
    """The JSON object of one row."""
    r = {name: row[name].item() for name in row.dtype.names}
    client, server = address(r["client_hi"], r["client_lo"]), address(r["server_hi"], r["server_lo"])
    endpoints = (client, server, r["client_port"], r["server_port"])
    flags, anomalies = r["flags"], r["anomalies"]
    request, response = flags & TransactionFlag.REQUEST, flags & TransactionFlag.RESPONSE
    gaps = anomalies & (Anomaly.REQUEST_GAP | Anomaly.RESPONSE_GAP)
    told = r["version"] != 20 or not gaps
    done = TransactionFlag.REQUEST_DONE | TransactionFlag.RESPONSE_DONE

    def text(field: str) -> str | None:
        return strings[r[field]] or None

    def bound(side: str, seen: int) -> int | None:
        return r[f"{side}_body_max"] if seen and r[f"{side}_body_max"] >= 0 else None

    return {
        "ts": r["ts"] / 10**9,
        "uid": "C" + base62(r["uid_hi"]) + base62(r["uid_lo"]),
        "community_id": communityid.CommunityID().calc(communityid.FlowTuple.make_tcp(*endpoints)),
        "client_ip": client,
        "client_port": r["client_port"],
        "server_ip": server,
        "server_port": r["server_port"],
        "vlan": r["vlan"] or None,
        "trans_depth": r["trans_depth"],
        "method": text("method"),
        "host": text("host"),
        "uri": text("uri"),
        "endpoint": text("endpoint"),
        "version": VERSIONS[r["version"]],
        "user_agent": text("user_agent"),
        "referrer": text("referrer"),
        "request_content_type": text("request_content_type"),
        "response_content_type": text("response_content_type"),
        "request_body_len": r["request_body_len"] if request else None,
        "response_body_len": r["response_body_len"] if response else None,
        "status_code": r["status_code"] or None,
        "status_msg": text("status_msg"),
        "auth_scheme": text("auth_scheme"),
        "user": f"{r['user']:016x}" if r["user"] else None,
        "request_ms": milliseconds(r["ts"], r["request_end_ts"]) if request else None,
        "wait_ms": milliseconds(r["request_end_ts"], r["response_ts"]),
        "response_ms": milliseconds(r["response_ts"], r["response_end_ts"]),
        "complete": bool(request and response and flags & done == done and not gaps),
        "anomalies": [anomaly.name.lower() for anomaly in Anomaly if anomalies & anomaly],
        "request_body_len_max": bound("request", request),
        "response_body_len_max": bound("response", response),
        "records": r["records"] if r["records"] >= 0 else None,
        "tunnel": Tunnel(r["tunnel"]).name.lower() if r["tunnel"] else None,
        "tunnel_id": r["tunnel_id"] if r["tunnel"] else None,
        "account": f"{r['account']:016x}" if r["account"] else None,
        "grpc_status": r["grpc_status"] if r["grpc_status"] >= 0 else None,
        "request_messages": r["request_messages"] if r["request_messages"] >= 0 else None,
        "response_messages": r["response_messages"] if r["response_messages"] >= 0 else None,
        "request_missing_bytes": r["request_missing_bytes"] if request and told else None,
        "response_missing_bytes": r["response_missing_bytes"] if response and told else None,
    }
