"""The decode stage. In: a batch of Frames and the buffer they lie in. Out: Segments, one row per frame that carried a
transport packet.

The law: every frame is counted under exactly one Reason (DECODED when it gave a row), and a frame on which the kernel
raises costs itself only. Rows are in frame order, and every payload lies inside the buffer that its flags name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.config import DecodeSettings
from sensor.counters import Counters
from sensor.decode.fragments import BLOCKS, SLOT
from sensor.decode.layers import BY_PORT, STATE, Layer
from sensor.decode.reasons import FragmentCount, Reason
from sensor.decode.walk import ROOM, walk
from sensor.errors import SettingError
from sensor.schema import SEGMENT

LINK_NAMES = {
    3: "AX.25", 6: "IEEE 802.5 Token Ring", 7: "ARCNET", 8: "SLIP", 109: "OpenBSD enc", 117: "OpenBSD pflog",
    119: "Prism 802.11", 138: "Apple IP over IEEE 1394", 147: "user-defined 0", 148: "user-defined 1",
    163: "AVS 802.11", 165: "BACnet MS/TP", 177: "Linux LAPD", 187: "Bluetooth HCI H4", 189: "USB, Linux",
    195: "IEEE 802.15.4", 201: "Bluetooth HCI H4 with direction", 203: "LAPD", 220: "USB, Linux, padded",
    226: "IP over Solaris IPNET", 227: "SocketCAN", 230: "IEEE 802.15.4 without FCS", 231: "D-Bus",
    242: "IP over InfiniBand", 247: "InfiniBand", 248: "SCTP", 249: "USBPcap", 251: "Bluetooth LE",
    253: "Linux Netlink", 254: "Bluetooth monitor", 272: "nRF Sniffer", 283: "IEEE 802.15.4 TAP", 288: "USB 2.0",
}  # fmt: skip
"""Common link types that are not decoded, https://www.tcpdump.org/linktypes.html."""

UDP_TUNNELS = (
    ("vxlan_ports", Layer.VXLAN),
    ("geneve_ports", Layer.GENEVE),
    ("gtpu_ports", Layer.GTPU),
    ("tzsp_ports", Layer.TZSP),
    ("teredo_ports", Layer.TEREDO),
    ("l2tp_ports", Layer.L2TP),
    ("gre_ports", Layer.GRE_IN_UDP),
)
"""The setting that lists each UDP tunnel's ports, and the layer that looks into them."""


def port_table(settings: DecodeSettings) -> npt.NDArray[np.uint8]:
    """The tunnel code of each UDP port (shape (65536,)), 0 where there is none; SettingError when a port is claimed
    twice.
    """
    table = np.zeros(1 << 16, np.uint8)
    owners: dict[int, str] = {}
    for setting, layer in UDP_TUNNELS:
        for port in getattr(settings, setting):
            if owners.setdefault(port, setting) != setting:
                raise SettingError(
                    f"decode.{setting}: port {port} is in decode.{owners[port]} too; a port names one tunnel"
                )
            table[port] = layer - BY_PORT
    return table


class Segments(NamedTuple):
    """What `process` gives. Both arrays are the stage's own and hold until the next call."""

    rows: npt.NDArray[Any]
    """SEGMENT; payload_offset refers to `datagrams` where SegmentFlag.REBUILT is set, to the block elsewhere."""
    datagrams: npt.NDArray[np.uint8]


class DecodeStage:
    """From Frames to Segments.

    `counters` holds frames by Reason, `fragments` datagrams by FragmentCount.
    """

    def __init__(self, settings: DecodeSettings) -> None:
        self.counters = Counters(Reason)
        self.fragments = Counters(FragmentCount)
        self._rows = np.zeros(limits.BATCH_FRAMES, SEGMENT)
        self._state = np.zeros(1, STATE)
        self._links_unknown = np.zeros(1 << 16, np.int64)
        self._ports = port_table(settings)
        self._slots = np.zeros(limits.DATAGRAMS_MAX, SLOT)
        self._digests = np.zeros(limits.DATAGRAMS_MAX, np.uint64)
        self._marks = np.zeros(limits.DATAGRAMS_MAX * BLOCKS, np.uint8)
        self._store = np.zeros(limits.DATAGRAMS_MAX * limits.DATAGRAM_BYTES, np.uint8)
        self._datagrams = np.zeros(2 * ROOM, np.uint8)

    def process(self, block: npt.NDArray[np.uint8], frames: npt.NDArray[Any]) -> Segments:
        """Decode `frames` (FRAME), whose bytes lie in `block`. Never raises on what the bytes are."""
        if len(frames) > len(self._rows):
            self._rows = np.zeros(len(frames), SEGMENT)
        self._state["frame"] = self._state["rows"] = self._state["datagrams"] = 0
        while not self._walk(block, frames):
            # what can be rebuilt in one batch is what was held before and what the block adds: this ends
            self._datagrams = np.concatenate([self._datagrams, np.zeros_like(self._datagrams)])
        return Segments(self._rows[: int(self._state["rows"][0])], self._datagrams)

    def _walk(self, block: npt.NDArray[np.uint8], frames: npt.NDArray[Any]) -> bool:
        """Go on from where the state is, past faults; False when the rebuilt datagrams need more room."""
        while True:
            try:
                return bool(
                    walk(
                        block, frames, self._rows, self._state, self.counters.values, self._links_unknown, self._ports,
                        self._slots, self._digests, self._marks, self._store, self._datagrams, self.fragments.values,
                    )
                )  # fmt: skip
            except (ArithmeticError, LookupError, ValueError):
                self.counters.values[Reason.KERNEL_FAULT] += 1
                self._state["frame"] += 1

    @property
    def unknown_links(self) -> dict[int, int]:
        """Frames by link type, for those link types that are not decoded."""
        return {int(link): int(self._links_unknown[link]) for link in np.flatnonzero(self._links_unknown)}

    def unknown_link_lines(self) -> list[str]:
        """One line for each link type that is not decoded."""
        return [
            f"link type {link} ({LINK_NAMES.get(link, 'unknown to tapir')}) is not decoded: {count} frames"
            for link, count in self.unknown_links.items()
        ]
