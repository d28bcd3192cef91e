"""What a client's software is like, in 64 bits: in: what decode and the protocols saw; out: the parts again.

Bits 0 to 31 say in which order the usual request headers come, 4 bits each, the last one lowest: its number below,
twice, plus 1 when its name is in lower case. Bits 32 to 39 stand for the TCP options of the SYN (decode/tcp.py), bits
40 to 42 for the initial time to live. A part that was not seen is 0. The one law: what changes between two requests of
one client (cookies, bodies, conditions) is not in it.
"""

from sensor._jit import inline_kernel

ORDER_BITS = 32
HOST, USER_AGENT, ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION = range(1, 7)


@inline_kernel
def ttl_class(ttl):
    """1 to 4 for an initial time to live of 32, 64, 128 or 255; 0 when unknown."""
    if ttl == 0:
        return 0
    return 1 if ttl <= 32 else (2 if ttl <= 64 else (3 if ttl <= 128 else 4))


@inline_kernel
def tcp_part(options, ttl):
    """The part of a connection, 0 when its SYN was not seen."""
    return (ttl_class(ttl) << 8) | options if options != 0 else 0


def differences(one: int, other: int) -> list[str]:
    """Which parts of two stacks differ, of those that both have."""
    names = []
    low = (1 << ORDER_BITS) - 1
    if one & low and other & low and one & low != other & low:
        names.append("header order")
    if one >> ORDER_BITS and other >> ORDER_BITS and one >> ORDER_BITS != other >> ORDER_BITS:
        names.append("TCP options")
    return names
