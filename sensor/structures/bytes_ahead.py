"""Asking for bytes before they are read: in: where a reader is in a buffer that it goes through; out: nothing.

A reader that hops from head to head waits for memory at each of them, since only one head tells where the next one is.
The one law: that of prefetch.py, nothing is read and results do not depend on it.
"""

from sensor._jit import inline_kernel
from sensor.structures.prefetch import prefetch

_AHEAD_BYTES = 4_096
_LINE_BYTES = 64
_HOP_BYTES_MAX = 2_048
"""Of a longer hop only the first lines are asked for: what lies behind is not waited for."""


@inline_kernel
def ask_bytes_ahead(data, position, hop):
    """The reader hops on from `position` by so many bytes: ask for as many, some way ahead of it."""
    start = position + _AHEAD_BYTES
    for place in range(start, start + min(hop, _HOP_BYTES_MAX), _LINE_BYTES):
        prefetch(data, place)
