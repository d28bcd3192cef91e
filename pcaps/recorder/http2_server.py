"""The API that the HTTP/2 captures show: hypercorn in clear, with prior knowledge and with the upgrade from HTTP/1.1.

Goes in: an address, a log file. Comes out: one JSON line a request, as the program that answered saw it. The law: the
log says what was sent and received, counted by the server.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def _received(receive: Any) -> int:
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            return length


def _answer(path: str) -> tuple[int, bytes, str]:
    """Status, body and content type of a path."""
    kind, _, number = path.strip("/").rpartition("/")
    if kind == "items":
        items = [{"id": i, "name": f"item {i}"} for i in range(int(number))]
        return 200, json.dumps(items).encode(), "application/json"
    if kind == "big":
        return 200, b"0123456789abcdef" * (int(number) // 16), "application/octet-stream"
    if kind == "status":
        return int(number), b"", "text/plain"
    return 200, b"hello", "text/plain"


async def answer(scope: Any, receive: Any, send: Any, path: str) -> None:
    if scope["type"] != "http":
        return
    request_len = await _received(receive)
    status, body, content_type = _answer(scope["path"])
    headers = [(b"content-type", content_type.encode()), (b"x-served-by", b"lab")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    sent = {name.decode(): value.decode() for name, value in scope["headers"]}
    query = "?" + scope["query_string"].decode() if scope["query_string"] else ""
    line = {
        "client": ":".join(map(str, scope["client"])), "server": ":".join(map(str, scope["server"])),
        "method": scope["method"], "uri": scope["raw_path"].decode() + query, "host": sent.get("host"),
        "user_agent": sent.get("user-agent"), "version": f"HTTP/{scope['http_version']}", "status_code": status,
        "request_body_len": request_len, "response_body_len": 0 if scope["method"] == "HEAD" else len(body),
    }  # fmt: skip
    with open(path, "a") as log:
        log.write(json.dumps(line) + "\n")


def main(log: str, address: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(scope, receive, send, log)

    config = Config()
    config.bind = [address]
    config.accesslog = None
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(*sys.argv[1:])
