"""What the next segments will read: in: segments that are not worked on yet; out: their hashes, their rows on the way.

A packet's flow lies anywhere in tables far larger than a cache, and one lookup waits for the last: slot, flow, streams.
NEAR and FAR segments ahead each is asked for what the step before has brought. The one law: nothing is changed here but
`t.ahead`, so what comes of a segment is the same without.
"""


from sensor._jit import inline_kernel
from sensor.reassembly.duplicates import recent_bucket, tcp_fingerprint
from sensor.reassembly.flow_table import key_hash
from sensor.reassembly.tables import AHEAD
from sensor.schema import Proto
from sensor.structures.hash_table import home, row_of
from sensor.structures.prefetch import prefetch

FAR = AHEAD - 1
NEAR = 6


@inline_kernel
def _far(t, segments, i):
    hashed = key_hash(t, segments[i])
    t.ahead[i & FAR] = hashed
    prefetch(t.slots, home(t.slots, hashed))


@inline_kernel
def begin_looking(t, segments, start, stop):
    """Before the first segment is worked on."""
    for i in range(start, min(start + FAR, stop)):
        _far(t, segments, i)


@inline_kernel
def look_ahead(t, segments, i, stop):
    """Ask for what the segments after `i` will read; returns the hash of segment `i`."""
    if i + FAR < stop:
        _far(t, segments, i + FAR)
    if i + NEAR < stop:
        segment, hashed = segments[i + NEAR], t.ahead[(i + NEAR) & FAR]
        slot = t.slots[home(t.slots, hashed)]
        if slot != 0:
            row = row_of(slot)
            prefetch(t.flows, row)
            prefetch(t.streams, 2 * row)
            prefetch(t.streams, 2 * row + 1)
        if segment["proto"] == Proto.TCP:
            prefetch(t.recent_heads, recent_bucket(tcp_fingerprint(segment, hashed)))
    return t.ahead[i & FAR]
