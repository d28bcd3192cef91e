"""A flow before its first byte: in: its row; out: the row and those of its streams, with nothing known of them.

The one law: what a flow held of shared room is given back.
"""

import numpy as np

from sensor._jit import part_kernel
from sensor.protocols.http1.holds import release_hold
from sensor.protocols.http1.tables import State, Waits
from sensor.schema import FlowFlag


@part_kernel
def clear_flow(t, flow_row):
    """Both streams of the flow as they are before the first byte."""
    flow = t.http_flows[flow_row]
    flow["flow"] = flow_row
    flow["http2"] = 0
    flow["depth"] = 0
    flow["queued"] = 0
    flow["first"] = -1
    flow["last"] = -1
    flow["waiting"] = 0
    flow["wait_first"] = -1
    flow["wait_last"] = -1
    flow["misses"] = 0
    flow["client"] = -1
    flow["loss"] = 0
    flow["ahead"] = 0
    flow["rolling"] = 0
    flow["least"] = 0
    flow["base"] = 0
    flow["burst_ack"] = -1
    flow["burst"] = 0
    flow["width"] = 0
    flow["probe"] = 0
    flow["out"] = 0
    flow["out_times"] = 0
    flow["waits"] = Waits.UNKNOWN
    flow["heads"] = 0
    flow["bodies"] = 0
    flow["answered"] = 0
    flow["closing"] = 0
    flow["true_hi"] = np.uint64(0)
    flow["true_lo"] = np.uint64(0)
    for stream_row in (2 * flow_row, 2 * flow_row + 1):
        stream = t.http_streams[stream_row]
        release_hold(t, stream)
        stream["delivered"] = 0
        stream["broken"] = 0
        stream["whole"] = 0
        stream["remaining"] = 0
        stream["body"] = 0
        stream["unknown"] = 0
        stream["message"] = -1
        stream["state"] = State.INIT
        stream["json_flags"] = 0


@part_kernel
def reset_flow(t, flow_row):
    """Forget what was known of the row's flow: it is another one's now, or its end."""
    t.http_flows[flow_row]["serial"] = t.flows[flow_row]["serial"]
    clear_flow(t, flow_row)
    if t.flows[flow_row]["flags"] & FlowFlag.MIDSTREAM != 0:
        t.http_flows[flow_row]["waits"] = Waits.EACH
