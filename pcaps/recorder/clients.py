"""What the clients do in the captures. Runs inside a client's namespace: clients.py NAME [ARGUMENT ...].

Goes in: the name of a function below. Comes out: its traffic. The law: no clock, no chance: the same requests always.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import requests
from requests.adapters import HTTPAdapter
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

API = ("10.77.0.100", 8000)
AGENT = {"User-Agent": "shop-app/3.2"}


def address(number: int) -> str:
    return f"10.77.0.{number}"


class FromAddress(HTTPAdapter):
    """Let python-requests leave from one of this host's addresses."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__()

    def init_poolmanager(self, *arguments: object, **options: object) -> None:
        super().init_poolmanager(*arguments, source_address=(self.source, 0), **options)  # type: ignore[misc]


def session(source: str) -> requests.Session:
    made = requests.Session()
    made.mount("http://", FromAddress(source))
    return made


def together(work: Callable[[int], None], numbers: range) -> None:
    """One thread a client, all at once."""
    threads = [threading.Thread(target=work, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def conversation(connection: socket.socket, sent: bytes, until: bytes) -> bytes:
    """Send bytes as they are and read until the answer ends with `until` (or the server closes)."""
    connection.sendall(sent)
    received = b""
    while not received.endswith(until) and (part := connection.recv(65536)):
        received += part
    return received


def browse(source: int, base: str = "http://10.77.0.100:8000") -> None:
    """A shop customer's minute on one keep-alive connection."""
    with session(address(source)) as api:
        token = api.post(f"{base}/login", json={"username": "alice", "password": "wonderland"}).json()["token"]
        api.headers["Authorization"] = f"Bearer {token}"
        for page in range(1, 4):
            api.get(f"{base}/api/v1/customers", params={"page": page})
        for number in range(source * 10, source * 10 + 6):
            api.get(f"{base}/api/v1/customers/{number}")
        etag = api.get(f"{base}/api/v1/catalogue").headers["ETag"]
        api.get(f"{base}/api/v1/catalogue", headers={"If-None-Match": etag})
        api.head(f"{base}/api/v1/catalogue")
        api.post(f"{base}/api/v1/orders", json={"lines": [{"sku": f"A{n}", "count": n} for n in range(20)]})
        api.put(f"{base}/api/v1/orders/4711", json={"note": "GET / HTTP/1.1 is only text here"})
        api.patch(f"{base}/api/v1/orders/4711", data=b"x" * 5000)
        api.delete(f"{base}/api/v1/orders/4711")
        api.get(f"{base}/api/v1/customers/999999", headers={"Accept-Encoding": "identity"})


def browse_all() -> None:
    together(browse, range(1, 7))


def urllib_gets(base: str, *paths: str) -> None:
    """One connection a request, as urllib does it."""
    for path in paths:
        try:
            urllib.request.urlopen(urllib.request.Request(base + path, headers=AGENT), timeout=5).read()
        except urllib.error.HTTPError as refusal:
            refusal.read()


def pipelining() -> None:
    """Eight requests in one go, then three more while the first answers come."""
    with socket.create_connection(API) as connection:
        asked = [f"GET /api/v1/customers/{n} HTTP/1.1\r\nHost: api.example\r\nX-Number: {n}\r\n\r\n" for n in range(8)]
        asked.insert(4, "HEAD /api/v1/catalogue HTTP/1.1\r\nHost: api.example\r\n\r\n")
        connection.sendall("".join(asked).encode())
        connection.sendall(b"POST /api/v1/orders HTTP/1.1\r\nHost: api.example\r\nContent-Length: 9\r\n\r\nGET / HTT")
        conversation(connection, b"GET /last HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n", b"never")


def bare_line_feeds() -> None:
    """A hand-written client that ends its lines with LF alone, and one of HTTP/1.0 without any header."""
    with socket.create_connection(API) as connection:
        asked = b"GET /api/v1/customers/1 HTTP/1.1\nHost: api.example\nConnection: close\n\n"
        conversation(connection, asked, b"never")
    with socket.create_connection(API) as connection:
        conversation(connection, b"GET /api/v1/customers/2 HTTP/1.0\r\n\r\n", b"never")


def byte_by_byte() -> None:
    """A request of which every byte travels in its own segment."""
    with socket.create_connection(API) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /api/v1/customers/3 HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        conversation(connection, b"", b"never")


def chunked_upload() -> None:
    """A body of unknown length up, chunked bodies with trailers down, on one connection."""
    connection = http.client.HTTPConnection(*API)
    for count in (1, 30):
        connection.request("POST", "/upload", (b"part %d " % n * 50 for n in range(count)), AGENT, encode_chunked=True)
        connection.getresponse().read()
        connection.request("GET", "/stream", headers=AGENT)
        connection.getresponse().read()
    connection.close()


def tunnels() -> None:
    """CONNECT and Upgrade: what follows is not HTTP, though some of it looks like requests."""
    for opening, start in (
        (b"CONNECT upstream.example:443 HTTP/1.1\r\nHost: upstream.example:443\r\n\r\n", b"\0\0"),
        (
            b"GET /live HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n",
            b"",
        ),
    ):
        with socket.create_connection(API) as connection:
            conversation(connection, opening, b"\r\n\r\n")
            for number in range(5):
                said = start + b"GET /inside/%d HTTP/1.1\r\nHost: not.http\r\n\r\n" % number
                conversation(connection, said, said)


def websocket(way: str) -> None:
    """One WebSocket: a text that comes back in pieces, bytes that come back doubled; closed, or closed by the server
    when `asked` to, or `dropped` without a word.
    """
    compression = "deflate" if way == "compressed" else None
    with connect("ws://10.77.0.100:8765/live?way=" + way, compression=compression, subprotocols=["chat"]) as connection:
        for content in ("hello, is anybody there", bytes(range(256)) * 300, "x" * 1_000, b""):
            connection.send(content)
            connection.recv()
        connection.ping(b"still there").wait()
        if way == "asked":
            connection.send("bye")
            with contextlib.suppress(ConnectionClosed):
                connection.recv()
        elif way == "dropped":
            connection.socket.shutdown(socket.SHUT_RDWR)
        else:
            connection.close(1_001, "going away")


def midstream(path: str) -> None:
    """Eight answers before the recorder listens and eight after, all on one connection; `path` tells when."""
    connection = http.client.HTTPConnection(*API)
    for number in range(16):
        if number == 8:
            Path(path).write_text("half")
            while Path(path).read_text() != "go":
                time.sleep(0.05)
        connection.request("GET", f"/api/v1/customers/{number}", headers=AGENT)
        connection.getresponse().read()
    connection.close()


def _wrong_logins(source: int, names: list[str], then: str | None = None) -> None:
    connection = http.client.HTTPConnection(*API, source_address=(address(source), 0))
    for number, name in enumerate(names):
        form = json.dumps({"username": name, "password": f"guess-{number}"})
        connection.request("POST", "/login", form, AGENT | {"Content-Type": "application/json"})
        connection.getresponse().read()
    if then:
        connection.request("POST", "/login", json.dumps({"username": then, "password": "wonderland"}),
                           AGENT | {"Content-Type": "application/json"})  # fmt: skip
        connection.getresponse().read()
    connection.close()


def few_wrong_logins() -> None:
    """Exactly five wrong passwords, then the right one: a person, six times over, on six addresses and six accounts."""
    together(lambda n: _wrong_logins(n, ["alice" if n == 1 else f"user{n}"] * 5, "alice"), range(1, 7))


def spread_guessing() -> None:
    """Four wrong passwords from each of four addresses, all for the account of one person."""
    together(lambda n: _wrong_logins(n, ["bob"] * 4), range(21, 25))


def stuffing() -> None:
    """One password on each of thirty accounts."""
    _wrong_logins(7, [f"user{number}@example.test" for number in range(30)])


def pages(source: int, first: int, count: int, size: int) -> None:
    """Read `count` pages of the customer list, `size` customers each, uncompressed."""
    connection = http.client.HTTPConnection(*API, source_address=(address(source), 0))
    for page in range(first, first + count):
        connection.request("GET", f"/api/v1/customers?page={page}&per_page={size}", headers=AGENT)
        connection.getresponse().read()
    connection.close()


KNOWN_SECONDS = 35
"""What is usual on an endpoint must have been seen for half a minute before anyone is compared with it."""


def bulk_download() -> None:
    """Nine clients look at a few pages; half a minute later the ninth takes eleven thousand customers."""
    together(lambda n: pages(n, n, 4, 20), range(1, 10))
    time.sleep(KNOWN_SECONDS)
    pages(9, 1, 11, 1000)


def shared_export() -> None:
    """Nine clients take the same large page, and half a minute later the next one: nobody more than the others."""
    together(lambda n: pages(n, 1, 1, 500), range(1, 10))
    time.sleep(KNOWN_SECONDS)
    together(lambda n: pages(n, 2, 1, 600), range(1, 10))


def uptime_monitor() -> None:
    """Polls one closed port again and again, and thirty services that answer: persistent, not a scan."""
    for number in range(40):
        with socket.socket() as probe:
            probe.connect_ex(("10.77.0.101", 9090))
        with socket.create_connection((address(100 + number % 30), 8000)) as open_port:
            conversation(open_port, b"GET /api/v1/customers/1 HTTP/1.0\r\nHost: monitor\r\n\r\n", b"never")


def questions() -> None:
    """UDP both ways and one way: a few names asked of a server that answers, and of one that does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        for number in range(5):
            asking.sendto(b"question %d" % number, ("10.77.0.100", 5353))
            asking.recv(2048)
        asking.sendto(b"anyone?", ("10.77.0.102", 5353))


def send_bytes(where: str, port: int, count: int) -> None:
    """So many bytes that no coding makes shorter, to the other end of a tunnel."""
    with socket.create_connection((where, port), 30) as connection:
        connection.sendall(random.Random(count).randbytes(count))


def http2_gets(base: str, *paths: str) -> None:
    """One after the other on one connection of HTTP/2, without an upgrade."""
    with httpx.Client(http1=False, http2=True, headers=AGENT) as client:
        for path in paths:
            client.get(f"{base}/{path}")


def http2_at_once(base: str, number: str) -> None:
    """As many streams of one connection at the same time."""

    async def ask() -> None:
        async with httpx.AsyncClient(http1=False, http2=True, headers=AGENT) as client:
            await client.get(f"{base}/index.html")
            await asyncio.gather(*(client.get(f"{base}/api/v1/customers/{one}") for one in range(int(number))))

    asyncio.run(ask())


if __name__ == "__main__":
    numbers_or_text = [int(text) if text.isdigit() else text for text in sys.argv[2:]]
    globals()[sys.argv[1]](*numbers_or_text)
