"""The captures that must raise alerts, each with a twin of ordinary use that must raise none.

Goes in: a Lab whose servers run. Comes out: its pcap. The law: a real tool attacks; whom to blame is known before.
"""

from __future__ import annotations

from . import network
from .lab import Alert, Lab, capture

ATTACKER = "10.77.9.6"
BULK = Alert("bulk-transfer", "client", "10.77.0.9")
ACCOUNT = Alert("brute-force-account", "account")


def _words(lab: Lab, count: int, *right: str) -> str:
    path = lab.folder / "words"
    path.write_text("".join(f"password{number}\n" for number in range(count)) + "".join(f"{word}\n" for word in right))
    return str(path)


def _hydra(*arguments: str) -> None:
    network.run("hydra", "-l", "admin", "-t", "4", "-I", "-s", "8000", *arguments, host="attacker", check=False)


@capture("six people with exactly five wrong passwords each, then the right one: nothing to report")
def few_wrong_logins(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("few_wrong_logins")


@capture("one account guessed at from four addresses, four times each", ACCOUNT)
def spread_guessing(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 6)
        lab.client("spread_guessing")


@capture(
    "a script tries one password on each of thirty accounts, from one address: 401 every time",
    Alert("brute-force-login", "client", "10.77.0.7"),
    Alert("password-spraying", "client", "10.77.0.7"),
)
def stuffing(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 6)
        lab.client("stuffing")


@capture(
    "hydra at the form of POST /login: 60 wrong passwords (403) and the right one",
    Alert("brute-force-login", "client", ATTACKER),
    Alert("scanner-software", "client", ATTACKER),
    ACCOUNT,
)
def hydra_form(lab: Lab) -> None:
    form = "/login:username=^USER^&password=^PASS^:invalid credentials"
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        _hydra("-P", _words(lab, 60, "S3cret-77"), "-f", "10.77.0.100", "http-post-form", form)
        lab.client("browse", 2)


@capture(
    "hydra at HTTP Basic: 30 wrong passwords",
    Alert("brute-force-login", "client", ATTACKER),
    Alert("scanner-software", "client", ATTACKER),
    ACCOUNT,
)
def hydra_basic(lab: Lab) -> None:
    with network.recording(lab.pcap):
        _hydra("-P", _words(lab, 30), "10.77.0.100", "http-get", "/api/v1/reports")
        lab.client("browse", 2)


@capture("nmap -sS: 400 ports of one server, half-open", Alert("port-scan-vertical", "client", ATTACKER))
def nmap_syn(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        network.run("nmap", "-n", "-Pn", "-sS", "-p", "1-400", "-T4", "10.77.0.100", host="attacker")


@capture("nmap -sT: one port of thirty servers", Alert("port-scan-horizontal", "client", ATTACKER))
def nmap_connect(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        network.run("nmap", "-n", "-Pn", "-sT", "-p", "3389", "-T4", "10.77.0.100-129", host="attacker")


@capture("nmap -sA: 200 ports of one server, ACKs of no connection", Alert("port-scan-vertical", "client", ATTACKER))
def nmap_ack(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("browse", 1)
        network.run("nmap", "-n", "-Pn", "-sA", "-p", "1-200", "-T4", "10.77.0.100", host="attacker")


@capture("a monitor polls one closed port forty times and thirty services that answer: no scan")
def uptime_monitor(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("uptime_monitor")


@capture("nine clients read the customer list; later one of them takes eleven thousand customers", BULK)
def bulk_download(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("bulk_download")


@capture("the bulk download with only 256 bytes kept of each frame: lengths stay exact", BULK)
def snaplen_256(lab: Lab) -> None:
    with network.recording(lab.pcap, "-s", "256"):
        lab.client("bulk_download")


@capture("nine clients take the same large pages: much, but nobody stands out")
def shared_export(lab: Lab) -> None:
    with network.recording(lab.pcap):
        lab.client("shared_export")
