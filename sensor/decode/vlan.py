"""802.1Q and 802.1ad tags. In: the tag behind an EtherType. Out: the EtherType behind the tag; `vlan` holds the
innermost id.

The law: an id of 0 is a priority tag and names no VLAN (IEEE 802.1Q 9.6).
"""

from __future__ import annotations

from sensor._jit import inline_kernel
from sensor.decode.ethernet import ETHERTYPE_MIN
from sensor.decode.fields import u16
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason


@inline_kernel
def step(data, offset, state, row):
    if offset + 4 > state["stop"]:
        return Reason.TRUNCATED_VLAN, Layer.FAILED
    vlan = u16(data, offset) & 0xFFF
    if vlan != 0:
        row["vlan"] = vlan
    kind = u16(data, offset + 2)
    if kind < ETHERTYPE_MIN:
        return offset + 4, Layer.LLC
    return offset + 4, kind
