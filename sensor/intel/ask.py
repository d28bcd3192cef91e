"""A value of whatever kind asked of a matcher: in: a text; out: the entries that name it.

The one law: a text that looks like nothing else is a user agent.
"""

from __future__ import annotations

import re

from sensor.intel.indicator import Kind, NotOne, defanged, kind_of, networks_of
from sensor.intel.matcher import Hit, Matcher


def ask(matcher: Matcher, text: str, now: float) -> list[Hit]:
    """`now`: seconds since 1970, for what has expired."""
    try:
        kind = Kind.JA3 if re.fullmatch(r"[0-9a-fA-F]{32}", text) else kind_of(text)
    except NotOne:
        return matcher.user_agent(text, now)
    if kind in (Kind.JA3, Kind.JA4):
        return matcher.fingerprint(kind, text, now)
    if kind == Kind.ADDRESS:
        address = networks_of(text, special=True)[0].network_address
        return matcher.host(str(address), now)
    rest = re.sub(r"^[a-z]+://", "", defanged(text), flags=re.IGNORECASE)
    host, slash, target = rest.partition("/")
    return matcher.host(host.partition(":")[0], now) + (matcher.url(host, slash + target, now) if slash else [])
