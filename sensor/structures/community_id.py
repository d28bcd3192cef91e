"""Community ID of one flow: in: its endpoints and protocol; out: the text. The law: it is what the kernel gives."""

import numpy as np

from sensor.structures.community_id_kernels import TEXT_BYTES, WORK_WORDS, community_ids


def community_id_of(hi_a: int, lo_a: int, hi_b: int, lo_b: int, port_a: int, port_b: int, proto: int) -> str:
    """Community ID of one flow; a is the source or client, b the destination or server."""
    text = np.empty(TEXT_BYTES, np.uint8)
    a_hi, a_lo, b_hi, b_lo = np.array([[hi_a], [lo_a], [hi_b], [lo_b]], np.uint64)
    a_port, b_port = np.array([[port_a], [port_b]], np.uint16)
    protos = np.array([proto], np.uint8)
    community_ids(a_hi, a_lo, b_hi, b_lo, a_port, b_port, protos, 1, np.empty(WORK_WORDS, np.int64), text, 0)
    return text.tobytes().decode("ascii")
