"""One WebSocket as it leaves the sensor: in: what was counted of both sides; out: a row.

The one law: it holds no byte of what was sent, only how much of which kind.
"""

from __future__ import annotations

from sensor.connection import Connection


class WebSocketConnection(Connection, kw_only=True, frozen=True):
    """Columns are described in WEBSOCKET_COLUMNS, in the same order."""

    trans_depth: int
    host: str | None = None
    uri: str | None = None
    user_agent: str | None = None
    subprotocol: str | None = None
    extensions: tuple[str, ...] = ()
    compressed: bool = False
    orig_messages: int = 0
    orig_bytes: int = 0
    orig_text_frames: int = 0
    orig_binary_frames: int = 0
    orig_continuation_frames: int = 0
    orig_close_frames: int = 0
    orig_ping_frames: int = 0
    orig_pong_frames: int = 0
    orig_control_bytes: int = 0
    orig_frame_size_max: int = 0
    orig_message_size_max: int = 0
    orig_close_code: int | None = None
    orig_missing_bytes: int = 0
    resp_messages: int = 0
    resp_bytes: int = 0
    resp_text_frames: int = 0
    resp_binary_frames: int = 0
    resp_continuation_frames: int = 0
    resp_close_frames: int = 0
    resp_ping_frames: int = 0
    resp_pong_frames: int = 0
    resp_control_bytes: int = 0
    resp_frame_size_max: int = 0
    resp_message_size_max: int = 0
    resp_close_code: int | None = None
    resp_missing_bytes: int = 0
    frames_exact: bool = True
    anomalies: tuple[str, ...] = ()
    tunnel_id: int | None = None
    vlan: int | None = None
    end_now: int = 0
    flow: int = 0


def _side(name: str, who: str) -> dict[str, str]:
    return {
        f"{name}_messages": f"messages of the {who} that came to their end",
        f"{name}_bytes": "payload of its text, binary and continuation frames, as sent (compressed where it is)",
        f"{name}_text_frames": "frames by opcode",
        f"{name}_binary_frames": "likewise",
        f"{name}_continuation_frames": "likewise: further frames of a message in pieces",
        f"{name}_close_frames": "likewise",
        f"{name}_ping_frames": "likewise",
        f"{name}_pong_frames": "likewise",
        f"{name}_control_bytes": "payload of its close, ping and pong frames",
        f"{name}_frame_size_max": "the largest payload of a text, binary or continuation frame, bytes",
        f"{name}_message_size_max": "the largest message, bytes",
        f"{name}_close_code": "status code of its close (RFC 6455, 7.4); null when it sent none",
        f"{name}_missing_bytes": "bytes of its frames that nobody saw, or that could not be told to frames",
    }


WEBSOCKET_COLUMNS = {
    "ts": "the answer that switched protocols, seconds since 1970",
    "uid": "the connection; the same in flows and transactions",
    "community_id": "Community ID v1, seed 0",
    "id.orig_h": "the client: who asked for the upgrade",
    "id.orig_p": "its port",
    "id.resp_h": "the server",
    "id.resp_p": "its port",
    "duration": "from there to the connection's last packet, seconds",
    "trans_depth": "of the transaction that asked for the upgrade",
    "host": "of that request",
    "uri": "of that request, secrets replaced",
    "user_agent": "of that request",
    "subprotocol": "Sec-WebSocket-Protocol that the server chose",
    "extensions": "Sec-WebSocket-Extensions that the server chose",
    "compressed": "a message was compressed (RFC 7692)",
    **_side("orig", "client"),
    **_side("resp", "server"),
    "frames_exact": "every frame was counted; otherwise the figures are lower bounds",
    "anomalies": "what was odd: unmasked (client), masked (server), opcode_invalid, control_invalid, fragment_invalid, "
    "length_invalid, after_close, close_invalid, loss, unfinished",
    "tunnel_id": "VNI, key or TEID of the innermost tunnel",
    "vlan": "innermost 802.1Q id",
    "end_now": "packet time at which the connection had ended, ns",
    "flow": "number of the connection in this run, from 1",
}
