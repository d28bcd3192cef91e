"""Where the packets of a pcapng file lie: in: its bytes from the first on; out: rows of FRAME.

Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html. Section headers (either byte order,
any number), interface descriptions (if_tsresol, if_tsoffset), enhanced, simple and obsolete packet blocks; all
others are skipped by length. The one law: a packet or interface block is acted on only when all of its bytes
are there, so any cut of the stream into reads gives the same rows.
"""

import numpy as np

from sensor._jit import Bytes, I64s, at, inline_kernel, kernel
from sensor.capture.layout import Cursor, Fault, Section
from sensor.capture.words import first, half, second
from sensor.limits import BLOCK_BYTES_MAX, FRAME_BYTES_MAX, NS
from sensor.schema import FRAME
from sensor.structures.bytesearch import load64

INTERFACE = np.dtype(
    [
        ("link", "i8"),
        ("snaplen", "i8"),       # 0: none
        ("multiply", "i8"),      # nanoseconds in a tick, 1 when a tick is shorter
        ("divide", "i8"),        # ticks in a nanosecond, 1 when a tick is longer
        ("shift", "i8"),         # bits of a second's binary fraction, 0 when ticks are decimal
        ("offset_ns", "i8"),     # added to every time
    ]
)

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
OBSOLETE_PACKET = 2
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6

_BYTE_ORDER = 0x1A2B3C4D
_BYTE_ORDER_SWAPPED = 0x4D3C2B1A
_OPTION_TSRESOL = 9
_OPTION_TSOFFSET = 14
_NS_MAX = 5_000_000_000 * NS        # year 2128: later times are insane, and sums of two stay in 63 bits
_OFFSET_SECONDS_MAX = 4_000_000_000
_TICKS_MAX = 0x7FFFFFFFFFFFFFFF


@inline_kernel
def _fault(cursor, code, value):
    cursor[Cursor.FAULT] = code
    cursor[Cursor.FAULT_VALUE] = value


@inline_kernel
def _open_section(data, position, cursor, section):
    """Take the byte order of the section header at `position`; its block length, 0 after a fault."""
    magic = first(load64(data, position + 8), 0)
    if magic not in (_BYTE_ORDER, _BYTE_ORDER_SWAPPED):
        _fault(cursor, Fault.BYTE_ORDER, magic)
        return 0
    big = 1 if magic == _BYTE_ORDER_SWAPPED else 0
    length = second(load64(data, position), big)
    version = half(data, position + 12, big)
    if length < 28 or length % 4 != 0:
        _fault(cursor, Fault.BLOCK_LENGTH, length)
        return 0
    if version != 1:
        _fault(cursor, Fault.VERSION, version)
        return 0
    section[Section.BIG_ENDIAN] = big
    section[Section.INTERFACES] = 0
    section[Section.OPEN] = 1
    return length


@inline_kernel
def _power_of_ten(exponent):
    power = np.int64(1)
    for _ in range(exponent):
        power *= 10
    return power


@inline_kernel
def _set_resolution(interface, resolution):
    """Decode if_tsresol (section 4.2): False when it is finer than int64 arithmetic allows."""
    exponent = resolution & 0x7F
    interface["shift"] = 0
    interface["multiply"] = 1
    interface["divide"] = 1
    if resolution & 0x80:
        interface["shift"] = exponent
        interface["multiply"] = NS if exponent == 0 else 1
        return exponent <= 62
    if exponent <= 9:
        interface["multiply"] = _power_of_ten(9 - exponent)
    elif exponent <= 18:
        interface["divide"] = _power_of_ten(exponent - 9)
    return exponent <= 18


@inline_kernel
def _describe_interface(data, position, length, big, interface):
    """Read the interface block at `position`: False when its time resolution is impossible."""
    interface["link"] = half(data, position + 8, big)
    interface["snaplen"] = second(load64(data, position + 8), big)
    interface["offset_ns"] = 0
    possible = _set_resolution(interface, 6)
    option = position + 16
    end = position + length - 4
    while option + 4 <= end:
        code = half(data, option, big)
        size = half(data, option + 2, big)
        if code == 0 or option + 4 + size > end:
            break
        if code == _OPTION_TSRESOL and size >= 1:
            possible = _set_resolution(interface, at(data, option + 4))
        elif code == _OPTION_TSOFFSET and size >= 8:
            word = load64(data, option + 4)
            high = first(word, big) if big != 0 else second(word, big)
            low = second(word, big) if big != 0 else first(word, big)
            seconds = (((high ^ 0x80000000) - 0x80000000) << 32) | low
            seconds = min(max(seconds, -_OFFSET_SECONDS_MAX), _OFFSET_SECONDS_MAX)
            interface["offset_ns"] = seconds * NS
        option += 4 + ((size + 3) & ~3)
    return possible


@inline_kernel
def _nanoseconds(high, low, interface):
    """Ticks since 1970 as nanoseconds, at most _NS_MAX; binary fractions to 2^-32 s."""
    ticks = (high << 32) | low if high < 0x80000000 else np.int64(_TICKS_MAX)
    shift = np.int64(interface["shift"])
    if shift > 0:
        seconds = min(ticks >> shift, _NS_MAX // NS)
        bits = min(shift, 32)
        fraction = (ticks & ((np.int64(1) << shift) - 1)) >> (shift - bits)
        return seconds * NS + ((fraction * NS) >> bits)
    multiply = np.int64(interface["multiply"])
    divide = np.int64(interface["divide"])
    if divide > 1:
        return min(ticks // divide, _NS_MAX)
    return min(ticks, _NS_MAX // multiply) * multiply


@inline_kernel
def _sound_block(data, position, length, kind, big, cursor):
    """Whether the block's two lengths agree and its fixed fields fit; a fault otherwise."""
    least = 32 if kind in (ENHANCED_PACKET, OBSOLETE_PACKET) else (20 if kind == INTERFACE_DESCRIPTION else 16)
    if length < least:
        _fault(cursor, Fault.BLOCK_LENGTH, length)
        return False
    trailer = second(load64(data, position + length - 8), big)
    if trailer != length:
        _fault(cursor, Fault.BLOCK_TRAILER, trailer)
        return False
    return True


@inline_kernel
def _take_packet(data, position, length, kind, cursor, section, interfaces, frame):
    """Make the packet block at `position` a row of FRAME; False after a fault."""
    big = section[Section.BIG_ENDIAN]
    word = load64(data, position + 8)
    number = np.int64(0)
    if kind == ENHANCED_PACKET:
        number = first(word, big)
    elif kind == OBSOLETE_PACKET:
        number = half(data, position + 8, big)
    if number >= section[Section.INTERFACES]:
        _fault(cursor, Fault.NO_INTERFACE, number)
        return False
    interface = interfaces[number]
    if kind == SIMPLE_PACKET:
        wirelen = first(word, big)
        caplen = min(wirelen, length - 16)
        if interface["snaplen"] != 0:
            caplen = min(caplen, np.int64(interface["snaplen"]))
        offset = position + 12
    else:
        middle = load64(data, position + 16)
        caplen = second(middle, big)
        wirelen = first(load64(data, position + 24), big)
        offset = position + 28
        ts = _nanoseconds(second(word, big), first(middle, big), interface) + np.int64(interface["offset_ns"])
        section[Section.LAST_TS] = ts
    if caplen > FRAME_BYTES_MAX:
        _fault(cursor, Fault.RECORD_TOO_LONG, caplen)
        return False
    if offset + caplen > position + length - 4:
        _fault(cursor, Fault.FRAME_OUTSIDE_BLOCK, caplen)
        return False
    frame["offset"] = offset
    frame["ts"] = section[Section.LAST_TS]
    frame["caplen"] = caplen
    frame["wirelen"] = max(wirelen, caplen)
    frame["link"] = interface["link"]
    frame["flags"] = 0
    frame["vlan"] = 0
    return True


@kernel
def index_pcapng(data: Bytes, cursor: I64s, section: I64s, interfaces: INTERFACE, frames: FRAME, row: int) -> int:
    """Fill frames[row:] with the packets from cursor[POSITION] on, and move it; the rows there are then."""
    stop = cursor[Cursor.STOP]
    position = cursor[Cursor.POSITION]
    while row < len(frames) and position + 12 <= stop:
        big = section[Section.BIG_ENDIAN]
        word = load64(data, position)
        kind = first(word, big)
        if kind == SECTION_HEADER or section[Section.OPEN] == 0:
            if position + 16 > stop:
                break
            length = _open_section(data, position, cursor, section)
            if length == 0:
                break
        else:
            length = second(word, big)
            whole = kind in (INTERFACE_DESCRIPTION, OBSOLETE_PACKET, SIMPLE_PACKET, ENHANCED_PACKET)
            if length < 12 or length % 4 != 0 or (whole and length > BLOCK_BYTES_MAX):
                _fault(cursor, Fault.BLOCK_LENGTH, length)
                break
            if whole:
                if position + length > stop:
                    break
                if not _sound_block(data, position, length, kind, big, cursor):
                    break
                if kind == INTERFACE_DESCRIPTION:
                    number = section[Section.INTERFACES]
                    if number >= len(interfaces):
                        _fault(cursor, Fault.TOO_MANY_INTERFACES, number + 1)
                        break
                    if not _describe_interface(data, position, length, big, interfaces[number]):
                        _fault(cursor, Fault.TIME_RESOLUTION, number)
                        break
                    section[Section.INTERFACES] = number + 1
                else:
                    if not _take_packet(data, position, length, kind, cursor, section, interfaces, frames[row]):
                        break
                    row += 1
        cursor[Cursor.RECORD] = position
        position += length
    cursor[Cursor.POSITION] = position
    return row
