"""Flows whose responder turned out to send the requests: in: copied rows as they leave; out: the rows, turned round.

The one law: a turned row reads as if its originator had been known from the first packet on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor.reassembly.measures import LETTER_FLIPPED
from sensor.schema import ConnState, FlowFlag

_LETTERS, _BITS = 12, 5
_WORD = np.uint64((1 << _LETTERS * _BITS) - 1)
_LAST, _ONE = np.uint64((_LETTERS - 1) * _BITS), np.uint64(_BITS)
_OTHER_WAY = {
    ConnState.SH: ConnState.SHR, ConnState.SHR: ConnState.SH, ConnState.S2: ConnState.S3, ConnState.S3: ConnState.S2,
    ConnState.RSTO: ConnState.RSTR, ConnState.RSTR: ConnState.RSTO, ConnState.RSTRH: ConnState.OTH,
}  # fmt: skip
_STATES = np.array([_OTHER_WAY.get(state, state) for state in ConnState], np.uint8)


def _other_case(letters: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Letters of one word of the history, said by the other side."""
    out = np.zeros_like(letters)
    for place in range(_LETTERS):
        shift = np.uint64(place * _BITS)
        code = letters >> shift & np.uint64(31)
        paired = (code > 0) & (code < LETTER_FLIPPED)
        out |= np.where(paired, ((code - np.uint64(1)) ^ np.uint64(1)) + np.uint64(1), code) << shift
    return out


def _turn_history(flows: npt.NDArray[np.void], turning: npt.NDArray[np.bool_]) -> None:
    """Case for case, and with the sign of a flow that was turned, or without it when it had been taken for one."""
    low, high = (_other_case(flows[name][turning]) for name in ("history_low", "history_high"))
    flipped = low & np.uint64(31) == LETTER_FLIPPED
    flows["history_low"][turning] = np.where(
        flipped, low >> _ONE | (high & np.uint64(31)) << _LAST, (low << _ONE | np.uint64(LETTER_FLIPPED)) & _WORD
    )
    flows["history_high"][turning] = np.where(flipped, high >> _ONE, (high << _ONE | low >> _LAST) & _WORD)


def _turn_state(flows: npt.NDArray[np.void], resets: npt.NDArray[np.void], turning: npt.NDArray[np.bool_]) -> None:
    state = flows["conn_state"][turning]
    both, first = (resets != 0).all(1), (resets != 0)[:, 0]
    turned = np.where((state == ConnState.OTH) & first, np.uint8(ConnState.RSTRH), _STATES[state])
    flows["conn_state"][turning] = np.where(both, state, turned)


def turned(
    flows: npt.NDArray[np.void], streams: npt.NDArray[np.void]
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    """Where the responder sent the requests, the two change places, in place."""
    sides = flows["flags"] & FlowFlag.FLIPPED != 0
    if sides.any():
        pairs = streams.reshape(-1, 2)
        _turn_state(flows, pairs["reset"][sides], sides)
        _turn_history(flows, sides)
        pairs[sides] = pairs[sides, ::-1]
        for one, other in (("orig_hi", "resp_hi"), ("orig_lo", "resp_lo"), ("orig_port", "resp_port")):
            flows[one][sides], flows[other][sides] = flows[other][sides], flows[one][sides]
    return flows, streams
