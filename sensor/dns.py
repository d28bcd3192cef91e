"""What was asked of DNS in a batch: in: rows, their answers and texts; out: names and addresses of a row.

The one law: rows refer to nothing but the two tables beside them, so that they can be handed to another process.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.schema_dns import ANSWER, LOOKUP, LookupFlag, Type

Table = npt.NDArray[Any]


class Lookups(NamedTuple):
    """`rows` LOOKUP[n] in order of `now`, `answers` ANSWER[m], `texts` uint8."""

    rows: Table
    answers: Table
    texts: npt.NDArray[np.uint8]

    def query(self, row: Any) -> str:
        """The name that was asked for; empty when there was none."""
        start = int(row["query"])
        return self.texts[start : start + int(row["query_length"])].tobytes().decode("ascii")

    def answered(self, row: Any) -> list[str]:
        """Its answers as Zeek writes them."""
        first = int(row["answer"])
        return [self._text(answer) for answer in self.answers[first : first + int(row["answers"])]]

    def _text(self, answer: Any) -> str:
        kind, start = int(answer["type"]), int(answer["start"])
        text = self.texts[max(start, 0) : max(start, 0) + int(answer["length"])].tobytes().decode("ascii")
        if kind in (Type.A, Type.AAAA) and (answer["lo"] or answer["hi"]):
            return address_of(int(answer["hi"]), int(answer["lo"]))
        if kind in (Type.TXT, Type.SPF):
            return f"TXT {len(text)} {text}"
        return text if start >= 0 else f"<unknown type={kind}>"

    def reserved(self) -> Table:
        """Zeek's Z: the three bits behind RA, of which two have names today."""
        flags = self.rows["flags"]
        bits = [flags & flag != 0 for flag in (LookupFlag.RESERVED, LookupFlag.AD, LookupFlag.CD)]
        z: Table = 4 * bits[0] + 2 * bits[1] + bits[2]
        return z

    def rejected(self) -> Table:
        """Answers without a record of any kind, as Zeek has it."""
        records = self.rows["answer_count"].astype(int) + self.rows["authority_count"] + self.rows["additional_count"]
        rejected: Table = (records == 0) & (self.rows["flags"] & LookupFlag.ANSWERED != 0)
        return rejected

    def behind(self, skipped: int) -> Lookups:
        """Without the first so many rows."""
        return self._replace(rows=self.rows[skipped:]) if skipped else self


NO_LOOKUPS = Lookups(np.zeros(0, LOOKUP), np.zeros(0, ANSWER), np.zeros(0, np.uint8))


def joined_lookups(parts: Sequence[Lookups]) -> Lookups:
    """One after the other."""
    if len(parts) < 2:
        return parts[0] if parts else NO_LOOKUPS
    rows, answers = (np.concatenate([part[table] for part in parts]) for table in (0, 1))
    at = answer_at = text = answer = 0
    for part in parts:
        rows["query"][at : at + len(part.rows)] += text
        rows["answer"][at : at + len(part.rows)] += answer
        own = answers["start"][answer_at : answer_at + len(part.answers)]
        own[own >= 0] += text
        at, answer_at = at + len(part.rows), answer_at + len(part.answers)
        text, answer = text + len(part.texts), answer + len(part.answers)
    return Lookups(rows, answers, np.concatenate([part.texts for part in parts]))


def address_of(hi: int, lo: int) -> str:
    """::ffff:a.b.c.d as a.b.c.d."""
    mapped = hi == 0 and lo >> 32 == 0xFFFF
    return str(ipaddress.IPv4Address(lo & 0xFFFFFFFF) if mapped else ipaddress.IPv6Address(hi << 64 | lo))


def type_name(qtype: int) -> str:
    """As Zeek names a type of records."""
    return TYPES.get(qtype, f"query-{qtype}")


def class_name(qclass: int) -> str:
    return CLASSES.get(qclass, f"qclass-{qclass}")


def rcode_name(rcode: int) -> str:
    return RCODES.get(rcode, f"rcode-{rcode}")


TYPES = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS",
    12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 24: "SIG", 25: "KEY", 28: "AAAA",
    29: "LOC", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT", 39: "DNAME", 41: "EDNS", 43: "DS", 44: "SSHFP",
    46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA",
    55: "HIP", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 64: "SVCB", 65: "HTTPS", 99: "SPF",
    108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "*", 256: "URI", 257: "CAA",
}  # fmt: skip
"""https://www.iana.org/assignments/dns-parameters; ANY is * as in Zeek's log."""
CLASSES = {1: "C_INTERNET", 3: "C_CHAOS", 4: "C_HESOD", 254: "C_NONE", 255: "C_ANY", 0x8001: "C_INTERNET"}
"""Zeek's names; 0x8001 is mDNS's cache flush or wish for unicast (RFC 6762, 18.12)."""
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE",
    20: "BADNAME", 21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip
