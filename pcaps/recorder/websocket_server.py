"""The WebSocket server that the capture shows: the library websockets, which says what it received and sent.

Goes in: an address, the servers' log, a log of WebSockets. Comes out: one JSON line a transaction in the one, one a
WebSocket in the other. The law: counts are of what the program itself sent and received.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


def _note(path: str, line: dict[str, Any]) -> None:
    with open(path, "a") as log:
        log.write(json.dumps(line) + "\n")


def _ends(connection: ServerConnection) -> dict[str, str]:
    client, server = connection.remote_address[:2], connection.local_address[:2]
    return {"client": f"{client[0]}:{client[1]}", "server": f"{server[0]}:{server[1]}"}


async def _answer(connection: ServerConnection, log: str) -> None:
    """Echo what comes: texts in pieces, bytes doubled; a ping before the first; `bye` closes."""
    request = connection.request
    assert request is not None
    counts = dict.fromkeys(("orig_messages", "orig_bytes", "resp_messages", "resp_bytes"), 0)
    await (await connection.ping(b"are you there"))
    try:
        async for said in connection:
            content = said.encode() if isinstance(said, str) else said
            counts["orig_messages"] += 1
            counts["orig_bytes"] += len(content)
            if said == "bye":
                await connection.close(4_001, "as you wish")
                break
            echo: Any = [said[:5], said[5:]] if isinstance(said, str) else said * 2
            counts["resp_messages"] += 1
            counts["resp_bytes"] += len(content) if isinstance(said, str) else 2 * len(content)
            await connection.send(echo)
    except ConnectionClosed:
        pass
    protocol = connection.protocol
    codes = {
        "orig_close_code": protocol.close_rcvd and protocol.close_rcvd.code,
        "resp_close_code": protocol.close_sent and protocol.close_sent.code,
    }
    compressed = bool(protocol.extensions)
    _note(log, _ends(connection) | {"uri": request.path, "compressed": compressed} | counts | codes)


async def _run(host: str, port: int, transactions: str, log: str) -> None:
    def note_transaction(connection: ServerConnection, request: Any, response: Any) -> None:
        _note(transactions, _ends(connection) | {
            "method": "GET", "uri": request.path, "host": request.headers["Host"],
            "user_agent": request.headers["User-Agent"], "version": "HTTP/1.1", "status_code": response.status_code,
            "request_body_len": 0, "response_body_len": 0,
        })  # fmt: skip

    handler = lambda connection: _answer(connection, log)  # noqa: E731
    async with serve(handler, host, port, process_response=note_transaction, ping_interval=None, subprotocols=["chat"]):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
