"""What every row of one connection begins with, by Zeek's names: when, which, between whom, how long."""

from __future__ import annotations

import msgspec


class Connection(msgspec.Struct, kw_only=True, frozen=True):
    """`ts` in seconds since 1970, `duration` in seconds; `uid` and `community_id` are the flow's."""

    ts: float
    uid: str
    community_id: str
    orig_h: str = msgspec.field(name="id.orig_h")
    orig_p: int = msgspec.field(name="id.orig_p")
    resp_h: str = msgspec.field(name="id.resp_h")
    resp_p: int = msgspec.field(name="id.resp_p")
    duration: float
