"""One signature, compiled: in: nothing; out: the records that parser, compiler, matcher and detector share.

The one law: a signature is never changed after it was made; what it remembers lives in state.py.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from sensor.alert import Rule

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Content(NamedTuple):
    """A literal; `start` and `stop` bound where it lies, from the buffer's begin or (`relative`) the last match."""

    octets: bytes
    nocase: bool = False
    negated: bool = False
    relative: bool = False
    start: int = 0
    stop: int | None = None  # of its last byte; None is the buffer's end
    at_end: bool = False


class Pcre(NamedTuple):
    expression: re.Pattern[bytes]
    negated: bool = False
    relative: bool = False


class IsDataAt(NamedTuple):
    offset: int
    negated: bool = False
    relative: bool = False


class ByteTest(NamedTuple):
    """`length` bytes at `offset`, as a number, against `value`; `base` of text, 0 for binary."""

    length: int
    operator: str
    negated: bool
    value: int
    offset: int
    relative: bool
    little: bool
    base: int


class Size(NamedTuple):
    """Bytes of the buffer, both bounds included."""

    least: int
    most: int


Test = Content | Pcre | IsDataAt | ByteTest | Size


@dataclass(frozen=True, slots=True)
class Part:
    """The tests of one buffer, in order, after its transforms."""

    buffer: str
    transforms: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()


class Bits(NamedTuple):
    """A flowbits or xbits option: `scope` flow, ip_src, ip_dst or ip_pair."""

    scope: str
    command: str  # set, unset, isset, isnotset, toggle
    names: tuple[str, ...]
    seconds: float = 0.0


class Threshold(NamedTuple):
    """threshold (`kind` limit, threshold, both) or detection_filter (`kind` filter)."""

    kind: str
    track: str
    limit: int
    seconds: float


class Addresses(NamedTuple):
    """Any of `inside` (none: any) and none of `outside`."""

    inside: tuple[Network, ...] = ()
    outside: tuple[Network, ...] = ()


class Ports(NamedTuple):
    inside: tuple[tuple[int, int], ...] = ()
    outside: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """`direction` to_server, to_client or both; `fast`: the literal without which it cannot match, and its buffer."""

    rule: Rule
    sid: int
    revision: int
    action: str
    direction: str
    source: Addresses
    source_ports: Ports
    target: Addresses
    target_ports: Ports
    either_way: bool
    parts: tuple[Part, ...]
    fast: tuple[str, Content] | None
    bits: tuple[Bits, ...] = ()
    threshold: Threshold | None = None
    silent: bool = False
    references: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    where: str = ""
