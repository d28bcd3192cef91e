"""The columns that name a flow: in: its FLOW row, its uid and who is the client; out: what rows of connections share.

The one law: they are the texts that the other outputs have, so that rows can be joined.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sensor.structures.community_id import community_id_of

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIDES = ("orig", "resp")


def names_of(flow: Any, uid: tuple[int, int], client: int) -> dict[str, Any]:
    """Columns by their Python names; `client`: the direction of who is the originator here."""
    orig, resp = _end(flow, _SIDES[client]), _end(flow, _SIDES[1 - client])
    fields = ("orig_hi", "orig_lo", "resp_hi", "resp_lo", "orig_port", "resp_port", "proto")
    return {
        "uid": _uid_text(uid),
        "community_id": community_id_of(*(int(flow[name]) for name in fields)),
        "orig_h": orig[0], "orig_p": orig[1], "resp_h": resp[0], "resp_p": resp[1],
        "tunnel_id": int(flow["tunnel_id"]) if flow["tunnel"] else None,
        "vlan": int(flow["vlan"]) or None,
        "flow": int(flow["serial"]),
    }  # fmt: skip


def _uid_text(halves: tuple[int, int]) -> str:
    """C and eleven base62 digits for each half."""
    text = "C"
    for half in halves:
        digits, rest = "", half
        for _ in range(11):
            rest, digit = divmod(rest, 62)
            digits = _DIGITS[digit] + digits
        text += digits
    return text


def _end(flow: Any, side: str) -> tuple[str, int]:
    high, low = int(flow[f"{side}_hi"]), int(flow[f"{side}_lo"])
    is_4 = high == 0 and low >> 32 == 0xFFFF
    address = ipaddress.IPv4Address(low & 0xFFFFFFFF) if is_4 else ipaddress.IPv6Address(high << 64 | low)
    return str(address), int(flow[f"{side}_port"])
