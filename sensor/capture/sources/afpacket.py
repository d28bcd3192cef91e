"""A packet socket with a ring: in: names of interfaces; out: blocks of packets where the system put them.

TPACKET_V3, https://docs.kernel.org/networking/packet_mmap.html. Several interfaces share one socket, so that the
system itself puts their packets in order; a filter then admits theirs only. The one law: a block belongs to the sensor
from `take` to `give_back`, and its bytes are never copied.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import select
import socket
import struct
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sensor.capture.index_ring import Ring
from sensor.capture.sources.cards import Cards
from sensor.errors import InputError

SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION = 1, 5, 6, 10
_TPACKET_V3 = 2
_PROMISCUOUS = 1
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_ETH_P_ALL = 3
_FRAME_BYTES = 2_048
_USER = 1
"""Block status: the system has handed it over."""
_COUNT_AT, _FIRST_AT, _LENGTH_AT = 12, 16, 20
"""Offsets in a block's descriptor: packets, offset of the first, bytes used."""
_HELD_PART = 8
"""Of the ring about one part of so many is held at a time where packets are large."""
_LOOK_SECONDS = 1.0
"""How often a lost interface is looked for."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LOAD_IFINDEX = (0x20, 0, 0, 0xFFFFF000 + 8)
_RETURN_NONE = (0x06, 0, 0, 0)
_RETURN_ALL = (0x06, 0, 0, 0xFFFFFFFF)
Instruction = tuple[int, int, int, int]


def packet_socket(name: str) -> socket.socket:
    """A packet socket to which nothing comes yet. InputError, about interfaces `name`, without the right to one."""
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError as error:
        raise InputError(
            name, "capturing needs CAP_NET_RAW: run as root, or setcap cap_net_raw=ep on this Python"
        ) from error


class RingSocket:
    """Blocks of the ring of one socket on all `interfaces`; `data` is the whole ring, which offsets refer to.

    `block_bytes` and `blocks` size the ring, `timeout_ms` is how long a block waits to fill. `program` is a classic BPF
    program as (code, jump if true, jump if false, constant), applied to every packet. With `opened`, a packet socket
    without a ring, no right is needed, and packets come from `begin` on. InputError when it cannot be opened.
    """

    def __init__(
        self,
        interfaces: Sequence[str],
        block_bytes: int,
        blocks: int,
        timeout_ms: int,
        promiscuous: bool,
        program: Sequence[Instruction] = (),
        opened: socket.socket | None = None,
    ) -> None:
        self.name = ",".join(interfaces)
        self.interfaces = tuple(interfaces)
        self.dropped = self.received = self.frozen = self.lost = 0
        self.cards = Cards(interfaces)
        self.tagged = 0  # packets so far whose VLAN tag the system took out: whoever reads the ring says so
        self._block_bytes, self._blocks = block_bytes, blocks
        self._promiscuous, self._program = promiscuous, tuple(program)
        self._next = 0
        self._held = 0  # blocks taken and not yet given back
        self.taken = 0  # blocks so far
        self._indexes: dict[str, int] = {}
        self._looked = self._counted = 0.0
        self._socket = opened or packet_socket(self.name)
        try:
            self._give_ring(timeout_ms)
            self._map = mmap.mmap(self._socket.fileno(), block_bytes * blocks)
            self.data: npt.NDArray[np.uint8] = np.frombuffer(self._map, np.uint8)
            self._words = self.data.view(np.uint32)
            if opened is None:
                self._attach(required=True)
        except (OSError, InputError) as error:
            if opened is None:
                self._socket.close()
            if isinstance(error, InputError):
                raise
            raise InputError(self.name, f"cannot be captured from: {error.strerror}") from error
        self._poll = select.poll()
        self._poll.register(self._socket.fileno(), select.POLLIN)

    def _give_ring(self, timeout_ms: int) -> None:
        try:
            self._socket.setsockopt(SOL_PACKET, _VERSION, _TPACKET_V3)
            frames = self._block_bytes // _FRAME_BYTES * self._blocks
            request = struct.pack("7I", self._block_bytes, self._blocks, _FRAME_BYTES, frames, timeout_ms, 0, 0)
            self._socket.setsockopt(SOL_PACKET, _RX_RING, request)
        except OSError as error:
            size = self._block_bytes * self._blocks >> 20
            raise InputError(self.name, f"no ring of {size} MiB: {error.strerror}; make it smaller") from error

    def begin(self) -> None:
        """Packets come from now on, of interfaces that are there; the others are looked for, as lost ones are."""
        with contextlib.suppress(OSError):
            self._attach()

    def silence(self) -> None:
        """No further packet comes; those in the ring stay."""
        self._program = (_RETURN_NONE,)
        self._filter(list(self._indexes.values()))

    def go_on_counting(self, before: RingSocket) -> None:
        """Add to what the ring before this one counted."""
        self.received += before.received
        self.dropped += before.dropped
        self.frozen += before.frozen
        self.cards, self.tagged = before.cards, before.tagged

    def leave(self) -> socket.socket:
        """The socket, to be used again once `without_ring` succeeds; this object is at its end."""
        with contextlib.suppress(OSError):  # it is silent all the same
            self._bind(0, protocol=0)
        del self.data, self._words, self._map
        return self._socket

    def _attach(self, required: bool = False) -> None:
        """Bind to every interface that is there, with a filter for them; InputError when one is `required`."""
        found: dict[str, int] = {}
        for name in self.interfaces:
            try:
                found[name] = socket.if_nametoindex(name)
            except OSError:
                if required:
                    names = ", ".join(each for _, each in socket.if_nameindex())
                    raise InputError(name, f"no such interface; there are: {names}") from None
        self.lost = len(self.interfaces) - len(found)
        if found == self._indexes or not found:
            self._indexes = found
            return
        self._filter(list(found.values()))
        for name, index in found.items():
            if self._promiscuous and self._indexes.get(name) != index:
                membership = struct.pack("iHH8s", index, _PROMISCUOUS, 0, b"")
                self._socket.setsockopt(SOL_PACKET, _ADD_MEMBERSHIP, membership)
        self._indexes = found
        self._bind(0 if len(self.interfaces) > 1 else next(iter(found.values())))

    def admit(self, program: Sequence[Instruction]) -> None:
        """Apply another program to every packet from now on; what is in the ring already stays there."""
        self._program = tuple(program) or (_RETURN_ALL,)
        self._filter(list(self._indexes.values()))

    def _filter(self, indexes: list[int]) -> None:
        program = list(self._program) or [_RETURN_ALL]
        if len(self.interfaces) > 1:
            count = len(indexes)
            tests = [(0x15, count - place, 0, index) for place, index in enumerate(indexes)]
            program = [_LOAD_IFINDEX, *tests, _RETURN_NONE, *program]
        elif not self._program:
            with contextlib.suppress(OSError):  # there is one only where this socket had another ring before
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            return
        packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
        pointer = struct.pack("@HP", len(program), ctypes.addressof(packed))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)

    def _bind(self, index: int, protocol: int = _ETH_P_ALL) -> None:
        """To one interface, or to all with index 0, which Python's own `bind` cannot say; to none with protocol 0."""
        address = struct.pack("@HHiHBB8s", socket.AF_PACKET, socket.htons(protocol), index, 0, 0, 0, b"")
        if _LIBC.bind(self._socket.fileno(), address, len(address)):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def take(self, wait_seconds: float, ring: npt.NDArray[np.int64]) -> bool:
        """Point `ring` at the next block; False when none came in time, or none can come because no interface is up."""
        if not self.more(ring):
            self._wait(wait_seconds)
            if not self.more(ring):
                return False
        if time.monotonic() - self._counted >= _LOOK_SECONDS:  # there may be no wait for a long time
            self.count_losses()
        return True

    @property
    def takes_more(self) -> bool:
        """Whether a small part of the ring only is held, so that packets come while these are worked on."""
        return self._held * _HELD_PART < self._blocks

    def waits(self, blocks: int) -> bool:
        """Whether so many blocks wait to be taken."""
        place = (self._next + self._held + blocks - 1) % self._blocks
        free = self._held + blocks <= self._blocks
        return free and bool(self._words[(place * self._block_bytes >> 2) + 2] & _USER)

    def more(self, ring: npt.NDArray[np.int64]) -> bool:
        """Point `ring` at the block behind those that are held already; False when it is not filled yet."""
        start = (self._next + self._held) % self._blocks * self._block_bytes
        word = start >> 2
        if self._held == self._blocks or not self._words[word + 2] & _USER:
            return False
        ring[Ring.LEFT] = self._words[word + _COUNT_AT // 4]
        ring[Ring.POSITION] = start + int(self._words[word + _FIRST_AT // 4])
        ring[Ring.STOP] = start + min(int(self._words[word + _LENGTH_AT // 4]), self._block_bytes)
        self._held += 1
        self.taken += 1
        return True

    def give_back(self, but: int = 0) -> None:
        """The blocks that were taken are the system's again, all but so many of the last."""
        while self._held > but:
            self._words[(self._next * self._block_bytes >> 2) + 2] = 0
            self._next = (self._next + 1) % self._blocks
            self._held -= 1

    def _wait(self, seconds: float) -> None:
        """Until packets come, or so long. An interface that went away is looked for now and then."""
        for _, happened in self._poll.poll(seconds * 1000):
            if happened & ~select.POLLIN:
                self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # ENETDOWN, once: it is cleared by asking
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            with contextlib.suppress(OSError):  # it went away again between the look and the bind
                self._attach()
            self.count_losses()

    def count_losses(self) -> None:
        """Add what the system counted since the last call to `received`, `dropped` and `frozen` (times it stood still
        because the ring was full), and what the cards say.
        """
        self._counted = time.monotonic()
        received, dropped, frozen = struct.unpack("3I", self._socket.getsockopt(SOL_PACKET, _STATISTICS, 12))
        self.received += received
        self.dropped += dropped
        self.frozen += frozen
        unwanted = self.tagged and self.tagged + self.dropped
        self.cards.look(unwanted, self.received if self._program else None)

    @property
    def fill(self) -> tuple[int, int]:
        """Blocks that wait for the sensor beside those that it holds, and blocks."""
        waiting, most = 0, self._blocks - self._held
        while waiting < most:  # blocks fill in turn: halving finds the last that is full
            middle = (waiting + most + 1) // 2
            waiting, most = (middle, most) if self.waits(middle) else (waiting, middle - 1)
        return waiting, self._blocks

    def close(self) -> None:
        self._socket.close()


def without_ring(opened: socket.socket) -> bool:
    """Give the memory of its ring back to the system; False while somebody still looks at it."""
    try:
        opened.setsockopt(SOL_PACKET, _RX_RING, bytes(28))
    except OSError:
        return False
    return True
