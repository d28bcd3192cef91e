"""A connection that goes on in another protocol, as those who read on are told of it: in: nothing; out: a record.

The one law: it holds no reference into a table, so that it can go from a worker to its crew.
"""

from __future__ import annotations

from typing import NamedTuple


class Tunnel(NamedTuple):
    """`flow` is its row and `serial` its number; `starts` the stream offset, by direction, where the inner bytes begin;
    `client` the direction of who asked; `kind` TunnelKind; `ts` ns; `head` the beginning of the answer's head; `sides`
    SIDE[2] of a WebSocket on a stream of HTTP/2 that ended, as bytes.
    """

    flow: int
    serial: int
    kind: int
    ts: int
    uid: tuple[int, int]
    client: int
    starts: tuple[int, int]
    depth: int
    host: str
    uri: str
    user_agent: str
    head: bytes
    sides: bytes = b""
