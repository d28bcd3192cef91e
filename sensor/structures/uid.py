"""A flow's own name, 128 bits: in: its FLOW row; out: (uid_hi, uid_lo).

The one law: the bits depend on nothing but the flow's key and the time of its first packet, so that every run over
one capture, in whatever batches, names its flows alike, and not on who is taken for the originator. They are not secret
and not keyed.
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.structures.hashing import finish, mix

_SEED_HI = np.uint64(0x7461706972206869)
_SEED_LO = np.uint64(0x7461706972206C6F)


@inline_kernel
def _end(seed, address_hi, address_lo, port):
    return finish(mix(mix(mix(seed, address_hi), address_lo), np.uint64(port)))


@inline_kernel
def _half(row, seed):
    orig = _end(seed, row["orig_hi"], row["orig_lo"], row["orig_port"])
    resp = _end(seed, row["resp_hi"], row["resp_lo"], row["resp_port"])
    hashed = mix(mix(seed, orig + resp), np.uint64(row["start_ts"]))
    hashed = mix(hashed, (np.uint64(row["tunnel_id"]) << np.uint64(16)) | np.uint64(row["vlan"]))
    return finish(mix(hashed, (np.uint64(row["proto"]) << np.uint64(8)) | np.uint64(row["tunnel"])))


@inline_kernel
def flow_uid(row):
    """(uid_hi, uid_lo) of one FLOW row."""
    return _half(row, _SEED_HI), _half(row, _SEED_LO)
