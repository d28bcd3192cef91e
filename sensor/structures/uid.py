"""A flow's own name, 128 bits: in: its FLOW row; out: (uid_hi, uid_lo).

The one law: the bits depend on nothing but the flow's key and the time of its first packet, so that every run over one capture,
in whatever batches, names its flows alike. They are not secret and not keyed.
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.structures.hashing import finish, mix

_SEED_HI = np.uint64(0x7461706972206869)
_SEED_LO = np.uint64(0x7461706972206C6F)


@inline_kernel
def _half(row, seed):
    hashed = mix(seed, row["orig_hi"])
    hashed = mix(hashed, row["orig_lo"])
    hashed = mix(hashed, row["resp_hi"])
    hashed = mix(hashed, row["resp_lo"])
    hashed = mix(hashed, np.uint64(row["start_ts"]))
    ports = (np.uint64(row["orig_port"]) << np.uint64(16)) | np.uint64(row["resp_port"])
    hashed = mix(hashed, (np.uint64(row["tunnel_id"]) << np.uint64(32)) | ports)
    layers = (np.uint64(row["vlan"]) << np.uint64(16)) | (np.uint64(row["proto"]) << np.uint64(8))
    return finish(mix(hashed, layers | np.uint64(row["tunnel"])))


@inline_kernel
def flow_uid(row):
    """(uid_hi, uid_lo) of one FLOW row."""
    return _half(row, _SEED_HI), _half(row, _SEED_LO)
