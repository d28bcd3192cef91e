"""Names asked of DNS, taken apart: in: lookups; out: the domain that somebody registered, and what lies below it.

Where domains are registered stands in the Public Suffix List as it came with the library (publicsuffixlist), private
suffixes too: below cloudfront.net or duckdns.org each customer has a domain. The one law: a name is looked at once
while it is remembered.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sensor.dns import Lookups

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_NAMES_KNOWN = 16_384
REPUTATION = frozenset({
    "abuseat.org", "anti-spam.org.cn", "avast.com", "barracuda.com", "barracudacentral.org", "cymru.com", "dnswl.org",
    "e5.sk", "eset.com", "f-secure.com", "fortiguard.net", "fsapi.com", "habeas.com", "kaspersky-labs.com",
    "ksn-dns.net", "mailspike.net", "mcafee.com", "msbl.org", "psbl.org", "rspamd.com", "senderbase.org",
    "senderscore.com", "sophosxl.net", "sorbs.net", "spamcop.net", "spamhaus.net", "spamhaus.org",
    "spameatingmonkey.net", "support-intelligence.net", "surbl.org", "trendmicro.com", "trustedsource.org",
    "uribl.com", "webroot.com",
})  # fmt: skip
"""Reputation of addresses, names and files is asked for in names below these: nobody else can answer there."""
_ADDRESS = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}|(?:[0-9a-f](?:\.|$)){32}")
_SERVICE = re.compile(r"(?:^|\.)_[a-z]")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}")


class Name(NamedTuple):
    """`domain` that was registered, `below` how many bytes lie below it, 0 when they are no data; `entropy` of these,
    bits a byte; `is_odd`: the domain's own label is like no word; `is_public`: it ends as domains of the Internet do.
    """

    domain: str
    below: int
    entropy: float
    is_odd: bool
    is_public: bool


class Names:
    """Remembers the names asked for lately."""

    def __init__(self) -> None:
        self._known: dict[int, Name] = {}

    def of(self, lookups: Lookups, row: Any) -> Name:
        hashed = int(row["name_hash"])
        found = self._known.get(hashed)
        if found is None:
            if len(self._known) >= _NAMES_KNOWN:
                del self._known[next(iter(self._known))]
            found = self._known[hashed] = taken_apart(lookups.query(row))
        return found


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)


def taken_apart(name: str) -> Name:
    """The parts of a name. Backward addresses, names of services (RFC 8552) and questions about reputation carry no
    data of the client's.
    """
    found = _suffixes().privatesuffix(name)
    domain = found or ".".join(name.split(".")[-2:])
    below = name[: -len(domain) - 1]
    plain = not below or domain in REPUTATION or bool(_SERVICE.search(below)) or bool(_ADDRESS.match(below))
    if plain or name.endswith(".arpa"):
        return Name(domain, 0, 0.0, is_odd(domain), found is not None)
    data = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), below.replace(".", ""))  # what is not printable
    return Name(domain, len(data), entropy(data), is_odd(domain), found is not None)


def entropy(text: str) -> float:
    """Bits a character (Shannon)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) if text else 0.0


def is_odd(domain: str) -> bool:
    """Whether a domain's first label is long and has what words have not: digits among letters, many consonants."""
    label = domain.partition(".")[0]
    if len(label) < 8 or label.startswith("xn--"):
        return False
    digits = len(re.findall(r"(?<=[a-z])\d(?=[a-z])", label))
    vowels = sum(char in "aeiouy" for char in label)
    return digits > 1 or vowels < len(label) / 5 or bool(_CONSONANTS.search(label))
