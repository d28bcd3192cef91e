"""Where the packets lie in a block of a packet socket's ring: in: the ring; out: rows of FRAME.

Format: TPACKET_V3, https://docs.kernel.org/networking/packet_mmap.html and linux/if_packet.h, in the byte order of the
machine. The one law: offsets that the kernel of the machine gives are checked like any other.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, inline_kernel, kernel
from sensor.limits import FRAME_BYTES_MAX, NS
from sensor.schema import FRAME
from sensor.structures.bytes_ahead import ask_bytes_ahead
from sensor.structures.bytesearch import load64

_ETHERNET, _RAW_IP, _WLAN, _RADIOTAP = 1, 101, 105, 127
_LOOPBACK, _NO_HEADER, _PPP, _TUNNEL, _TUNNEL6, _SIT, _GRE, _GRE6 = 772, 65534, 512, 768, 769, 776, 778, 823
_CELLULAR, _MONITOR, _MONITOR_RADIOTAP = 519, 801, 803
_OUTGOING = 4
_VLAN_VALID, _GSO = 0x10, 0x100
_HEAD_BYTES = 60  # of a packet: tpacket3_hdr, and sockaddr_ll up to halen


class Ring(IntEnum):
    """How far the kernel has come in a block."""

    POSITION = 0   # of the next packet's head in the ring
    LEFT = 1       # packets of the block still to come
    STOP = 2       # end of the block
    LAST_TS = 3    # time of the packet indexed last
    OUTGOING = 4   # packets passed over because the loopback device shows them twice
    OFFLOAD = 5    # packets that the network card or the system has merged
    FAULTS = 6     # heads that do not lie in their block
    TAGGED = 7     # packets whose VLAN tag the card or the system has taken out


@inline_kernel
def _u32(data, offset):
    return np.int64(load64(data, offset) & np.uint64(0xFFFFFFFF))


@inline_kernel
def _u16(data, offset):
    return _u32(data, offset) & 0xFFFF


@inline_kernel
def _link(hardware):
    """The link type of what a device of this ARPHRD type gives."""
    if (
        hardware == _NO_HEADER
        or hardware == _TUNNEL
        or hardware == _TUNNEL6
        or hardware == _SIT
        or hardware == _GRE
        or hardware == _GRE6
        or hardware == _CELLULAR
        or hardware == _PPP
    ):
        return _RAW_IP
    if hardware == _MONITOR:
        return _WLAN
    if hardware == _MONITOR_RADIOTAP:
        return _RADIOTAP
    return _ETHERNET


@kernel
def index_ring(data: Bytes, ring: I64s, frames: FRAME) -> int:
    """Fill frames with the next packets of the block; returns how many. `ring[LEFT]` is 0 when the block is done."""
    rows = 0
    while ring[Ring.LEFT] > 0 and rows < len(frames):
        position = ring[Ring.POSITION]
        if position < 0 or position + _HEAD_BYTES + 8 > ring[Ring.STOP]:
            ring[Ring.FAULTS] += 1
            ring[Ring.LEFT] = 0
            break
        step = _u32(data, position)
        caplen, wirelen = _u32(data, position + 12), _u32(data, position + 16)
        status = _u32(data, position + 20)
        offset = position + _u16(data, position + 24)
        hardware, kind = _u16(data, position + 56), _u16(data, position + 58) & 0xFF
        ask_bytes_ahead(data, position, step)
        ring[Ring.LEFT] -= 1
        ring[Ring.POSITION] = position + step
        if ring[Ring.LEFT] > 0 and step == 0:
            ring[Ring.FAULTS] += 1
            ring[Ring.LEFT] = 0
        if offset + caplen > ring[Ring.STOP] or caplen > FRAME_BYTES_MAX:
            ring[Ring.FAULTS] += 1
            continue
        if hardware == _LOOPBACK and kind == _OUTGOING:
            ring[Ring.OUTGOING] += 1
            continue
        frame = frames[rows]
        frame["offset"] = offset
        frame["ts"] = _u32(data, position + 4) * NS + _u32(data, position + 8)
        frame["caplen"] = caplen
        frame["wirelen"] = wirelen
        frame["link"] = _link(hardware)
        frame["flags"] = 0
        frame["vlan"] = _u32(data, position + 32) & 0xFFF if status & _VLAN_VALID != 0 else 0
        ring[Ring.LAST_TS] = frame["ts"]
        ring[Ring.TAGGED] += status & _VLAN_VALID != 0
        ring[Ring.OFFLOAD] += status & _GSO != 0
        rows += 1
    return rows
