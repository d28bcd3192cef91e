"""Addresses, ports and variables of a rule's header: in: its text; out: networks and ranges.

The one law: a variable that nobody defined is an error that names it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from sensor.detection.signatures.parser import RuleError
from sensor.detection.signatures.rule import Addresses, Network, Ports

_ANY4, _ANY6 = ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")
DEFAULT_VARIABLES = {
    "HOME_NET": "any", "EXTERNAL_NET": "any", "HTTP_SERVERS": "any", "SQL_SERVERS": "any", "DNS_SERVERS": "any",
    "SMTP_SERVERS": "any", "TELNET_SERVERS": "any", "AIM_SERVERS": "any", "DC_SERVERS": "any", "DNP3_SERVER": "any",
    "DNP3_CLIENT": "any", "MODBUS_SERVER": "any", "MODBUS_CLIENT": "any", "ENIP_SERVER": "any", "ENIP_CLIENT": "any",
    "HTTP_PORTS": "any", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "FILE_DATA_PORTS": "any",
    "FTP_PORTS": "21",
}  # fmt: skip
"""Everything is inside and outside until the operator says otherwise; HTTP is found on any port."""


def _members(text: str, variables: Mapping[str, str], negated: bool, depth: int = 0) -> list[tuple[bool, str]]:
    """(negated, item) of a list, its variables put in."""
    if depth > 8:
        raise RuleError("variables go round in a circle")
    text = text.strip()
    while text.startswith("!"):
        negated, text = not negated, text[1:].strip()
    if text.startswith("$"):
        if text[1:] not in variables:
            raise RuleError(f"unknown variable {text}")
        return _members(variables[text[1:]], variables, negated, depth + 1)
    if not text.startswith("["):
        return [(negated, text)]
    items, level, start = [], 0, 1
    for i, c in enumerate(text):
        level += (c == "[") - (c == "]")
        if (c == "," and level == 1) or (c == "]" and level == 0):
            if text[start:i].strip():
                items += _members(text[start:i], variables, negated, depth + 1)
            start = i + 1
    return items


def addresses(text: str, variables: Mapping[str, str]) -> Addresses:
    """Raises RuleError."""
    inside: list[Network] = []
    outside: list[Network] = []
    for negated, item in _members(text, variables, False):
        if item == "any":
            if negated:
                outside += [_ANY4, _ANY6]
            continue
        try:
            (outside if negated else inside).append(ipaddress.ip_network(item, strict=False))
        except ValueError:
            raise RuleError(f"{item!r} is no address, network or variable") from None
    return Addresses(tuple(inside), tuple(outside))


def ports(text: str, variables: Mapping[str, str]) -> Ports:
    """Raises RuleError."""
    inside: list[tuple[int, int]] = []
    outside: list[tuple[int, int]] = []
    for negated, item in _members(text, variables, False):
        if item == "any":
            continue
        low, colon, high = item.partition(":")
        try:
            first = int(low) if low else 0
            last = (int(high) if high else 65_535) if colon else first
        except ValueError:
            raise RuleError(f"{item!r} is no port, range or variable") from None
        (outside if negated else inside).append((first, last))
    return Ports(tuple(inside), tuple(outside))


def has_address(group: Addresses, address: str) -> bool:
    if not group.inside and not group.outside:
        return True
    ip = ipaddress.ip_address(address)
    return (not group.inside or any(ip in net for net in group.inside)) and not any(ip in net for net in group.outside)


def has_port(group: Ports, port: int) -> bool:
    inside = not group.inside or any(low <= port <= high for low, high in group.inside)
    return inside and not any(low <= port <= high for low, high in group.outside)
