"""Several inputs become one: in: each input's rows of FRAME with their keys; out: one table in the order of the keys.

The one law: the smallest key comes first, and of equal keys that of the earlier input; the order within an
input is kept.
"""

from sensor._jit import I64s, inline_kernel, kernel
from sensor.schema import FRAME


@inline_kernel
def _before(key, order, other_key, other_order):
    return key < other_key or (key == other_key and order < other_order)


@inline_kernel
def _sift_down(heap, size, place, keys, heads, orders):
    """Let the slot at `place` sink below every slot that comes before it."""
    slot = heap[place]
    key = keys[heads[slot]]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(
            keys[heads[heap[child + 1]]], orders[heap[child + 1]], keys[heads[heap[child]]], orders[heap[child]]
        ):
            child += 1
        if _before(key, orders[slot], keys[heads[heap[child]]], orders[heap[child]]):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = slot


@kernel
def interleave(
    frames: FRAME,
    keys: I64s,
    heads: I64s,
    tails: I64s,
    orders: I64s,
    heap: I64s,
    size: int,
    horizon_key: int,
    horizon_order: int,
    merged: FRAME,
) -> int:
    """Move rows into `merged` until it is full, an input has no more, or the next input to open would come first.

    Slot s has the rows heads[s] to tails[s] of frames and keys; heap[:size] lists the slots that have any. The next
    input to open begins at horizon_key and has horizon_order. The rows written.
    """
    for place in range(size // 2 - 1, -1, -1):
        _sift_down(heap, size, place, keys, heads, orders)
    count = 0
    while count < len(merged):
        slot = heap[0]
        head = heads[slot]
        if not _before(keys[head], orders[slot], horizon_key, horizon_order):
            break
        merged[count] = frames[head]
        count += 1
        heads[slot] = head + 1
        if head + 1 == tails[slot]:
            break
        _sift_down(heap, size, 0, keys, heads, orders)
    return count
