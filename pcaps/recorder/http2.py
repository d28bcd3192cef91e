"""The captures with HTTP/2 in clear: nginx, hypercorn and grpcio, asked by curl and grpcio.

Goes in: a Lab whose servers run. Comes out: its pcap. The law: as in scenarios.py.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from . import network
from .lab import HERE, Lab, capture
from .scenarios import curl

NGINX = "http://10.77.0.100:8082"
UPGRADING = "10.77.0.100:8083"
GRPC = "10.77.0.100:50051"


@contextlib.contextmanager
def _serving(lab: Lab, script: str, *arguments: str, port: str) -> Iterator[None]:
    """A server of this folder, listening when the block begins; it logs where the API does."""
    with network.started(sys.executable, str(HERE / script), *arguments, host="server"):
        number = port.rpartition(":")[2]
        network.wait_for(port, lambda: f":{number} " in network.run("ss", "-tln", host="server"), seconds=30)
        yield


@capture("curl and httpx at nginx over HTTP/2 with prior knowledge: files, HEAD, ranges, 404, a form, twelve at once")
def http2_nginx(lab: Lab) -> None:
    known = "--http2-prior-knowledge"
    with network.recording(lab.pcap):
        curl(known, f"{NGINX}/app.js")
        curl(known, "-I", f"{NGINX}/logo.png")
        curl(known, "-r", "100-299", f"{NGINX}/logo.png")
        curl(known, "-d", f"@{lab.folder / 'www' / 'app.css'}", f"{NGINX}/api/v1/nothing?page=2")
        lab.client("http2_gets", NGINX, "index.html", "app.js", "logo.png", "missing.ico", "old", "index.html")
        lab.client("http2_at_once", NGINX, 12)


@capture("curl upgrades from HTTP/1.1 to HTTP/2 at hypercorn, httpx needs no upgrade: lists, large bodies, an upload")
def http2_upgrade(lab: Lab) -> None:
    url = f"http://{UPGRADING}"
    with _serving(lab, "http2_server.py", str(lab.api_log), UPGRADING, port=UPGRADING), network.recording(lab.pcap):
        for path in ("items/3", "status/404", "big/16000", "items/25?page=2"):
            curl("--http2", f"{url}/{path}")
        curl("--http2", "-I", f"{url}/items/9")
        curl("--http2-prior-knowledge", "-T", str(lab.folder / "www" / "app.js"), f"{url}/upload")
        lab.client("http2_gets", url, "items/250?page=2", "big/200000", "status/204", "hello", "items/1")


@capture("gRPC calls: one for one, one for many, many for one, both at a time, not found, twenty at once")
def grpc_calls(lab: Lab) -> None:
    script = ("grpc_calls.py", "server", GRPC, str(lab.api_log))
    with _serving(lab, *script, port=GRPC), network.recording(lab.pcap):
        network.run(sys.executable, str(HERE / "grpc_calls.py"), "client", GRPC, host="clients", timeout=60)
