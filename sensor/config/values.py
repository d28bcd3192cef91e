"""What values settings may have: in: nothing; out: types with their bounds. Law: a bound stands here once."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
AtLeastTwo = Annotated[int, msgspec.Meta(ge=2)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=90 * 86_400)]
SecondsOrNone = Annotated[float, msgspec.Meta(ge=0, le=90 * 86_400)]
RingBytes = Annotated[int, msgspec.Meta(ge=1 << 20, le=4 << 30, multiple_of=1 << 20)]
BlockBytes = Annotated[int, msgspec.Meta(ge=1 << 18, le=1 << 26, multiple_of=1 << 18)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
MillisecondsOrNone = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
NotNegativeNumber = Annotated[float, msgspec.Meta(ge=0)]
Times = Annotated[float, msgspec.Meta(ge=1)]
BodyBytes = Annotated[int, msgspec.Meta(ge=0, le=limits.BODY_BYTES_MAX)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

PRIVATE_NETWORKS = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7",
    "fe80::/10", "::1/128",
)  # fmt: skip
"""RFC 1918, 4193, 6598 and the links' own."""
