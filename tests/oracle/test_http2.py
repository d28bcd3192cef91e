"""Public captures with HTTP/2 in clear, stream by stream against TShark's dissector.

`python -m tests.oracle.test_http2` prints the table of docs/correctness.md.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

import sensor
from tests.oracle.candidates import ORACLE, SETTINGS

CAPTURES = {
    "suricata-verify__dns-over-http2-limit__input.pcap": None,
    "suricata-verify__dns-over-http2-post__dns_over_https_POST.pcap": None,
    "suricata-verify__http2-keywords__input.pcap": 3000,
}
"""Those of special/ that hold HTTP/2 in clear; the port that TShark must be told of."""
FOLDER = ORACLE / "special"
DATA = "0"

available = pytest.mark.skipif(
    not FOLDER.is_dir() or not shutil.which("tshark"), reason="needs tshark and the folder shared beside the checkout"
)


@dataclass
class Stream:
    """What one stream carried; lengths are of the DATA frames without their padding."""

    method: str | None = None
    path: str | None = None
    host: str | None = None
    status: int | None = None
    request_len: int = 0
    response_len: int = 0


def _value(frame: ElementTree.Element, name: str) -> str | None:
    found = frame.find(f".//field[@name='{name}']")
    return None if found is None else found.get("show")


def dissected(path: Path, port: int | None) -> list[Stream]:
    """Streams as TShark sees them, by connection and id."""
    told = ["-d", f"tcp.port=={port},http2"] if port else []
    command = ["tshark", "-n", "-r", str(path), *told, "-Y", "http2", "-T", "pdml"]
    run = subprocess.run(command, capture_output=True, timeout=120, check=False)
    streams: dict[tuple[str, int], Stream] = {}
    clients: dict[str, str | None] = {}
    for packet in ElementTree.fromstring(run.stdout).iter("packet"):
        connection, source = str(_value(packet, "tcp.stream")), _value(packet, "tcp.srcport")
        for frame in packet.findall(".//field[@name='http2.stream']"):
            number, kind = _value(frame, "http2.streamid"), _value(frame, "http2.type")
            if not number or number == "0":
                continue
            stream = streams.setdefault((connection, int(number)), Stream())
            if method := _value(frame, "http2.headers.method"):
                clients[connection] = source
                stream.method, stream.path = method, _value(frame, "http2.headers.path")
                stream.host = _value(frame, "http2.headers.authority")
            elif status := _value(frame, "http2.headers.status"):
                stream.status = int(status)
            if kind == DATA:
                length = int(_value(frame, "http2.length") or 0) - int(_value(frame, "http2.pad_length") or 0)
                if clients.get(connection) == source:
                    stream.request_len += length
                else:
                    stream.response_len += length
    return [stream for _, stream in sorted(streams.items()) if stream.method or stream.status]


def read(path: Path) -> list[Stream]:
    """Streams as Tapir sees them."""
    rows = sensor.read(path, SETTINGS).transactions.sort("uid", "trans_depth", maintain_order=True).to_dicts()
    return [
        Stream(
            row["method"], row["uri"], row["host"], row["status_code"], row["request_body_len"] or 0,
            row["response_body_len"] or 0,
        )
        for row in rows
    ]  # fmt: skip


def key(stream: Stream) -> str:
    return repr(stream)


@available
@pytest.mark.parametrize("name", CAPTURES)
def test_streams_are_those_of_tshark(name: str) -> None:
    path = FOLDER / name
    assert sorted(read(path), key=key) == sorted(dissected(path, CAPTURES[name]), key=key)


if __name__ == "__main__":
    print("| capture | streams (TShark) | the same in Tapir: method, path, host, status, both lengths |\n|---|---|---|")
    for name, port in CAPTURES.items():
        theirs, mine = dissected(FOLDER / name, port), read(FOLDER / name)
        same = sum(stream in mine for stream in theirs)
        print(f"| {name} | {len(theirs)} | {same} |")
