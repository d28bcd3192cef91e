"""Which packets an alert speaks of: in: an alert, decoded segments; out: frames, those of the deciding flow apart.

The one law: packets are told by what was on the wire; an alert that names nobody wants none.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Alert
from sensor.structures.community_id_kernels import TEXT_BYTES, WORK_WORDS, community_ids

Rows = npt.NDArray[np.void]
Mask = npt.NDArray[np.bool_]
_MAPPED = 0xFFFF << 32
_LOW = (1 << 64) - 1
_FLOW = ["src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "proto"]


class Found(NamedTuple):
    """Rows in the table of frames: of the flow that decided, and of what else the alert speaks of."""

    deciding: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]


class _Address(NamedTuple):
    hi: int
    lo: int


def _address(text: str | None) -> _Address | None:
    try:
        number = int(ipaddress.ip_address(text or ""))
    except ValueError:
        return None
    return _Address(0, _MAPPED | number) if ":" not in str(text) else _Address(number >> 64, number & _LOW)


class Wanted:
    """The packets of one alert: of the client and the server that it names, or of one of them where it names one. Of a
    scan, whatever the client sends and gets.
    """

    def __init__(self, alert: Alert) -> None:
        named = alert.entity.value if alert.entity.kind == "client" else None
        self._client = _address(alert.client_ip) or _address(named)
        scan = alert.category == "scanning" and self._client is not None
        self._server = _address(alert.server_ip)
        self._port = alert.server_port or 0
        self._community_id = (alert.community_id or "").encode()
        self._anyone = scan

    @property
    def names_somebody(self) -> bool:
        return self._client is not None or self._server is not None

    def find(self, segments: Rows) -> Found:
        """Of SEGMENT rows of one table of frames."""
        server = _serves(segments, self._server, self._port) if self._server else None
        client = _either(segments, self._client) if self._client else None
        deciding = self._deciding(segments, client if server is None else server)
        both = server if client is None or server is None else server & client
        others = client if self._anyone or both is None else both
        frames = segments["frame"].astype(np.int64)
        first = np.unique(frames[deciding])
        return Found(first, np.setdiff1d(frames[others], first) if others is not None else first[:0])

    def _deciding(self, segments: Rows, among: Mask | None) -> Mask:
        """By its Community ID: the client that an alert names may stand behind a proxy."""
        mask = np.zeros(len(segments), np.bool_)
        if self._community_id and among is not None:
            rows = np.flatnonzero(among)
            flows, member = np.unique(segments[rows][_FLOW], return_inverse=True)
            mask[rows[_community_ids(flows)[member.ravel()] == self._community_id]] = True
        return mask


def _community_ids(flows: Rows) -> npt.NDArray[np.bytes_]:
    """Of each flow, as text."""
    texts = np.empty(len(flows) * TEXT_BYTES, np.uint8)
    a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto = (np.ascontiguousarray(flows[name]) for name in _FLOW)
    work = np.empty(WORK_WORDS, np.int64)
    community_ids(a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto, len(flows), work, texts, 0)
    return texts.view(f"S{TEXT_BYTES}")


def _of(segments: Rows, side: str, address: _Address) -> Mask:
    mask: Mask = (segments[f"{side}_lo"] == address.lo) & (segments[f"{side}_hi"] == address.hi)
    return mask


def _port(segments: Rows, side: str, port: int) -> Mask:
    mask: Mask = segments[f"{side}_port"] == port
    return mask if port else np.ones(len(segments), np.bool_)


def _either(segments: Rows, address: _Address) -> Mask:
    return _of(segments, "src", address) | _of(segments, "dst", address)


def _serves(segments: Rows, address: _Address, port: int) -> Mask:
    there = _of(segments, "dst", address) & _port(segments, "dst", port)
    return there | _of(segments, "src", address) & _port(segments, "src", port)
