"""Every capture that is recorded from real programs: what it shows, how, and which alerts belong to it.

Goes in: a Lab whose servers run. Comes out: its pcap. The law: real programs on real sockets; the expectation is the servers' log.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import network
from .lab import HERE, Lab, Scenario

API = "http://10.77.0.100:8000"
NGINX = "http://10.77.0.100"
SCANNER, ATTACKER = "10.77.9.6", "10.77.9.6"


def curl(*arguments: str, host: str = "clients") -> None:
    network.run("curl", "-s", "-o", "/dev/null", "--max-time", "20", *arguments, host=host)


def api_keepalive(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse_all")


def nginx_browsing(lab: Lab) -> None:
    with network.recording(lab.pcap):
        curl(f"{NGINX}/index.html", f"{NGINX}/app.js", f"{NGINX}/logo.png", f"{NGINX}/missing.ico", f"{NGINX}/old")
        curl("--compressed", f"{NGINX}/app.js", f"{NGINX}/app.css")
        curl("-I", f"{NGINX}/logo.png", f"{NGINX}/index.html")
        curl("-r", "100-299", f"{NGINX}/logo.png")
        curl("-z", "2100-01-01", f"{NGINX}/index.html")
        lab.client("urllib_gets", NGINX, "/index.html", "/api/v1/customers?page=2", "/api/v1/customers/x")
        lab.client("browse", 3, NGINX)


def ipv6(lab: Lab) -> None:
    with network.recording(lab.pcap):
        curl("-6", "http://[fd77::100]:8000/api/v1/customers/1", "http://[fd77::100]:8000/api/v1/catalogue")
        curl("-6", "--compressed", "http://[fd77::100]/app.js")
        lab.client("urllib_gets", "http://[fd77::100]:8000", "/api/v1/customers?page=3", "/nothing")


def pipelining(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("pipelining")


def bare_line_feeds(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("bare_line_feeds")
        lab.client("byte_by_byte")


def continue_100(lab: Lab) -> None:
    body = lab.folder / "body.bin"
    body.write_bytes(bytes(range(256)) * 80)
    with network.recording(lab.pcap):
        curl("-H", "Expect: 100-continue", "--data-binary", f"@{body}", f"{API}/upload", f"{API}/upload")
        curl("-H", "Expect: 100-continue", "-T", str(body), f"{API}/api/v1/orders/4711")


def chunked(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("chunked_upload")


def until_close(lab: Lab) -> None:
    with network.recording(lab.pcap):
        curl(f"{API}/export.csv")
        curl("-0", f"{API}/api/v1/customers/5")
        curl("-0", f"{API}/export.csv")


def connect_upgrade(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("tunnels")


def dead_peer(lab: Lab) -> None:
    with network.recording(lab.pcap):
        network.run("curl", "-s", "-o", "/dev/null", "http://10.77.0.100:9090/", host="clients", check=False)
        network.run("curl", "-s", "-o", "/dev/null", "--limit-rate", "1k", "--max-time", "1", f"{API}/export.csv?rows=200000",
                    host="clients", check=False)  # fmt: skip


def udp_icmp(lab: Lab) -> None:
    with network.recording(lab.pcap, expression="udp or icmp or icmp6"):
        answering = ("import socket; s=socket.socket(2,2); s.bind(('10.77.0.100',5353))\n"
                     "while True: m,a=s.recvfrom(99); s.sendto(b'answer to '+m,a)")  # fmt: skip
        with network.started(sys.executable, "-c", answering, host="server"):
            network.wait_for("the UDP port", lambda: ":5353" in network.run("ss", "-uln", host="server"))
            lab.client("questions")
        network.run("ping", "-c", "3", "-i", "0.2", "10.77.0.100", host="clients")
        network.run("ping", "-c", "2", "-i", "0.2", "fd77::100", host="clients")


def nanoseconds(lab: Lab) -> None:
    with network.recording(lab.pcap, "--time-stamp-precision=nano"):
        lab.client("browse", 2)


def cooked(lab: Lab, link_type: str) -> None:
    with network.recording(lab.pcap, "-y", link_type, device="any", host="clients"):
        lab.client("browse", 4)


def snaplen(lab: Lab) -> None:
    with network.recording(lab.pcap, "-s", "128"):
        lab.client("bulk_download")


def one_direction(lab: Lab, direction: str) -> None:
    with network.recording(lab.pcap, expression=f"tcp and {direction} net 10.77.0.100/32"):
        lab.client("pages", 5, 1, 6, 20)
        lab.client("urllib_gets", API, "/api/v1/customers/7", "/stream", "/nothing")


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


def few_wrong_logins(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("few_wrong_logins")


def spread_guessing(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 6)
        lab.client("spread_guessing")


def stuffing(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 6)
        lab.client("stuffing")


def hydra_form(lab: Lab) -> None:
    words = lab.folder / "words"
    words.write_text("".join(f"password{n}\n" for n in range(60)) + "S3cret-77\n")
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        network.run("hydra", "-l", "admin", "-P", str(words), "-t", "4", "-I", "-f", "-s", "8000", "10.77.0.100", "http-post-form",
                    "/login:username=^USER^&password=^PASS^:invalid credentials", host="attacker", check=False)  # fmt: skip
        lab.client("browse", 2)


def hydra_basic(lab: Lab) -> None:
    words = lab.folder / "words"
    words.write_text("".join(f"password{n}\n" for n in range(30)))
    with network.recording(lab.pcap):
        network.run("hydra", "-l", "admin", "-P", str(words), "-t", "4", "-I", "-s", "8000", "10.77.0.100", "http-get",
                    "/api/v1/reports", host="attacker", check=False)  # fmt: skip
        lab.client("browse", 2)


def nmap_syn(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        network.run("nmap", "-n", "-Pn", "-sS", "-p", "1-400", "-T4", "10.77.0.100", host="attacker")


def nmap_connect(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        network.run("nmap", "-n", "-Pn", "-sT", "-p", "3389", "-T4", "10.77.0.100-129", host="attacker")


def bulk_download(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("bulk_download")


def shared_export(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("shared_export")


def uptime_monitor(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("uptime_monitor")


def over_wire(lab: Lab, seed: int, **faults: float) -> None:
    """The clients reach the server through wire.py instead of the bridge; its mirror port is what is recorded."""
    command = (sys.executable, str(HERE / "wire.py"), str(lab.pcap), str(seed), network.namespace("clients"), network.namespace("server"),
               *(f"{key}={value}" for key, value in faults.items()))  # fmt: skip
    lab.pcap.unlink(missing_ok=True)
    lost = lab.pcap.with_suffix(".lost")
    with network.started(*command, host=network.BRIDGE):
        network.wait_for("the wire", lambda: lab.pcap.exists() and lab.pcap.stat().st_size >= 24)
        for host, address in (("clients", "10.78.0.3/24"), ("server", "10.78.0.100/24")):
            network.run("ip", "addr", "add", address, "dev", "wire0", host=host)
            network.run("ip", "link", "set", "wire0", "addrgenmode", "none", "up", host=host)
        curl(*(f"http://10.78.0.100:8000/api/v1/customers?page={page}&per_page=300" for page in range(1, 5)))
        curl(*(f"http://10.78.0.100:8000/api/v1/customers/{number}" for number in range(60)))
        curl("-d", "@" + str(Path(lab.folder / "www" / "app.js")), "http://10.78.0.100:8000/upload", "http://10.78.0.100:8000/stream")
        network.wait_for("the closing segments", lambda: "10.78" not in network.run("ss", "-tn", host="clients"))
    lab.extra["lost_heads"] = len(lost.read_bytes())
    lost.unlink()


SCAN_ALERT = ("port-scan", "client", SCANNER)
_ = [
    Scenario("api-keepalive", "six shop customers, one keep-alive connection each: login, lists, orders, 404, HEAD, 304, gzip", api_keepalive),
]
SCENARIOS = {scenario.name: scenario for scenario in [
    *_,
    Scenario("nginx-browsing", "curl, urllib and requests at nginx: static files, gzip in chunks, ranges, 301, 304, HEAD, proxied API", nginx_browsing),
    Scenario("ipv6", "the same API over IPv6, Python server and nginx", ipv6),
    Scenario("pipelining", "eleven requests sent without waiting, one of them HEAD, one body that looks like a request", pipelining),
    Scenario("bare-line-feeds", "lines that end in LF alone, HTTP/1.0, and a request sent byte by byte", bare_line_feeds),
    Scenario("continue-100", "uploads that wait for 100 Continue", continue_100),
    Scenario("chunked", "chunked bodies both ways, with extensions and trailers, and text like a status line inside", chunked),
    Scenario("until-close", "bodies that end with the connection, HTTP/1.0 and 1.1", until_close),
    Scenario("connect-upgrade", "CONNECT and a WebSocket upgrade, then bytes that look like requests but are not", connect_upgrade),
    Scenario("dead-peer", "a refused connection, and a download that the client gives up", dead_peer),
    Scenario("udp-icmp", "UDP answered and unanswered, pings over IPv4 and IPv6", udp_icmp),
    Scenario("nanoseconds", "a customer's minute with nanosecond time stamps", nanoseconds),
    Scenario("cooked-sll", "a customer's minute as `tcpdump -i any` writes it, cooked version 1", lambda lab: cooked(lab, "LINUX_SLL")),
    Scenario("cooked-sll2", "a customer's minute as `tcpdump -i any` writes it, cooked version 2", lambda lab: cooked(lab, "LINUX_SLL2")),
    Scenario("snaplen-128", "the bulk download again, but only 128 bytes of each frame were kept: lengths stay exact", snaplen,
             alerts=(("bulk-transfer", "client", "10.77.0.9"),)),
    Scenario("requests-only", "a mirror port that shows only what the clients send", lambda lab: one_direction(lab, "dst"),
             extra={"compare": "requests"}),
    Scenario("responses-only", "a mirror port that shows only what the server sends", lambda lab: one_direction(lab, "src"),
             extra={"compare": "responses"}),
    Scenario("midstream", "the recorder came when the connection was half over", midstream),
    Scenario("few-wrong-logins", "six people with exactly five wrong passwords each: nothing to report", few_wrong_logins),
    Scenario("spread-guessing", "one account guessed at from four addresses, four times each", spread_guessing,
             alerts=(("brute-force-account", "account", None),)),
    Scenario("stuffing", "a script tries one password on each of thirty accounts, from one address: 401 every time", stuffing,
             alerts=(("brute-force-login", "client", "10.77.0.7"),)),
    Scenario("hydra-form", "hydra against the form of POST /login: 60 wrong passwords (403) and the right one", hydra_form,
             alerts=(("brute-force-login", "client", ATTACKER), ("brute-force-account", "account", None))),
    Scenario("hydra-basic", "hydra against HTTP Basic: 30 wrong passwords", hydra_basic,
             alerts=(("brute-force-login", "client", ATTACKER), ("brute-force-account", "account", None))),
    Scenario("nmap-syn", "nmap -sS: 400 ports of one server, half-open", nmap_syn, alerts=(SCAN_ALERT,)),
    Scenario("nmap-connect", "nmap -sT: one port of thirty servers", nmap_connect, alerts=(SCAN_ALERT,)),
    Scenario("bulk-download", "nine clients read the customer list; one takes eleven thousand customers", bulk_download,
             alerts=(("bulk-transfer", "client", "10.77.0.9"),)),
    Scenario("shared-export", "six clients take the same large pages: nobody stands out", shared_export),
    Scenario("uptime-monitor", "a monitor polls one closed port forty times and thirty services that answer: no scan", uptime_monitor),
    Scenario("lossy-network", "the network loses 3 % and swaps 5 % of the frames: retransmissions, out of order", lambda lab: over_wire(
        lab, 5, network_loss=0.03, network_swap=0.05)),
    Scenario("lossy-mirror", "the mirror port loses 3 % of the frames that the hosts received: gaps", lambda lab: over_wire(
        lab, 6, mirror_loss=0.03)),
    Scenario("doubled-mirror", "a third of the frames come out of the mirror port twice, in VLAN 77", lambda lab: over_wire(
        lab, 7, mirror_copy=0.33, vlan=77)),
]}  # fmt: skip
