"""Why a frame became no segment, and what happened to fragmented datagrams: the names of the stage's counters.

In: nothing. Out: `Reason`, `FragmentCount`. The law: each frame is counted under exactly one Reason (DECODED when it
gave a segment).
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    DECODED = 0                 # gave a segment
    QUARANTINED = 1             # insane timestamp
    KERNEL_FAULT = 2            # the kernel raised on it
    UNKNOWN_LINK = 3            # link type not decoded
    TRUNCATED_LINK = 4          # shorter than its link header (other than Ethernet)
    TRUNCATED_ETHERNET = 5
    TRUNCATED_VLAN = 6
    UNKNOWN_ETHERTYPE = 7
    UNKNOWN_FAMILY = 8          # NULL/LOOP with a family other than IP
    ARP = 9
    LLC = 10                    # 802.2 without IP: spanning tree, IS-IS, CDP ...
    PPP_CONTROL = 11            # PPP and PPPoE without IP: negotiation, discovery, compression
    TRUNCATED_IPV4 = 12
    BAD_IP_VERSION = 13
    BAD_IPV4_HEADER_LENGTH = 14
    BAD_IPV4_LENGTH = 15        # total length shorter than the header
    TRUNCATED_IPV6 = 16
    TRUNCATED_IPV6_EXTENSION = 17
    TOO_MANY_EXTENSIONS = 18
    BAD_IPV6_JUMBO = 19
    NO_NEXT_HEADER = 20         # IPv6 says that nothing follows
    FRAGMENT_HELD = 21          # waits for the rest of its datagram
    FRAGMENT_DUPLICATE = 22     # brought no new byte
    FRAGMENT_CUT = 23           # the snap length cut it: its datagram cannot be rebuilt
    FRAGMENT_BAD = 24           # length or end contradicts the rest of its datagram
    UNKNOWN_TRANSPORT = 25      # IP protocol not decoded: OSPF, IGMP, VRRP ...
    ENCRYPTED = 26              # ESP, protected 802.11
    TRUNCATED_TCP = 27
    BAD_TCP_HEADER_LENGTH = 28
    TRUNCATED_UDP = 29
    BAD_UDP_LENGTH = 30
    TRUNCATED_ICMP = 31
    TRUNCATED_SCTP = 32
    TRUNCATED_TUNNEL = 33
    BAD_TUNNEL = 34             # a version or field of the tunnel header that is not defined
    TUNNEL_CONTROL = 35         # a tunnel's own message: keepalive, acknowledgement, control
    WLAN_CONTROL = 36           # 802.11 management and control frames
    TOO_MANY_LAYERS = 37


class FragmentCount(IntEnum):
    REBUILT = 0    # datagrams
    EXPIRED = 1    # datagrams whose rest did not come in time
    EVICTED = 2    # datagrams that gave way to younger ones
    OVERLAPS = 3   # fragments that repeated bytes already held
