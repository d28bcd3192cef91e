"""802.11 data frames, and the radiotap and PPI headers before them. In: a frame. Out: the LLC header it carries.

The law: only data frames whose LLC header can be read are decoded. Of an aggregate (A-MSDU) the first frame is.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u16_little
from sensor.decode.layers import Layer
from sensor.decode.links import first_layer
from sensor.decode.reasons import Reason

TO_AND_FROM = 3  # both: four addresses
PROTECTED = 0x40
ORDER = 0x80
SNAP = 0xAAAA


@inline_kernel
def step(data, offset, state, row):
    """IEEE 802.11-2020 9.2; the header may be padded to a multiple of 4, and decrypted frames may keep the protected
    flag.
    """
    if offset + 26 > state["stop"]:
        return Reason.WLAN_CONTROL if offset + 10 <= state["stop"] else Reason.TRUNCATED_LINK, Layer.FAILED
    control, flags = at(data, offset), at(data, offset + 1)
    if control & 0x4F != 0x08:  # version 0, type data, and not one of the subtypes without data
        return Reason.WLAN_CONTROL, Layer.FAILED
    inner = offset + 24
    if flags & TO_AND_FROM == TO_AND_FROM:
        inner += 6
    aggregate = False
    if control & 0x80:
        if inner + 2 > state["stop"]:
            return Reason.TRUNCATED_LINK, Layer.FAILED
        aggregate = at(data, inner) & 0x80 != 0
        inner += 6 if flags & ORDER else 2
    if aggregate:
        return inner, Layer.ETHERNET  # its subframes begin as 802.3 frames do
    if inner + 8 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    if u16(data, inner) == SNAP:
        return inner, Layer.LLC
    if u16(data, inner + 2) == SNAP and (inner - offset) % 4 == 2:
        return inner + 2, Layer.LLC
    return Reason.ENCRYPTED if flags & PROTECTED else Reason.LLC, Layer.FAILED


@inline_kernel
def radiotap_step(data, offset, state, row):
    """https://www.radiotap.org: version 0, and the header's length at byte 2, little-endian."""
    if offset + 4 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    length = u16_little(data, offset + 2)
    if at(data, offset) != 0 or length < 8:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    return offset + length, Layer.WLAN


@inline_kernel
def ppi_step(data, offset, state, row):
    """Per-Packet Information: length at byte 2, link type at byte 4, both little-endian."""
    if offset + 8 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    length = u16_little(data, offset + 2)
    if length < 8:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    return offset + length, first_layer(u16_little(data, offset + 4) | u16_little(data, offset + 6) << 16)
