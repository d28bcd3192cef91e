"""The one loop: from header to header, by an if-chain over layer numbers. In: Frames. Out: Segments, and a count for
every frame.

The law: each frame ends in exactly one place, as a row or under one Reason, and the state's `frame` and `rows` always
say how far the walk is, so that after a fault it goes on behind the frame that caused it.
"""

from __future__ import annotations

from sensor import limits
from sensor._jit import Bytes, I64s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.decode import ethernet, fragments, icmp, ipv4, ipv6, links, ppp, tcp, udp, vlan, wlan
from sensor.decode.layers import IP, STATE, Layer
from sensor.decode.reasons import Reason
from sensor.decode.tunnels import (
    erspan,
    geneve,
    gre,
    gtpu,
    ip_in_ip,
    l2tp,
    mpls,
    switch_tags,
    teredo,
    tzsp,
    vxlan,
)  # fmt: skip
from sensor.schema import FRAME, SEGMENT, FrameFlag, SegmentFlag
from sensor.structures.prefetch import AHEAD, prefetch

QUARANTINED = int(FrameFlag.QUARANTINED)
REBUILT = int(SegmentFlag.REBUILT)
_LINE_BYTES = 64
ROOM = limits.LAYERS_MAX * limits.DATAGRAM_BYTES
"""What one frame can add to the rebuilt datagrams, should every layer of it be the last fragment of one."""


@inline_kernel
def unknown(layer):
    """The Reason for a layer that has no branch."""
    if layer == Layer.ARP:
        return Reason.ARP
    if layer == Layer.PPPOE_DISCOVERY:
        return Reason.PPP_CONTROL
    if layer == Layer.UNKNOWN_LINK:
        return Reason.UNKNOWN_LINK
    if layer < IP:
        return Reason.UNKNOWN_ETHERTYPE
    if layer == Layer.NO_NEXT_HEADER:
        return Reason.NO_NEXT_HEADER
    if layer == Layer.ESP:
        return Reason.ENCRYPTED
    return Reason.UNKNOWN_TRANSPORT


@part_kernel
def link_step(source, offset, layer, state, row):
    """The table of link headers other than Ethernet; what is none of them has a Reason."""
    if layer == Layer.RAW_IP:
        return links.raw_ip_step(source, offset, state, row)
    if layer == Layer.NULL:
        return links.null_step(source, offset, state, row)
    if layer == Layer.SLL or layer == Layer.SLL2:
        return links.sll_step(source, offset, layer, state, row)
    if layer == Layer.LLC:
        return ethernet.llc_step(source, offset, state, row)
    if layer == Layer.PPP:
        return ppp.step(source, offset, state, row)
    if layer == Layer.PPPOE:
        return ppp.over_ethernet_step(source, offset, state, row)
    if layer == Layer.HDLC:
        return ppp.hdlc_step(source, offset, state, row)
    if layer == Layer.FDDI:
        return links.fddi_step(source, offset, state, row)
    if layer == Layer.NFLOG:
        return links.nflog_step(source, offset, state, row)
    if layer == Layer.WLAN:
        return wlan.step(source, offset, state, row)
    if layer == Layer.RADIOTAP:
        return wlan.radiotap_step(source, offset, state, row)
    if layer == Layer.PPI:
        return wlan.ppi_step(source, offset, state, row)
    return unknown(layer), Layer.FAILED


@part_kernel
def tunnel_step(source, offset, layer, state, row):
    """The table of tunnels; what is none of them is handed to the links."""
    if layer == Layer.VXLAN:
        return vxlan.step(source, offset, state, row)
    if layer == Layer.GENEVE:
        return geneve.step(source, offset, state, row)
    if layer == Layer.GRE:
        return gre.step(source, offset, state, row)
    if layer == Layer.GRE_IN_UDP:
        return gre.udp_step(source, offset, state, row)
    if layer == Layer.ERSPAN_2 or layer == Layer.ERSPAN_3:
        return erspan.step(source, offset, layer, state, row)
    if layer == Layer.MPLS or layer == Layer.MPLS_MULTICAST or layer == Layer.MPLS_IN_IP:
        return mpls.step(source, offset, state, row)
    if layer == Layer.IPV4_IN_IP or layer == Layer.IPV6_IN_IP or layer == Layer.ETHERNET_IN_IP:
        return ip_in_ip.step(source, offset, layer, state, row)
    if layer == Layer.GTPU:
        return gtpu.step(source, offset, state, row)
    if layer == Layer.TZSP:
        return tzsp.step(source, offset, state, row)
    if layer == Layer.TEREDO:
        return teredo.step(source, offset, state, row)
    if layer == Layer.L2TP:
        return l2tp.step(source, offset, state, row)
    if layer == Layer.L2TP3_IN_IP:
        return l2tp.ip_step(source, offset, state, row)
    if layer == Layer.VNTAG or layer == Layer.BACKBONE or layer == Layer.FABRIC_PATH or layer == Layer.NSH:
        return switch_tags.step(source, offset, layer, state, row)
    return link_step(source, offset, layer, state, row)


@kernel
def walk(
    data: Bytes, frames: FRAME, rows: SEGMENT, states: STATE, reasons: I64s, links_unknown: I64s, ports: Bytes,
    slots: fragments.SLOT, digests: U64s, marks: Bytes, store: Bytes, datagrams: Bytes, counts: I64s,
) -> bool:
    """Decode frames[states[0]["frame"]:] into rows[states[0]["rows"]:], one row a frame at most.

    False when `datagrams` needs more room before the state's frame can be decoded.

    `reasons` is counted by Reason, `links_unknown` by link type, `counts` by FragmentCount; `ports` is the stage's
    table of UDP tunnel ports; `slots`, `digests`, `marks`, `store` and `datagrams` are those of fragments.py.
    """
    state = states[0]
    for i in range(state["frame"], frames.size):
        state["frame"] = i
        ahead = frames[min(i + AHEAD, frames.size - 1)]["offset"]
        prefetch(data, ahead)
        prefetch(data, ahead + _LINE_BYTES)
        frame = frames[i]
        offset = frame["offset"]
        stop = offset + frame["caplen"]
        if stop > data.size:
            at(data, stop)  # raises: the index names bytes that the buffer does not have
        state["stop"] = stop
        state["wire_stop"] = max(offset + frame["wirelen"], stop)
        row = rows[state["rows"]]
        row["ts"] = frame["ts"]
        row["frame"] = i
        row["vlan"] = frame["vlan"]
        row["tunnel"] = 0
        row["tunnel_id"] = 0
        source, rebuilt = data, 0
        layer = links.first_layer(frame["link"])
        reason = Reason.TOO_MANY_LAYERS
        if frame["flags"] & QUARANTINED:
            offset, layer = Reason.QUARANTINED, Layer.FAILED
        else:
            state["now"] = max(state["now"], frame["ts"])
        for _ in range(limits.LAYERS_MAX):
            if layer == Layer.ETHERNET:
                offset, layer = ethernet.step(source, offset, state, row)
            elif layer == Layer.IPV4:
                offset, layer = ipv4.step(source, offset, state, row)
            elif layer == Layer.TCP:
                offset, layer = tcp.step(source, offset, state, row)
            elif layer == Layer.DONE:
                reason = Reason.DECODED
                break
            elif layer == Layer.FAILED:
                reason = offset
                if reason == Reason.UNKNOWN_LINK:
                    links_unknown[frame["link"]] += 1
                break
            elif layer == Layer.UDP:
                offset, layer = udp.step(source, offset, state, row, ports)
            elif layer == Layer.IPV6:
                offset, layer = ipv6.step(source, offset, state, row)
            elif layer == Layer.VLAN or layer == Layer.VLAN_SERVICE or layer == Layer.VLAN_OLD:
                offset, layer = vlan.step(source, offset, state, row)
            elif layer == Layer.ICMP or layer == Layer.ICMP6:
                offset, layer = icmp.step(source, offset, layer, state, row)
            elif layer == Layer.IP_FRAGMENT:
                if rebuilt == 0 and state["datagrams"] + ROOM > datagrams.size:
                    return False
                offset, layer = fragments.step(
                    source, offset, state, row, slots, digests, marks, store, datagrams, counts
                )
                source, rebuilt = datagrams, REBUILT
            elif layer == Layer.FRAGMENT_HEADER:
                offset, layer = ipv6.fragment_step(source, offset, state, row)
            elif (
                layer == Layer.HOP_BY_HOP
                or layer == Layer.ROUTING
                or layer == Layer.DESTINATION
                or layer == Layer.AUTHENTICATION
                or layer == Layer.MOBILITY
                or layer == Layer.HOST_IDENTITY
                or layer == Layer.SHIM6
            ):
                offset, layer = ipv6.extension_step(source, offset, layer, state, row)
            elif layer == Layer.SCTP:
                offset, layer = udp.sctp_step(source, offset, state, row)
            else:
                offset, layer = tunnel_step(source, offset, layer, state, row)
        reasons[reason] += 1
        if reason == Reason.DECODED:
            row["flags"] |= rebuilt
            state["rows"] += 1
    state["frame"] = frames.size
    return True
