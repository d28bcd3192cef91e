"""One capture in the making: the servers, where the files go, and what the servers' own logs say happened.

Goes in: the capture's name. Comes out: NAME.pcap and NAME.expected.jsonl, one line a transaction. The law: what is
expected comes from the servers' logs alone, never from reading the capture.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from . import network

HERE = Path(__file__).parent
NGINX_CONF = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{
    log_format lines escape=json '{{"client":"$remote_addr:$remote_port","server":"$server_addr:$server_port",'
        '"method":"$request_method","uri":"$request_uri","host":"$http_host","user_agent":"$http_user_agent",'
        '"version":"$server_protocol","status_code":$status,"request_body_len":"$http_content_length",'
        '"response_body_len":$body_bytes_sent,"chunked":"$sent_http_transfer_encoding"}}';
    access_log {folder}/nginx.jsonl lines;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    types {{ text/html html; application/javascript js; image/png png; text/css css; }}
    gzip on; gzip_types application/javascript text/css; keepalive_requests 1000;
    server {{
        listen 80; listen [::]:80; listen 8082 http2; root {folder}/www;
        location ~ ^/(api/|login) {{
            proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header Host $http_host;
        }}
        location = /old {{ return 301 /index.html; }}
    }}
}}
"""


class Alert(NamedTuple):
    """An alert that a capture must raise; `entity` is None where its value is a keyed fingerprint."""

    rule: str
    entity_kind: str
    entity: str | None = None


Recorder: TypeAlias = "Callable[[Lab], None]"


class Capture(NamedTuple):
    """What a capture shows and must raise. `compare` says which halves of its transactions the mirror showed."""

    shows: str
    alerts: tuple[Alert, ...]
    compare: str
    record: Recorder


CAPTURES: dict[str, Capture] = {}
"""By name, in the order of the manifest; filled by the decorator below when the files with captures are imported."""


def capture(shows: str, *alerts: Alert, compare: str = "both") -> Callable[[Recorder], Recorder]:
    """The decorated function records the capture of its name."""

    def enter(record: Recorder) -> Recorder:
        CAPTURES[record.__name__.replace("_", "-")] = Capture(shows, alerts, compare, record)
        return record

    return enter


class Lab:
    """Where one scenario puts its files; `extra` is what only the recording could tell the manifest."""

    def __init__(self, name: str, pcaps: Path, folder: Path) -> None:
        self.pcap, self.folder = pcaps / f"{name}.pcap", folder
        self.expected_path = pcaps / f"{name}.expected.jsonl"
        self.api_log, self.nginx_log = folder / "api.jsonl", folder / "nginx.jsonl"
        self.extra: dict[str, Any] = {}

    def client(self, function: str, *arguments: object, host: str = "clients") -> None:
        """Run one function of clients.py to its end."""
        network.run(sys.executable, str(HERE / "clients.py"), function, *map(str, arguments), host=host, timeout=120)

    @contextlib.contextmanager
    def servers(self) -> Iterator[None]:
        """The Python API on port 8000 of every address and nginx on port 80, ready when the block begins."""
        for log in (self.api_log, self.nginx_log):
            log.write_text("")
        self._write_site()
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=self.folder))
        api = (sys.executable, str(HERE / "api_server.py"), str(self.api_log), "0.0.0.0,8000", "::,8000")
        with network.started(*api, host="server"), network.started("nginx", "-c", str(conf), host="server"):
            for port in (80, 8000):
                network.wait_for(f"port {port}", lambda port=port: self._answers(port))
            for log in (self.api_log, self.nginx_log):
                network.wait_for("the first log line", lambda log=log: log.stat().st_size)
                log.write_text("")
            yield

    def _answers(self, port: int) -> bool:
        asked = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://10.77.0.100:{port}/index.html")
        status = network.run(*asked, host="server", check=False)
        return status.strip() in ("200", "404")

    def _write_site(self) -> None:
        www = self.folder / "www"
        www.mkdir(exist_ok=True)
        (www / "index.html").write_text("<!doctype html><title>Shop</title><script src=app.js></script>" * 4)
        (www / "app.js").write_text("".join(f"export const row{n} = {n * n};\n" for n in range(900)))
        (www / "app.css").write_text("".join(f".c{n} {{ color: #{n:06x}; }}\n" for n in range(300)))
        (www / "logo.png").write_bytes(bytes(n * n * 31 % 251 for n in range(12_000)))

    def transactions(self) -> list[dict[str, Any]]:
        """What the servers logged, without what nginx asked the API for behind the scenes."""
        rows = [json.loads(line) for line in self.api_log.read_text().splitlines()]
        rows = [row for row in rows if not row["client"].startswith("127.")]
        for line in self.nginx_log.read_text().splitlines():
            row = json.loads(line)
            row["request_body_len"] = int(row["request_body_len"] or 0)
            row["host"], row["user_agent"] = row["host"] or None, row["user_agent"] or None
            row["version"] = row["version"].replace("2.0", "2")
            if row.pop("chunked") == "chunked":
                row["response_body_len"] = None  # nginx counts the chunk framing too
            for end in ("client", "server"):
                row[end] = row[end].replace("[", "").replace("]", "")
            rows.append(row)
        return rows

    def settle(self) -> list[dict[str, Any]]:
        """The logs as they are once nothing more is written."""
        before = -1
        while before != (size := len(self.transactions())):
            before = size
            os.sched_yield()
        rows = self.transactions()
        self.expected_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return rows
