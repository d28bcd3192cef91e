"""The API that the captures show: an ordinary HTTP/1.1 JSON server that logs what it did. Runs inside a namespace.

Goes in: addresses, a log file. Comes out: one JSON line a request: client, server, method, uri, host, user_agent,
status and the body lengths on the wire, as the server counted them. The law: the log says what was sent, not what was
meant.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import socket
import socketserver
import sys
import threading
import urllib.parse
from typing import Any

USERS = {"alice": "wonderland", "admin": "S3cret-77", "bob": "builder"}
CUSTOMERS = 20_000
_log_lock = threading.Lock()


def customer(number: int) -> dict[str, Any]:
    """A made-up customer, always the same for the same number."""
    mark = hashlib.sha256(str(number).encode()).hexdigest()
    email = f"{mark[6:14]}@example.test"
    return {"id": number, "name": f"Customer {mark[:6]}", "email": email, "city": f"Town {mark[14:16]}"}


class Api(http.server.BaseHTTPRequestHandler):
    """GET /api/v1/customers, /api/v1/customers/{id}, /api/v1/reports (Basic) ...; POST /login ...; CONNECT; Upgrade."""

    protocol_version = "HTTP/1.1"
    server_version = "lab-api/1.0"
    disable_nagle_algorithm = True
    log_path = ""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b"\n", b""):
                pass
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _note(self, status: int, request_len: int, response_len: int | None) -> None:
        client, server = self.client_address[:2], self.connection.getsockname()[:2]
        line = {
            "client": f"{client[0]}:{client[1]}", "server": f"{server[0]}:{server[1]}", "method": self.command,
            "uri": self.path, "host": self.headers.get("Host"), "user_agent": self.headers.get("User-Agent"),
            "version": self.request_version, "status_code": status,
            "request_body_len": request_len, "response_body_len": response_len,
        }  # fmt: skip
        with _log_lock, open(self.log_path, "a", encoding="ascii") as log:
            log.write(json.dumps(line) + "\n")

    def _answer(self, status: int, document: Any = None, request_len: int = 0, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        if len(body) > 500 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 6, mtime=0), "gzip"
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        bodyless = self.command == "HEAD" or status in (204, 304)
        if not bodyless:
            self.wfile.write(body)
        self._note(status, request_len, 0 if bodyless else len(body))

    def _chunked(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Rows")
        self.end_headers()
        total = 0
        for number in range(40):
            part = f"row {number}: HTTP/1.1 200 OK is only text here\r\n".encode() * (1 + number % 7)
            self.wfile.write(f"{len(part):x};n={number}\r\n".encode() + part + b"\r\n")
            total += len(part)
        self.wfile.write(b"0\r\nX-Rows: 40\r\n\r\n")
        self._note(200, 0, total)

    def _until_close(self, rows: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Connection", "close")
        self.end_headers()
        body = b"".join(b"%d;some;row\n" % number for number in range(rows))
        self.close_connection = True
        try:
            self.wfile.write(body)
        except ConnectionError:
            self._note(200, 0, None)
        else:
            self._note(200, 0, len(body))

    def _echo(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._note(status, 0, 0)
        while received := self.connection.recv(4096):
            self.connection.sendall(received)
        self.close_connection = True

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        parts = address.path.strip("/").split("/")
        if self.headers.get("Upgrade"):
            return self._echo(101, Upgrade=self.headers["Upgrade"], Connection="Upgrade")
        if address.path == "/api/v1/customers":
            page, size = int(query.get("page", 1)), min(int(query.get("per_page", 20)), 1000)
            rows = [customer(n) for n in range((page - 1) * size, min(page * size, CUSTOMERS))]
            return self._answer(200, {"page": page, "data": rows})
        if parts[:3] == ["api", "v1", "customers"] and parts[3:] and parts[3].isdigit() and int(parts[3]) < CUSTOMERS:
            return self._answer(200, customer(int(parts[3])))
        if address.path == "/api/v1/catalogue":
            if self.headers.get("If-None-Match") == '"7"':
                return self._answer(304, ETag='"7"')
            items = [{"sku": f"A{number}", "cents": number * 37 % 9000} for number in range(60)]
            return self._answer(200, {"items": items}, ETag='"7"')
        if address.path == "/api/v1/reports":
            return self._report()
        if address.path == "/stream":
            return self._chunked()
        if address.path == "/export.csv":
            return self._until_close(int(query.get("rows", 3000)))
        return self._answer(404, {"error": "no such resource"})

    do_HEAD = do_GET

    def _report(self) -> None:
        scheme, _, secret = self.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(secret if scheme == "Basic" else b"").decode().partition(":")
        if USERS.get(name, "") != password or not name:
            return self._answer(401, {"error": "who are you?"}, WWW_Authenticate='Basic realm="reports"')
        return self._answer(200, {"reports": ["2026-10", "2026-11"]})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/login":
            is_json = "json" in self.headers.get("Content-Type", "")
            fields = json.loads(body) if is_json else dict(urllib.parse.parse_qsl(body.decode()))
            if USERS.get(fields.get("username", "")) == fields.get("password"):
                return self._answer(200, {"token": "t-" + hashlib.sha256(body).hexdigest()}, len(body))
            return self._answer(401 if is_json else 403, {"error": "invalid credentials"}, len(body))
        if self.path == "/api/v1/orders":
            return self._answer(201, {"order": len(body)}, len(body), Location="/api/v1/orders/4711")
        return self._answer(200, {"stored": len(body)}, len(body))

    do_PUT = do_PATCH = do_POST

    def do_DELETE(self) -> None:
        self._answer(204)

    def do_CONNECT(self) -> None:
        self._echo(200)

    def log_message(self, format: str, *arguments: object) -> None:
        """The log above is the only one."""


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One thread a connection; IPv6 when the address is one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Api, bind_and_activate=False)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.server_bind()
        self.server_activate()


def main(log_path: str, *addresses: str) -> None:
    """Serve on every `address,port` until killed."""
    Api.log_path = log_path
    servers = [Server(address, int(port)) for address, port in (text.split(",") for text in addresses)]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
