"""Any captures, as Tapir and as TShark see them: in: files; out: what only one of them has.

    python -m tests.oracle.against_tshark CAPTURE...

prints for each file in which they differ: requests, answers and which answers which (in clear, as HTTP/1), hellos of
TLS with name and JA3, ids of DNS, and packets by protocol and ports. The law: nothing is explained away here; a person
looks at what is printed.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sensor
from sensor.errors import InputError
from tests.oracle.candidates import SETTINGS

URI_BYTES = 60
_BETWEEN, _AMONG = "\x02", "\x01"
FIELDS = (
    "frame.number", "frame.protocols", "tcp.srcport", "tcp.dstport", "tcp.len", "udp.srcport", "udp.dstport",
    "http.request.method", "http.request.uri", "http.response.code", "http.request_in",
    "tls.handshake.extensions_server_name", "tls.handshake.ja3", "tls.handshake.ja3s", "dns.id",
)  # fmt: skip
Frame = dict[str, list[str]]


class Seen(NamedTuple):
    """What there is, and how often; all of it by the client's port."""

    requests: Counter[Any]
    answers: Counter[Any]
    pairs: Counter[Any]
    hellos: Counter[Any]
    server_hellos: Counter[Any]
    lookups: Counter[Any]
    packets: Counter[Any]


def nothing() -> Seen:
    return Seen(*(Counter() for _ in Seen._fields))


def frames(path: Path, names: Sequence[str] = FIELDS, *options: str) -> list[Frame]:
    """The named fields of each frame, several values of one in order."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", f"separator={_BETWEEN}", "-E", "occurrence=a"]
    command += ["-E", f"aggregator={_AMONG}", *options]
    for name in names:
        command += ["-e", name]
    run = subprocess.run(command, capture_output=True, timeout=120, check=False)
    rows = (line.split(_BETWEEN) for line in run.stdout.decode("latin1").split("\n"))
    return [
        {name: value.split(_AMONG) if value else [] for name, value in zip(names, row, strict=True)}
        for row in rows
        if len(row) == len(names)
    ]


def _ports(first: str, second: str) -> tuple[int, int]:
    low, high = sorted((int(first), int(second)))
    return low, high


def by_tshark(path: Path) -> Seen:
    seen, asked = nothing(), dict[str, tuple[str, str]]()
    for frame in frames(path):
        protocols = frame["frame.protocols"][0].split(":") if frame["frame.protocols"] else []
        if "http" in protocols and "tls" not in protocols and frame["tcp.srcport"]:
            _http(frame, seen, asked)
        source, target = frame["tcp.srcport"] or frame["udp.srcport"], frame["tcp.dstport"] or frame["udp.dstport"]
        if not source or "icmp" in protocols or "icmpv6" in protocols:
            continue
        for mark in frame["tls.handshake.ja3"]:
            seen.hellos[source[-1], (frame["tls.handshake.extensions_server_name"] or [None])[0], mark] += 1
        for mark in frame["tls.handshake.ja3s"]:
            seen.server_hellos[target[-1], mark] += 1
        if not {"dns", "mdns", "llmnr"}.isdisjoint(protocols):
            seen.lookups.update({int(number, 16): 1 for number in frame["dns.id"]})
        seen.packets["tcp" if frame["tcp.srcport"] else "udp", _ports(source[-1], target[-1])] += 1
    return seen._replace(lookups=Counter(dict.fromkeys(seen.lookups, 1)))


def _http(frame: Frame, seen: Seen, asked: dict[str, tuple[str, str]]) -> None:
    methods, uris = frame["http.request.method"], frame["http.request.uri"]
    for method, uri in zip(methods, uris, strict=False):
        seen.requests[frame["tcp.srcport"][-1], method, uri[:URI_BYTES]] += 1
        asked[frame["frame.number"][0]] = method, uri[:URI_BYTES]
    for code in frame["http.response.code"]:
        seen.answers[frame["tcp.dstport"][-1], code] += 1
    if len(frame["http.response.code"]) == len(frame["http.request_in"]) == 1:
        code, request = frame["http.response.code"][0], asked.get(frame["http.request_in"][0])
        if request and not code.startswith("1"):
            seen.pairs[frame["tcp.dstport"][-1], *request, code] += 1


def by_tapir(path: Path) -> Seen:
    """Raises InputError when it cannot be read."""
    capture, seen = sensor.read(path, SETTINGS), nothing()
    for row in capture.transactions.filter(capture.transactions["version"].ne_missing("2")).iter_rows(named=True):
        port, code = str(row["client_port"]), row["status_code"]
        request = row["method"], (row["uri"] or "")[:URI_BYTES]
        if row["method"]:
            seen.requests[port, *request] += 1
        if code:
            seen.answers[port, str(code)] += 1
        if row["method"] and code:
            seen.pairs[port, *request, str(code)] += 1
    for row in capture.tls.iter_rows(named=True):
        if row["ja3"]:
            seen.hellos[str(row["id.orig_p"]), row["server_name"], row["ja3"]] += 1
        if row["ja3s"]:
            seen.server_hellos[str(row["id.orig_p"]), row["ja3s"]] += 1
    seen.lookups.update(dict.fromkeys(capture.dns["trans_id"].to_list(), 1))
    for row in capture.flows.iter_rows(named=True):
        if row["proto"] in ("tcp", "udp"):
            names = ("orig_pkts", "resp_pkts", "orig_dup_pkts", "resp_dup_pkts")
            ports = _ports(row["id.orig_p"], row["id.resp_p"])
            seen.packets[row["proto"], ports] += sum(row[name] for name in names)
    return seen


def differences(path: Path) -> list[str]:
    """A line for each kind of which one has more."""
    found = []
    for name, theirs, mine in zip(Seen._fields, by_tshark(path), by_tapir(path), strict=True):
        for who, more in (("TShark", theirs - mine), ("Tapir", mine - theirs)):
            if more:
                found.append(f"{name}: {more.total()} only by {who}: {list(more.items())[:4]}")
    return found


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        try:
            found = differences(path)
        except InputError as error:
            found = [str(error)]
        if found:
            print(path.name, *found, sep="\n  ", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
