"""Every bound on what traffic can make grow, with its why. Reaching one is always counted."""

from __future__ import annotations

NS = 1_000_000_000
"""Nanoseconds in a second: all packet time is int64 nanoseconds since 1970."""

# --- capture -------------------------------------------------------------------------------------------------------
READ_BUFFER_BYTES = 4 << 20
"""One reused read buffer: larger ones leave the cache and gain nothing (measured)."""
FRAME_BYTES_MAX = 262_144
"""tcpdump's largest snap length: a longer record is a broken file."""
BATCH_FRAMES = 8_192
"""A batch of this size and its tables stay in the second-level cache (measured: 256 and 65,536 are 20 % slower)."""
CLOCK_JUMP_NS = 3_600 * NS
"""A frame further ahead of packet time than this, which the next frame does not confirm, is quarantined."""

# --- decode --------------------------------------------------------------------------------------------------------
LAYERS_MAX = 24
"""Headers walked in one frame: nested tunnels of real networks need about 12."""

# --- reassembly ----------------------------------------------------------------------------------------------------
FLOWS_MAX = 131_072
"""Concurrent flows; about 900 bytes each once HTTP runs on them, 118 MB when full."""
PAGE_BYTES = 2_048
"""Out-of-order payload waits in pages of this size: one Ethernet segment fits in one."""
PAGES_MAX = 16_384
"""32 MB of waiting out-of-order payload over all streams."""
STREAM_PAGES_MAX = 512
"""1 MB of waiting payload per stream: more than a usual receive window in flight, so a hole behind it is a loss."""

# --- protocols -----------------------------------------------------------------------------------------------------
HEAD_BYTES_MAX = 65_536
"""A message head larger than this is an anomaly; servers stop at 8 to 64 KiB."""
STRINGS_MAX = 131_072
"""Distinct strings alive in the pool (hosts, agents, URIs of the current batches)."""
STRING_BYTES_MAX = 32 << 20
"""Bytes of all pooled strings together."""
TRANSACTIONS_OPEN_MAX = 65_536
"""Requests and responses in flight over all connections."""

# --- export --------------------------------------------------------------------------------------------------------
ROWS_HELD_MAX = 65_536
"""Rows held back to come out in order of time when a file is read."""
