"""The captures with TLS and WebSocket: nginx and the library websockets, asked by curl and that library.

Goes in: a Lab whose servers run. Comes out: its pcap, and in the manifest what the servers logged of the connections.
The law: as in scenarios.py.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator

from . import network
from .attacks import ATTACKER
from .lab import HERE, Alert, Lab, capture
from .scenarios import curl

TLS_CONF = """
daemon off; pid {folder}/tls.pid; error_log {folder}/tls-error.log; worker_processes 1; user root;
events {{ worker_connections 64; }}
http {{
    log_format lines escape=json '{{"client":"$remote_addr:$remote_port","server":"$server_addr:$server_port",'
        '"server_name":"$ssl_server_name","version":"$ssl_protocol","cipher":"$ssl_cipher",'
        '"next_protocol":"$ssl_alpn_protocol","resumed":"$ssl_session_reused"}}';
    access_log {folder}/tls.jsonl lines;
    client_body_temp_path {folder}/tb; proxy_temp_path {folder}/tp;
    fastcgi_temp_path {folder}/tf; uwsgi_temp_path {folder}/tu; scgi_temp_path {folder}/ts;
    server {{
        listen 8443 ssl http2; root {folder}/www;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:lab:1m;
    }}
}}
"""
SITE = "shop.example:8443"
WEBSOCKET = ("10.77.0.100", "8765")


@contextlib.contextmanager
def _site(lab: Lab) -> Iterator[None]:
    """nginx with TLS on port 8443 of every address, whose log is tls.jsonl."""
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /O=Lab/CN=shop.example -keyout"
    network.run(*made.split(), str(lab.folder / "key.pem"), "-out", str(lab.folder / "cert.pem"))
    conf = lab.folder / "tls.conf"
    conf.write_text(TLS_CONF.format(folder=lab.folder))
    with network.started("nginx", "-c", str(conf), host="server"):
        network.wait_for("port 8443", lambda: ":8443 " in network.run("ss", "-tln", host="server"))
        yield


@capture("curl at nginx over TLS 1.2 and 1.3: files, HTTP/2, a session taken up again, no SNI, a version refused")
def tls_nginx(lab: Lab) -> None:
    found = ("-k", "--resolve", f"{SITE}:10.77.0.100")
    with _site(lab), network.recording(lab.pcap):
        curl(*found, "--tls-max", "1.2", "--http1.1", f"https://{SITE}/index.html")
        curl(*found, "--http1.1", f"https://{SITE}/app.js", f"https://{SITE}/logo.png")
        curl(*found, f"https://{SITE}/app.css")
        for version in ("1.2", "1.3"):  # two connections of one program: the second goes on with the session
            asked = ("--tls-max", version, "--http1.1", "-H", "Connection: close")
            curl(*found, *asked, f"https://{SITE}/app.js", f"https://{SITE}/index.html")
        curl("-k", "https://10.77.0.100:8443/index.html")
        network.run("curl", "-sk", "--tls-max", "1.1", f"https://{SITE}/", *found[1:], host="clients", check=False)
    lab.extra["tls"] = [json.loads(line) for line in (lab.folder / "tls.jsonl").read_text().splitlines()]


@capture("sslscan at nginx: which versions and ciphers it takes", Alert("tls-probing", "client", ATTACKER))
def tls_sslscan(lab: Lab) -> None:
    with _site(lab), network.recording(lab.pcap):
        curl("-k", "https://10.77.0.100:8443/index.html")
        network.run("sslscan", "--no-colour", "10.77.0.100:8443", host="attacker", timeout=120)


@capture("the library websockets at itself: texts in pieces, bytes, pings, with and without compression, closes")
def websockets(lab: Lab) -> None:
    log = lab.folder / "websockets.jsonl"
    server = (sys.executable, str(HERE / "websocket_server.py"), *WEBSOCKET, str(lab.api_log), str(log))
    with network.started(*server, host="server"):
        network.wait_for("port 8765", lambda: ":8765 " in network.run("ss", "-tln", host="server"), seconds=30)
        with network.recording(lab.pcap):
            for way in ("plain", "compressed", "asked", "dropped"):
                lab.client("websocket", way)
        network.wait_for("the last line", lambda: len(log.read_text().splitlines()) == 4)
    lab.extra["websockets"] = [json.loads(line) for line in log.read_text().splitlines()]
