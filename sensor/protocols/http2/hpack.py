"""Header compression (RFC 7541): in: a whole header block and the dynamic table of its side; out: the header list,
written out line by line, and the table as it is then.

After a loss, or when a connection was joined midway, entries of the dynamic table are not known. Those that come later
are, and an index counts from the newest one, so it tells at once whether it means a known entry. The one law: a field
that is not known is left out and counted, never guessed.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.limits import HTTP2_CONNECTIONS_MAX
from sensor.protocols.http2.codes import (
    HUFFMAN_FIRST,
    HUFFMAN_LIMIT,
    HUFFMAN_PLACE,
    HUFFMAN_SHORT,
    HUFFMAN_SYMBOLS,
    SHORT_BITS,
    STATIC_BYTES,
    STATIC_ENTRIES,
    STATIC_NAME_LEN,
    STATIC_START,
    STATIC_VALUE_LEN,
)
from sensor.protocols.http2.lines import put_field
from sensor.protocols.http2.tables import (
    COOKIES_AT,
    DECODED_MAX,
    ENTRY_OVERHEAD,
    LARGE_ENTRIES,
    LARGE_RING,
    LARGE_STACK,
    LINES_AT,
    PSEUDO_AT,
    SMALL_ENTRIES,
    SMALL_RING,
    Part,
)
from sensor.structures.bytesearch import copy_bytes

_INTEGER_MAX = 1 << 28
_EOS = 256
BROKEN = -1
"""A block that no encoder makes: behind it the table is not known any more."""
_UNKNOWN = -1


@part_kernel
def reset_table(h, side_row, lost):
    """An empty dynamic table of the initial size; `lost`: an unknown number of entries that nobody saw may be in it."""
    side = h.sides[side_row]
    if side["large"] > 0:
        h.free[LARGE_STACK + h.parts[Part.LARGE_FREE]] = side["large"] - 1
        h.parts[Part.LARGE_FREE] += 1
    side["large"] = 0
    side["entries_first"] = 0
    side["entries_next"] = 0
    side["bytes_next"] = 0
    side["table_size"] = 0
    side["table_max"] = SMALL_RING
    side["table_room"] = SMALL_RING
    side["bytes_at"] = side_row * SMALL_RING
    side["entries_at"] = side_row * SMALL_ENTRIES
    side["table_lost"] = lost


@inline_kernel
def forget_entries(side):
    """Header blocks were lost: how many entries they added is not known, so none keeps its place."""
    side["entries_first"] = side["entries_next"]
    side["table_size"] = 0
    side["table_lost"] = 1


@part_kernel
def _integer(parts, data, position, stop, bits):
    """An integer with a prefix of so many bits (RFC 7541, 5.1); returns the position behind it, its value in VALUE."""
    mask = (1 << bits) - 1
    value = at(data, position) & mask
    position += 1
    if value == mask:
        shift = 0
        while True:
            if position >= stop or shift > 28:
                return BROKEN
            byte = at(data, position)
            position += 1
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
    if value > _INTEGER_MAX:
        return BROKEN
    parts[Part.VALUE] = value
    return position


@inline_kernel
def _long_symbol(window):
    """(symbol, bits) of a code longer than SHORT_BITS at the head of 30 bits."""
    bits = SHORT_BITS + 1
    while window >= HUFFMAN_LIMIT[bits]:
        bits += 1
    return HUFFMAN_SYMBOLS[HUFFMAN_PLACE[bits] + (window >> (30 - bits)) - HUFFMAN_FIRST[bits]], bits


@part_kernel
def decode_huffman(data, start, stop, out, position):
    """Write the decoded bytes to out[position:]; returns their end, or BROKEN (RFC 7541, 5.2)."""
    held, bits = 0, 0
    i = start
    while True:
        while bits <= 40 and i < stop:
            held = (held << 8) | at(data, i)
            bits += 8
            i += 1
        if bits < 5:
            break
        window = held >> (bits - 30) if bits > 30 else (held << (30 - bits)) | ((1 << (30 - bits)) - 1)
        window &= (1 << 30) - 1
        short = HUFFMAN_SHORT[window >> (30 - SHORT_BITS)]
        if short != 0:
            symbol, used = short >> 8, short & 255
        else:
            symbol, used = _long_symbol(window)
        if used > bits:
            break
        if symbol == _EOS:
            return BROKEN
        out[position] = np.uint8(symbol)
        position += 1
        bits -= used
        held &= (1 << bits) - 1
    return position if bits < 8 and held == (1 << bits) - 1 else BROKEN


@part_kernel
def _string(h, data, position, stop, out):
    """A string literal, written to text[out:]; returns the position behind it, its length in VALUE."""
    coded = at(data, position) >= 128
    position = _integer(h.parts, data, position, stop, 7)
    if position < 0:
        return BROKEN
    length = h.parts[Part.VALUE]
    if position + length > stop:
        return BROKEN
    if coded:
        end = decode_huffman(data, position, position + length, h.text, out)
        if end < 0:
            return BROKEN
        h.parts[Part.VALUE] = end - out
    else:
        copy_bytes(data, position, length, h.text, out)
    h.parts[Part.DECODED] += h.parts[Part.VALUE]
    return position + length


@inline_kernel
def _from_ring(h, side, start, length, out):
    """Copy `length` bytes that begin at the count `start` to text[out:]."""
    place = start & (np.int64(side["table_room"]) - 1)
    head = min(length, side["table_room"] - place)
    copy_bytes(h.rings, side["bytes_at"] + place, head, h.text, out)
    copy_bytes(h.rings, np.int64(side["bytes_at"]), length - head, h.text, out + head)


@inline_kernel
def _to_ring(h, side, start, length):
    """Append text[start:start+length] to the ring."""
    place = side["bytes_next"] & (np.int64(side["table_room"]) - 1)
    head = min(length, side["table_room"] - place)
    copy_bytes(h.text, start, head, h.rings, side["bytes_at"] + place)
    copy_bytes(h.text, start + head, length - head, h.rings, np.int64(side["bytes_at"]))
    side["bytes_next"] += length


@inline_kernel
def _mask(side):
    return (LARGE_ENTRIES if side["large"] > 0 else SMALL_ENTRIES) - 1


@part_kernel
def _copy_entry(h, side, index, line, whole):
    """Write the name of entry `index` to text[line:], and its value two bytes behind it when `whole`.

    Their lengths go to NAME_LEN and VALUE_LEN; a name that is not known has the length -1. BROKEN when there is no such
    entry.
    """
    parts = h.parts
    parts[Part.NAME_LEN] = _UNKNOWN
    parts[Part.VALUE_LEN] = 0
    if index == 0:
        return BROKEN
    if index <= STATIC_ENTRIES:
        start = STATIC_START[index - 1]
        name, value = STATIC_NAME_LEN[index - 1], STATIC_VALUE_LEN[index - 1]
        parts[Part.NAME_LEN] = name
        copy_bytes(STATIC_BYTES, start, name, h.text, line)
        if whole:
            parts[Part.VALUE_LEN] = value
            copy_bytes(STATIC_BYTES, start + name, value, h.text, line + name + 2)
        return 0
    age = index - STATIC_ENTRIES - 1
    if age >= side["entries_next"] - side["entries_first"]:
        return 0 if side["table_lost"] != 0 else BROKEN
    entry = h.entries[side["entries_at"] + ((side["entries_next"] - 1 - age) & _mask(side))]
    name, value = np.int64(entry["name_len"]), np.int64(entry["value_len"])
    parts[Part.NAME_LEN] = name
    if name >= 0:
        _from_ring(h, side, entry["start"], name, line)
        parts[Part.DECODED] += name
        if whole:
            parts[Part.VALUE_LEN] = value
            _from_ring(h, side, entry["start"] + name, value, line + name + 2)
            parts[Part.DECODED] += value
    return 0


@inline_kernel
def _shrink(h, side, size):
    """Drop the oldest entries until no more than `size` is in the table."""
    while side["table_size"] > size and side["entries_first"] < side["entries_next"]:
        entry = h.entries[side["entries_at"] + (side["entries_first"] & _mask(side))]
        side["table_size"] -= max(entry["name_len"], 0) + entry["value_len"] + ENTRY_OVERHEAD
        side["entries_first"] += 1


@inline_kernel
def _insert(h, side, line, name_len, value_at, value_len):
    """A new entry (RFC 7541, 4.4); one that is larger than the table empties it."""
    size = max(name_len, 0) + value_len + ENTRY_OVERHEAD
    room = min(side["table_max"], side["table_room"])
    _shrink(h, side, room - size)
    if size > room:
        return
    entry = h.entries[side["entries_at"] + (side["entries_next"] & _mask(side))]
    entry["start"] = side["bytes_next"]
    entry["name_len"] = name_len
    entry["value_len"] = value_len
    _to_ring(h, side, line, max(name_len, 0))
    _to_ring(h, side, value_at, value_len)
    side["entries_next"] += 1
    side["table_size"] += size


@part_kernel
def _resize(h, side, size):
    """The encoder takes another size into use; beyond SMALL_RING a large ring is needed, whose entries move there."""
    if size > SMALL_RING and side["large"] == 0 and h.parts[Part.LARGE_FREE] > 0:
        h.parts[Part.LARGE_FREE] -= 1
        large = np.int64(h.free[LARGE_STACK + h.parts[Part.LARGE_FREE]])
        bytes_at = 2 * HTTP2_CONNECTIONS_MAX * SMALL_RING + large * LARGE_RING
        entries_at = 2 * HTTP2_CONNECTIONS_MAX * SMALL_ENTRIES + large * LARGE_ENTRIES
        for number in range(side["entries_first"], side["entries_next"]):
            entry = h.entries[side["entries_at"] + (number & (SMALL_ENTRIES - 1))]
            h.entries[entries_at + (number & (LARGE_ENTRIES - 1))] = entry
            for i in range(entry["start"], entry["start"] + max(entry["name_len"], 0) + entry["value_len"]):
                h.rings[bytes_at + (i & (LARGE_RING - 1))] = h.rings[side["bytes_at"] + (i & (SMALL_RING - 1))]
        side["large"] = large + 1
        side["bytes_at"], side["entries_at"], side["table_room"] = bytes_at, entries_at, LARGE_RING
    side["table_max"] = size
    if size > side["table_room"]:
        side["table_lost"] = 1  # entries will be dropped that the encoder still has
    _shrink(h, side, size)


@part_kernel
def _field(h, side, data, position, stop):
    """One field of the block; returns the position behind it."""
    parts = h.parts
    byte = at(data, position)
    line = parts[Part.LINES_END]
    if byte >= 0x80:
        position = _integer(parts, data, position, stop, 7)
        if position < 0 or _copy_entry(h, side, parts[Part.VALUE], line, True) < 0:
            return BROKEN
        put_field(h, line, parts[Part.NAME_LEN], line + parts[Part.NAME_LEN] + 2, parts[Part.VALUE_LEN])
        return position
    if byte >= 0x20 and byte < 0x40:
        position = _integer(parts, data, position, stop, 5)
        if position >= 0:
            _resize(h, side, parts[Part.VALUE])
        return position
    keep = byte >= 0x40
    position = _integer(parts, data, position, stop, 6 if keep else 4)
    if position < 0:
        return BROKEN
    if parts[Part.VALUE] > 0:
        if _copy_entry(h, side, parts[Part.VALUE], line, False) < 0:
            return BROKEN
        name = parts[Part.NAME_LEN]
    else:
        position = _string(h, data, position, stop, line) if position < stop else BROKEN
        if position < 0:
            return BROKEN
        name = parts[Part.VALUE]
    value_at = line + max(name, 0) + 2
    position = _string(h, data, position, stop, value_at) if position < stop else BROKEN
    if position < 0:
        return BROKEN
    value = parts[Part.VALUE]
    if keep:
        _insert(h, side, line, name, value_at, value)
    put_field(h, line, name, value_at, value)
    return position


@part_kernel
def read_block(h, side_row, data, start, stop):
    """Write out the header list of data[start:stop] (see Part); False when the block is broken or not worth reading on.
    """
    parts = h.parts
    for i in range(Part.METHOD, Part.NAME_LEN):
        parts[i] = 0
    parts[Part.PSEUDO_END] = PSEUDO_AT
    parts[Part.COOKIES_END] = COOKIES_AT
    parts[Part.LINES_END] = LINES_AT
    parts[Part.GRPC_STATUS] = -1
    side = h.sides[side_row]
    position = start
    while position < stop:
        position = _field(h, side, data, position, stop)
        if position < 0 or parts[Part.DECODED] > DECODED_MAX:
            forget_entries(side)
            return False
    return True
