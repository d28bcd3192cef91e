"""A flow before its first byte: in: its row; out: the row and those of its streams, with nothing known of them.

The one law: what a flow held of shared room is given back.
"""


from sensor._jit import part_kernel
from sensor.protocols.http1.holds import release_hold
from sensor.protocols.http1.tables import HTTP_FLOW, HTTP_STREAM, Waits
from sensor.schema import FlowFlag
from sensor.structures.records import new_row

_NEW_FLOW = new_row(HTTP_FLOW, first=-1, last=-1, wait_first=-1, wait_last=-1, client=-1, burst_ack=-1)
_NEW_STREAM = new_row(HTTP_STREAM, message=-1)


@part_kernel
def clear_flow(t, flow_row):
    """Both streams of the flow as they are before the first byte; its serial and uid stay."""
    flow = t.http_flows[flow_row]
    serial, uid_hi, uid_lo = flow["serial"], flow["uid_hi"], flow["uid_lo"]
    t.http_flows[flow_row] = _NEW_FLOW[0]
    flow["serial"], flow["uid_hi"], flow["uid_lo"] = serial, uid_hi, uid_lo
    flow["flow"] = flow_row
    for stream_row in (2 * flow_row, 2 * flow_row + 1):
        release_hold(t, t.http_streams[stream_row])
        t.http_streams[stream_row] = _NEW_STREAM[0]


@part_kernel
def reset_flow(t, flow_row):
    """Forget what was known of the row's flow: it is another one's now, or its end."""
    t.http_flows[flow_row]["serial"] = t.flows[flow_row]["serial"]
    clear_flow(t, flow_row)
    if t.flows[flow_row]["flags"] & FlowFlag.MIDSTREAM != 0:
        t.http_flows[flow_row]["waits"] = Waits.EACH
