"""The numbers by which a header names the next one, and the record the walk keeps while it goes from header to
header.

In: nothing. Out: `Layer`, the link types that start a walk, `STATE`. The law: three number spaces share one int64
without overlap, so that a header's own field is the next layer as it stands: below 0x10000 EtherTypes, from 0x10000
IP protocol numbers, from 0x20000 what has no number of its own.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

IP = 0x10000
"""IP protocol n is layer IP + n, https://www.iana.org/assignments/protocol-numbers."""
OWN = 0x20000
"""Link headers and what is known by port or context only."""
BY_PORT = 0x30000
"""UDP tunnels: BY_PORT + the code that the stage's port table gives."""


class Layer(IntEnum):
    """One member per header that walk.py knows. EtherTypes: https://www.iana.org/assignments/ieee-802-numbers."""

    DONE = -2    # the row is complete
    FAILED = -1  # the offset beside it is a Reason

    IPV4 = 0x0800
    IPV6 = 0x86DD
    ARP = 0x0806
    VLAN = 0x8100
    VLAN_SERVICE = 0x88A8
    VLAN_OLD = 0x9100
    ETHERNET = 0x6558  # Transparent Ethernet Bridging: an Ethernet frame
    MPLS = 0x8847
    MPLS_MULTICAST = 0x8848
    PPPOE_DISCOVERY = 0x8863
    PPPOE = 0x8864
    PPP_IN_GRE = 0x880B
    WCCP = 0x883E
    ERSPAN_2 = 0x88BE
    ERSPAN_3 = 0x22EB
    VNTAG = 0x8926
    BACKBONE = 0x88E7
    FABRIC_PATH = 0x8903
    NSH = 0x894F

    HOP_BY_HOP = IP + 0
    ICMP = IP + 1
    IPV4_IN_IP = IP + 4
    TCP = IP + 6
    UDP = IP + 17
    IPV6_IN_IP = IP + 41
    ROUTING = IP + 43
    FRAGMENT_HEADER = IP + 44
    GRE = IP + 47
    ESP = IP + 50
    AUTHENTICATION = IP + 51
    ICMP6 = IP + 58
    NO_NEXT_HEADER = IP + 59
    DESTINATION = IP + 60
    ETHERNET_IN_IP = IP + 97
    L2TP3_IN_IP = IP + 115
    SCTP = IP + 132
    MOBILITY = IP + 135
    MPLS_IN_IP = IP + 137
    HOST_IDENTITY = IP + 139
    SHIM6 = IP + 140

    UNKNOWN_LINK = OWN
    RAW_IP = OWN + 1
    NULL = OWN + 2
    SLL = OWN + 3
    SLL2 = OWN + 4
    PPP = OWN + 5
    HDLC = OWN + 6
    LLC = OWN + 7
    FDDI = OWN + 8
    NFLOG = OWN + 9
    WLAN = OWN + 10
    RADIOTAP = OWN + 11
    PPI = OWN + 12
    IP_FRAGMENT = OWN + 13

    VXLAN = BY_PORT + 1
    GENEVE = BY_PORT + 2
    GTPU = BY_PORT + 3
    TZSP = BY_PORT + 4
    TEREDO = BY_PORT + 5
    L2TP = BY_PORT + 6
    GRE_IN_UDP = BY_PORT + 7


STATE = np.dtype(
    [
        ("frame", "i8"),            # row in Frames being walked: where to resume after a fault
        ("rows", "i8"),             # rows of Segments filled
        ("now", "i8"),              # packet time: the latest timestamp so far, ns
        ("stop", "i8"),             # end of the captured bytes of the present packet, exclusive
        ("wire_stop", "i8"),        # where it would end had all of it been captured
        ("datagrams", "i8"),        # bytes of rebuilt datagrams in this batch
        ("extensions", "i8"),       # IPv6 extension headers since the last IPv6 header
        ("fragment_offset", "i8"),  # bytes
        ("fragment_more", "i8"),    # 1 unless it is the last fragment
        ("fragment_id", "i8"),
        ("fragment_proto", "i8"),   # IP protocol number of what was fragmented
    ],
    align=True,
)
"""One record: the registers of the walk."""
