"""Tables of DNS: in: nothing; out: the records of questions and of what answered them.

One LOOKUP is a question with its answer, either of which may not have been seen. Its texts lie in one buffer of the
batch, its answers in one table of the batch. The one law: names are in lower case, printable ASCII, without the last
dot ("." is the root); any other byte, and a dot or backslash inside a label, is \\xNN.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

LOOKUP = np.dtype(
    [
        ("ts", "i8"),              # of the question, else of the answer
        ("now", "i8"),             # packet time at which it was complete, or given up
        ("rtt", "i8"),             # from the question to the answer, ns; -1 without both
        ("flow", "i8"),            # serial
        ("client_hi", "u8"),       # who asked
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("uid_hi", "u8"),
        ("uid_lo", "u8"),
        ("name_hash", "u8"),       # of the name asked for, equal for equal names in every run; 0 without a question
        ("query", "i4"),           # of the name asked for, in `texts`
        ("answer", "i4"),          # first of its rows in `answers`
        ("query_bytes", "i4"),     # message as captured, 0 when it was not seen
        ("response_bytes", "i4"),
        ("tunnel_id", "u4"),
        ("query_length", "u2"),    # of the text
        ("answers", "u2"),         # rows in `answers`
        ("answer_count", "u2"),    # as the header says
        ("authority_count", "u2"),
        ("additional_count", "u2"),
        ("queries", "u2"),         # times that the question was seen before it was answered
        ("client_port", "u2"),
        ("server_port", "u2"),
        ("vlan", "u2"),
        ("trans_id", "u2"),
        ("qtype", "u2"),
        ("qclass", "u2"),
        ("rcode", "u2"),           # with the upper bits of EDNS (RFC 6891, 6.1.3)
        ("edns_bytes", "u2"),      # UDP payload that the client takes, 0 without EDNS
        ("flags", "u2"),           # LookupFlag
        ("proto", "u1"),
        ("tunnel", "u1"),
        ("opcode", "u1"),
    ],
    align=True,
)


class LookupFlag(IntEnum):
    AA = 1
    TC = 2
    RD = 4
    RA = 8
    AD = 16
    CD = 32
    ASKED = 64           # the question was seen
    ANSWERED = 128       # the answer was seen
    MALFORMED = 256      # its records could not be read to their end
    CUT = 512            # of its answers some are not in the table: too many, or too long
    DNSSEC_OK = 1_024    # the client asks for signatures
    RESERVED = 4_096     # the bit that must be zero is not, in the message that was seen last
    QUESTIONS = 2_048    # more than one question: the first is told


ANSWER = np.dtype(
    [
        ("hi", "u8"),        # of A and AAAA
        ("lo", "u8"),
        ("start", "i4"),     # in `texts`, of types whose data is a name or a text
        ("ttl", "u4"),       # seconds
        ("length", "u2"),
        ("type", "u2"),
        ("bytes", "u2"),     # of the record's data on the wire
    ],
    align=True,
)


class Type(IntEnum):
    """Types of records that are read (https://www.iana.org/assignments/dns-parameters)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    DNAME = 39
    OPT = 41
    SPF = 99
