"""CONNECT and Upgrade: what is inside is read on when it is HTTP; who reads other protocols is told where it begins."""

from __future__ import annotations

import pytest

from sensor.protocols.http1.tables import TunnelKind
from tests.protocols.http1.messages import OK, request, response, talk, told
from tests.traffic import Outcome, observe, without

CONNECT = b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n"
GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
SWITCH = request("/live", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
SWITCHED = response(b"", "Upgrade: WebSocket", "Connection: Upgrade", status="101 Switching Protocols", length=False)


def uris(outcome: Outcome) -> list[tuple[str, int]]:
    return [(row["uri"], row["status_code"]) for row in outcome.transactions]


def test_http_behind_connect_is_read_on() -> None:
    outcome = told(CONNECT, GRANTED, request("/a"), OK, request("/b"), OK)
    assert uris(outcome) == [("shop.test:443", 200), ("/a", 200), ("/b", 200)]
    assert [row["trans_depth"] for row in outcome.transactions] == [1, 2, 3]


def test_http2_behind_connect_is_read_on() -> None:
    settings = bytes(3) + b"\x04" + bytes(5)
    headers = b"\x00\x00\x04\x01\x05\x00\x00\x00\x01" + b"\x82\x86\x84\x81"  # GET http / and a name from the table
    answer = b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers
    outcome = told(CONNECT, GRANTED, preface, settings + answer)
    assert [(row["uri"], row["status_code"], row["version"]) for row in outcome.transactions] == [
        ("shop.test:443", 200, 11), ("/", 200, 20),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "turns", [(b"\x16\x03\x01\x00\x04\x01\x02\x03\x04", b"\x16\x03\x03"), (b"", b"220 mail.test\r\n", b"EHLO a\r\n")]
)
def test_other_protocols_behind_connect_are_none_of_http(turns: tuple[bytes, ...]) -> None:
    outcome = told(CONNECT, GRANTED, *turns)
    assert uris(outcome) == [("shop.test:443", 200)]
    assert outcome.protocols["tunnel_bytes"] == sum(map(len, turns))
    assert outcome.protocols["skipped_bytes"] == 0


def test_a_server_that_does_not_answer_in_http_ends_the_reading() -> None:
    said = request("/echo")
    outcome = told(CONNECT, GRANTED, said, said, request("/echo/2"), said)
    assert uris(outcome) == [("shop.test:443", 200), ("/echo", 0)]


def test_a_refused_connect_is_no_tunnel() -> None:
    outcome = told(CONNECT, response(b"no", status="403 Forbidden"), request("/a"), OK)
    assert uris(outcome) == [("shop.test:443", 403), ("/a", 200)]
    assert outcome.tunnels == []


def test_a_request_lost_behind_connect_costs_itself() -> None:
    packets = talk(CONNECT, GRANTED, request("/a"), OK, request("/b"), OK).packets
    lost = next(i for i, packet in enumerate(packets) if packet.payload.startswith(b"GET /a"))
    outcome = observe(without(packets, lost))
    assert ("/b", 200) in uris(outcome)
    assert ("/a", 200) not in uris(outcome)


def test_a_tunnel_is_told_with_its_offsets() -> None:
    outcome = told(SWITCH, SWITCHED, b"\x81\x00", b"\x81\x00")
    (tunnel,) = outcome.tunnels
    assert tunnel.kind == TunnelKind.WEBSOCKET
    assert (tunnel.host, tunnel.uri, tunnel.client, tunnel.depth) == ("api.test", "/live", 0, 1)
    assert tunnel.head == SWITCHED
    behind_syn = 2**32 + 1_001, 2**32 + 5_001
    assert tunnel.starts == (behind_syn[0] + len(SWITCH), behind_syn[1] + len(SWITCHED))


@pytest.mark.parametrize("mss", [1, 7, 60])
def test_tunnels_do_not_depend_on_segments(mss: int) -> None:
    whole, cut = told(SWITCH, SWITCHED, b"\x81\x00"), told(SWITCH, SWITCHED, b"\x81\x00", mss=mss)
    assert [tunnel._replace(ts=0, uid=(0, 0)) for tunnel in cut.tunnels] == [
        tunnel._replace(ts=0, uid=(0, 0)) for tunnel in whole.tunnels
    ]


def test_another_upgrade_says_so() -> None:
    asked = request("/containers", "Connection: Upgrade", "Upgrade: tcp")
    switched = response(b"", "Upgrade: tcp", status="101 UPGRADED", length=False)
    (tunnel,) = told(asked, switched, b"raw").tunnels
    assert tunnel.kind == TunnelKind.UPGRADE
