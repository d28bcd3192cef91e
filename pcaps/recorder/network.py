"""A small network of namespaces with one recorder. Goes in: addresses. Comes out: a pcap file of what the hosts said.

    clients (10.77.0.1-30, fd77::1)  --\\
                                        bridge (tcpdump listens here)
    attacker (10.77.9.x, fd77::9:6)  --/    \\-- server (10.77.0.100-129, fd77::100)

The law: nothing touches the machine's own network, and everything made here is gone at the end, whatever happened.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HOSTS = {
    "clients": [f"10.77.0.{n}/16" for n in range(1, 31)] + ["fd77::1/64"],
    "attacker": ["10.77.9.6/16", "10.77.9.7/16", "fd77::9:6/64"],
    "server": [f"10.77.0.{n}/16" for n in range(100, 130)] + ["fd77::100/64"],
}
BRIDGE = "bridge"
TOOLS = ("ip", "ethtool", "tcpdump", "nginx", "curl", "nmap", "hydra", "sslscan", "ping", "ss")


def namespace(host: str) -> str:
    """The namespace's name on this machine; prefixed so that it meets nobody else's."""
    return f"tapir-record-{host}"


def run(*command: str, host: str | None = None, timeout: float = 60, check: bool = True) -> str:
    """Run to the end, inside a host when one is named; its standard output."""
    prefix = ("ip", "netns", "exec", namespace(host)) if host else ()
    done = subprocess.run((*prefix, *command), capture_output=True, encoding="utf-8", errors="replace",
                          timeout=timeout, check=False)  # fmt: skip
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextlib.contextmanager
def started(
    *command: str, host: str, stop: int = signal.SIGTERM, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs inside `host` as long as the block does."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(("ip", "netns", "exec", namespace(host), *command), stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.send_signal(stop)
            process.wait(10)


def _add_host(host: str, addresses: Sequence[str]) -> None:
    run("ip", "netns", "add", namespace(host))
    inside, outside = "eth0", f"to-{host}"
    run("ip", "link", "add", "name", outside, "netns", namespace(BRIDGE), "type", "veth",
        "peer", "name", inside, "netns", namespace(host))  # fmt: skip
    # Frames as a switch would show them: no segmentation left to the other end of the cable.
    run("ethtool", "-K", inside, "tso", "off", "gso", "off", "gro", "off", "tx", "off", host=host, check=False)
    for address in addresses:
        run("ip", "addr", "add", address, "dev", inside, *(["nodad"] if ":" in address else []), host=host)
    run("ip", "link", "set", "lo", "up", host=host)
    run("ip", "link", "set", inside, "up", host=host)
    run("ip", "link", "set", outside, "master", "br0", "up", host=BRIDGE)


@contextlib.contextmanager
def network() -> Iterator[None]:
    """All hosts on one bridge, taken down again at the end."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise SystemExit(f"recording needs these programs, which are not installed: {' '.join(missing)}")
    everyone = [BRIDGE, *HOSTS]
    try:
        run("ip", "netns", "add", namespace(BRIDGE))
        run("ip", "link", "add", "name", "br0", "type", "bridge", host=BRIDGE)
        run("ip", "link", "set", "br0", "up", host=BRIDGE)
        for host, addresses in HOSTS.items():
            _add_host(host, addresses)
        wait_for("a path to the server", lambda: "1 received" in run(
            "ping", "-c1", "-W1", "10.77.0.100", host="clients", check=False))  # fmt: skip
        yield
    finally:
        for host in everyone:
            run("ip", "netns", "del", namespace(host), check=False)


def wait_for(what: str, reached: Callable[[], object], seconds: float = 10) -> None:
    """Poll until `reached()` is true; TimeoutError naming `what` otherwise."""
    until = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def recording(
    path: Path, *options: str, device: str = "br0", host: str = BRIDGE, expression: str = "tcp"
) -> Iterator[None]:
    """tcpdump writes what passes `device` of `host` to `path` while the block runs, all of it, in order."""
    log = path.with_suffix(".tcpdump")
    command = ("tcpdump", "-i", device, "-w", str(path), "-U", "--immediate-mode", "-B", "32768", "-s", "2048",
               "-Z", "root", *options, expression)  # fmt: skip
    with started(*command, host=host, stop=signal.SIGINT, log=log):
        wait_for("tcpdump to listen", lambda: b"listening on" in log.read_bytes())
        yield
        size = -1
        while size != (size := path.stat().st_size):  # the last frames have arrived when the file no longer grows
            time.sleep(0.3)
    text = log.read_text()
    log.unlink()
    if "0 packets dropped by kernel" not in text:
        raise RuntimeError(f"tcpdump lost packets: {text}")
