"""The captures that show traffic and how mirrors spoil it; attacks.py has those that must raise alerts, and twins.

Goes in: a Lab whose servers run. Comes out: its pcap. The law: real programs on real sockets; their log is expected.
"""

from __future__ import annotations

import sys

from . import network
from .lab import HERE, Lab, capture

API = "http://10.77.0.100:8000"
NGINX = "http://10.77.0.100"


def curl(*arguments: str, host: str = "clients") -> None:
    network.run("curl", "-s", "-o", "/dev/null", "--max-time", "20", *arguments, host=host)


@capture("six shop customers, one keep-alive connection each: login, lists, orders, 404, HEAD, 304, gzip")
def api_keepalive(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse_all")


@capture("curl, urllib and requests at nginx: files, gzip in chunks, ranges, 301, 304, HEAD, an API behind it")
def nginx_browsing(lab: Lab) -> None:
    with network.recording(lab.pcap):
        curl(*(f"{NGINX}/{path}" for path in ("index.html", "app.js", "logo.png", "missing.ico", "old")))
        curl("--compressed", f"{NGINX}/app.js", f"{NGINX}/app.css")
        curl("-I", f"{NGINX}/logo.png", f"{NGINX}/index.html")
        curl("-r", "100-299", f"{NGINX}/logo.png")
        curl("-z", "2100-01-01", f"{NGINX}/index.html")
        lab.client("urllib_gets", NGINX, "/index.html", "/api/v1/customers?page=2", "/api/v1/customers/x")
        lab.client("browse", 3, NGINX)


@capture("the same API over IPv6, Python server and nginx")
def ipv6(lab: Lab) -> None:
    with network.recording(lab.pcap):
        curl("-6", "http://[fd77::100]:8000/api/v1/customers/1", "http://[fd77::100]:8000/api/v1/catalogue")
        curl("-6", "--compressed", "http://[fd77::100]/app.js")
        lab.client("urllib_gets", "http://[fd77::100]:8000", "/api/v1/customers?page=3", "/nothing")


@capture("eleven requests sent without waiting, one of them HEAD, one with a body that looks like a request")
def pipelining(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("pipelining")


@capture("lines that end in LF alone, HTTP/1.0, and a request sent byte by byte")
def bare_line_feeds(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("bare_line_feeds")
        lab.client("byte_by_byte")


@capture("uploads that wait for 100 Continue")
def continue_100(lab: Lab) -> None:
    body = lab.folder / "body.bin"
    body.write_bytes(bytes(range(256)) * 80)
    with network.recording(lab.pcap):
        curl("-H", "Expect: 100-continue", "--data-binary", f"@{body}", f"{API}/upload", f"{API}/upload")
        curl("-H", "Expect: 100-continue", "-T", str(body), f"{API}/api/v1/orders/4711")


@capture("chunked bodies both ways, with extensions and trailers, and text like a status line inside")
def chunked(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("chunked_upload")


@capture("bodies that end with the connection, HTTP/1.0 and 1.1")
def until_close(lab: Lab) -> None:
    with network.recording(lab.pcap):
        curl(f"{API}/export.csv")
        curl("-0", f"{API}/api/v1/customers/5")
        curl("-0", f"{API}/export.csv")


@capture("CONNECT and a WebSocket upgrade, then bytes that look like requests but are not")
def connect_upgrade(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("tunnels")


@capture("a refused connection, and a download that the client gives up")
def dead_peer(lab: Lab) -> None:
    quiet = ("curl", "-s", "-o", "/dev/null")
    with network.recording(lab.pcap):
        network.run(*quiet, "http://10.77.0.100:9090/", host="clients", check=False)
        network.run(*quiet, "--limit-rate", "1k", "--max-time", "1", f"{API}/export.csv?rows=200000",
                    host="clients", check=False)  # fmt: skip


@capture("UDP answered and unanswered, pings over IPv4 and IPv6")
def udp_icmp(lab: Lab) -> None:
    answering = (
        "import socket; s = socket.socket(2, 2); s.bind(('10.77.0.100', 5353))\n"
        "while True: text, who = s.recvfrom(99); s.sendto(b'answer to ' + text, who)"
    )
    with network.recording(lab.pcap, expression="udp or icmp or icmp6"):
        with network.started(sys.executable, "-c", answering, host="server"):
            network.wait_for("the UDP port", lambda: ":5353" in network.run("ss", "-uln", host="server"))
            lab.client("questions")
        network.run("ping", "-c", "3", "-i", "0.2", "10.77.0.100", host="clients")
        network.run("ping", "-c", "2", "-i", "0.2", "fd77::100", host="clients")


@capture("a customer's minute with nanosecond time stamps")
def nanoseconds(lab: Lab) -> None:
    with network.recording(lab.pcap, "--time-stamp-precision=nano"):
        lab.client("browse", 2)


@capture("a customer's minute as `tcpdump -i any` writes it, cooked version 1")
def cooked_sll(lab: Lab) -> None:
    with network.recording(lab.pcap, "-y", "LINUX_SLL", device="any", host="clients"):
        lab.client("browse", 4)


@capture("a customer's minute as `tcpdump -i any` writes it, cooked version 2")
def cooked_sll2(lab: Lab) -> None:
    with network.recording(lab.pcap, "-y", "LINUX_SLL2", device="any", host="clients"):
        lab.client("browse", 4)


def _one_direction(lab: Lab, direction: str) -> None:
    with network.recording(lab.pcap, expression=f"tcp and {direction} net 10.77.0.100/32"):
        lab.client("pages", 5, 1, 6, 20)
        lab.client("urllib_gets", API, "/api/v1/customers/7", "/stream", "/nothing")


@capture("a mirror port that shows only what the clients send", compare="requests")
def requests_only(lab: Lab) -> None:
    _one_direction(lab, "dst")


@capture("a mirror port that shows only what the server sends", compare="responses")
def responses_only(lab: Lab) -> None:
    _one_direction(lab, "src")


@capture("the recorder came when the connection was half over")
def midstream(lab: Lab) -> None:
    mark = lab.folder / "half"
    mark.write_text("")
    client = (sys.executable, str(HERE / "clients.py"), "midstream", str(mark))
    with network.started(*client, host="clients") as process:
        network.wait_for("the first half", lambda: mark.read_text() == "half")
        with network.recording(lab.pcap):
            mark.write_text("go")
            process.wait(20)
    lines = lab.api_log.read_text().splitlines(keepends=True)
    lab.api_log.write_text("".join(lines[8:]))


def _over_wire(lab: Lab, seed: int, **faults: float) -> None:
    """The clients reach the server through wire.py instead of the bridge; its mirror port is what is recorded."""
    ends = (network.namespace("clients"), network.namespace("server"))
    settings = (f"{key}={value}" for key, value in faults.items())
    command = (sys.executable, str(HERE / "wire.py"), str(lab.pcap), str(seed), *ends, *settings)
    lab.pcap.unlink(missing_ok=True)
    lost, server = lab.pcap.with_suffix(".lost"), "http://10.78.0.100:8000"
    with network.started(*command, host=network.BRIDGE):
        network.wait_for("the wire", lambda: lab.pcap.exists() and lab.pcap.stat().st_size >= 24)
        for host, address in (("clients", "10.78.0.3/24"), ("server", "10.78.0.100/24")):
            network.run("ip", "addr", "add", address, "dev", "wire0", host=host)
            network.run("ip", "link", "set", "wire0", "addrgenmode", "none", "up", host=host)
        curl(*(f"{server}/api/v1/customers?page={page}&per_page=300" for page in range(1, 5)))
        curl(*(f"{server}/api/v1/customers/{number}" for number in range(60)))
        curl("-d", f"@{lab.folder / 'www' / 'app.js'}", f"{server}/upload", f"{server}/stream")
        network.wait_for("the closing segments", lambda: "10.78" not in network.run("ss", "-tn", host="clients"))
    lab.extra["lost_heads"] = len(lost.read_bytes())
    lost.unlink()


@capture("the network loses 3 % and swaps 5 % of the frames: retransmissions, out of order")
def lossy_network(lab: Lab) -> None:
    _over_wire(lab, 5, network_loss=0.03, network_swap=0.05)


@capture("the mirror port loses 3 % of the frames that the hosts received: gaps")
def lossy_mirror(lab: Lab) -> None:
    _over_wire(lab, 6, mirror_loss=0.03)


@capture("a third of the frames come out of the mirror port twice, in VLAN 77")
def doubled_mirror(lab: Lab) -> None:
    _over_wire(lab, 7, mirror_copy=0.33, vlan=77)
