"""What both sides of a TLS connection said, as one row: in: its flow, figures and handshakes; out: TlsConnection.

The one law: the client is who sent the ClientHello, or, when nobody was seen to, not who sent the ServerHello.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy.typing as npt

from sensor.protocols.flow_names import names_of
from sensor.protocols.quic.connection import QuicConnection
from sensor.protocols.tls.certificates import Certificate, read_certificate
from sensor.protocols.tls.ciphers import cipher_name, curve_name
from sensor.protocols.tls.datagrams import DtlsConnection
from sensor.protocols.tls.fingerprints import ja3, ja3s, ja4
from sensor.protocols.tls.hello import PRE_SHARED_KEY, TLS13, Handshake, Hello
from sensor.protocols.tls.tables import SideFlag
from sensor.tls import TlsConnection

NS = 1e9
MS = 1e6
FINISHED_BYTES = 53
"""The shortest encrypted Finished of TLS 1.3: 4 + 32 bytes, content type, tag; an alert is 19."""
_VERSIONS = {
    0x0300: "SSLv3", 0x0301: "TLSv10", 0x0302: "TLSv11", 0x0303: "TLSv12", 0x0304: "TLSv13",
    0xFEFF: "DTLSv10", 0xFEFD: "DTLSv12", 0xFEFC: "DTLSv13",
}  # fmt: skip
_NEWEST = (TLS13, 0xFEFC)
_DRAFT = 0x7F
_ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
    45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
    49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security",
    80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
    109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
    115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}  # fmt: skip


class Ended(NamedTuple):
    """A connection that ended: FLOW row, its uid, packet time, SIDE[2] and what each direction sent in clear; of QUIC
    or DTLS when `datagrams` is not None.
    """

    flow: Any
    uid: tuple[int, int]
    now: int
    sides: npt.NDArray[Any]
    handshakes: list[Handshake]
    datagrams: QuicConnection | DtlsConnection | None = None


def row_of(ended: Ended) -> TlsConnection:
    """The row; what was not seen is null."""
    flow = ended.flow
    client = 1 if ended.handshakes[1].client_hello or ended.handshakes[0].server_hello else 0
    told = ended.datagrams
    client = told.client if told and told.client >= 0 else client
    hello, answer = ended.handshakes[client].client_hello, ended.handshakes[1 - client].server_hello
    version = _version(answer)
    starts = [int(side["ts"]) for side in _spoken(ended.sides)]
    return TlsConnection(
        ts=min(starts) / NS,
        **names_of(flow, ended.uid, client),
        duration=max(int(flow["last_ts"]) - min(starts), 0) / NS,
        version=None if version is None else _version_name(version),
        resumed=_is_resumed(hello, answer, ended, 1 - client),
        established=_is_established(version, ended, client),
        quic_version=told.quic_version if told else None,
        last_alert=_alert([told.alert] if told else [int(side["alert"]) for side in _spoken(ended.sides)]),
        records_exact=not any(int(side["flags"]) & SideFlag.LOSS for side in ended.sides),
        end_now=ended.now,
        **_of_hellos(hello, answer, told.transport if told else "t"),
        **_of_certificates(ended.handshakes[client], ended.handshakes[1 - client]),
        **_of_records(ended.sides, client),
    )  # fmt: skip


def _spoken(sides: npt.NDArray[Any]) -> list[Any]:
    """Those sides that were seen to speak TLS."""
    return [side for side in sides if side["flags"] & SideFlag.TLS]


def _version_name(version: int) -> str:
    if version >> 8 == _DRAFT:
        return f"TLSv13-draft{version & 0xFF}"
    return _VERSIONS.get(version, f"0x{version:04x}")


def _version(answer: Hello | None) -> int | None:
    if answer is None:
        return None
    return answer.versions[0] if answer.versions else answer.version


def _shape(hello: Hello) -> tuple[Any, ...]:
    """What the fingerprints of a ClientHello are made of: the same in all hellos of one program."""
    lists = hello.ciphers, tuple(hello.extensions), hello.groups, hello.point_formats, hello.signatures, hello.versions
    return hello.version, hello.protocol_bytes, lists


@lru_cache(1_024)
def _fingerprints(transport: str, version: int, protocol: bytes, lists: tuple[Any, ...]) -> tuple[str, str]:
    """JA3 and JA4 of a shape; those made lately are remembered."""
    ciphers, extensions, groups, formats, signatures, versions = lists
    hello = Hello(
        version=version, session=b"", ciphers=ciphers, extensions=list(extensions), protocol_bytes=protocol,
        groups=groups, point_formats=formats, signatures=signatures, versions=versions,
    )  # fmt: skip
    return ja3(hello), ja4(hello, transport)


def _of_hellos(hello: Hello | None, answer: Hello | None, transport: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if hello:
        found |= {"server_name": hello.server_name, "offered_protocols": hello.protocols}
        found |= dict(zip(("ja3", "ja4"), _fingerprints(transport, *_shape(hello)), strict=True))
    if answer:
        found |= {"cipher": cipher_name(answer.ciphers[0]), "ja3s": ja3s(answer)}
        found["next_protocol"] = answer.protocols[0] if answer.protocols else None
        found["curve"] = None if answer.key_share is None else curve_name(answer.key_share)
    return found


def _of_certificates(client: Handshake, server: Handshake) -> dict[str, Any]:
    found: dict[str, Any] = {"certificates": len(server.certificates)}
    own = read_certificate(client.certificates[0]) if client.certificates else None
    if own:
        found |= {"client_subject": own.subject, "client_issuer": own.issuer}
    if server.certificates:
        found["certificate_sha256"] = hashlib.sha256(server.certificates[0]).hexdigest()
        certificate = read_certificate(server.certificates[0])
        found |= certificate._asdict() if isinstance(certificate, Certificate) else {}
    return found


def _of_records(sides: npt.NDArray[Any], client: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, side in (("orig", sides[client]), ("resp", sides[1 - client])):
        if side["flags"] & SideFlag.TLS:
            found[f"{name}_records"] = int(side["sealed_records"])
            found[f"{name}_record_bytes"] = int(side["sealed_bytes"])
            found |= {f"{name}_record_{key}": value for key, value in _of_side(side).items()}
    return found


def _of_side(side: Any) -> dict[str, float | int | None]:
    """Sizes (bytes) and intervals (ms) of its records; null where there are too few of them."""
    count, gaps = int(side["sealed_records"]), int(side["sealed_records"]) - 1
    found: dict[str, float | int | None] = {}
    if count > 0:
        mean, deviation = _spread(float(side["sealed_bytes"]), float(side["sizes_sumsq"]), count)
        found = {"size_mean": mean, "size_deviation": deviation}
        found |= {"size_min": int(side["size_min"]), "size_max": int(side["size_max"])}
    if gaps > 0:
        mean, deviation = _spread(float(side["gaps_sum"]), float(side["gaps_sumsq"]), gaps)
        found["interval_mean_ms"], found["interval_deviation_ms"] = round(mean / MS, 3), round(deviation / MS, 3)
        found["interval_min_ms"] = round(int(side["gap_min"]) / MS, 3)
        found["interval_max_ms"] = round(int(side["gap_max"]) / MS, 3)
    return found


def _spread(total: float, squares: float, count: int) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = total / count
    return round(mean, 3), round(math.sqrt(max(squares / count - mean * mean, 0.0)), 3)


def _is_resumed(hello: Hello | None, answer: Hello | None, ended: Ended, server: int) -> bool:
    """TLS 1.3 says so; before, the server takes up the session id, or goes on without a certificate for a ticket."""
    if answer is None:
        return False
    if _version(answer) in _NEWEST:
        return PRE_SHARED_KEY in answer.extensions
    went_on = ended.datagrams.sealed[server] if ended.datagrams else ended.sides[server]["flags"] & SideFlag.CHANGED
    if ended.handshakes[server].certificates or not went_on:
        return False
    return hello is not None and bool(answer.session) and answer.session == hello.session


def _is_established(version: int | None, ended: Ended, client: int) -> bool:
    if ended.datagrams:
        return all(ended.datagrams.sealed)
    if not all(int(side["flags"]) & SideFlag.SEALED for side in ended.sides):
        return False
    return version != TLS13 or int(ended.sides[client]["size_max"]) >= FINISHED_BYTES  # an alert is shorter


def _alert(numbers: list[int]) -> str | None:
    said = [number for number in numbers if number >= 0]
    return _ALERTS.get(said[-1], str(said[-1])) if said else None
