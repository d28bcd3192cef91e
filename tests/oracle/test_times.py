"""When messages began and ended, and how long their bodies are, as TShark's own reassembly has it.

    python -m tests.oracle.test_times CAPTURE...

prints what differs. In: captures; out: the exchanges of which a time differs by more than the clocks' rounding, or a
length at all. The law: an exchange is compared only where TShark pairs it and names the frames of both messages.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sensor
from tests.oracle.against_tshark import Frame, frames
from tests.oracle.candidates import ORACLE, SETTINGS

FIELDS = (
    "frame.number", "frame.time_epoch", "frame.protocols", "tcp.srcport", "http.request.method", "http.response.code",
    "http.request_in", "tcp.segment", "http.content_length_header", "http.chunk_size",
)  # fmt: skip
ROUNDING_MS, SAME_NS = 0.002, 2_000_000
CAPTURES = {
    "nDPI__default__http_ua_splitted_in_two_pkts.pcapng": 37,
    "packets__-__http_espn.pcapng": 59,
    "suricata-verify__detect-bsize-0__input.pcap": 1,
    "zeek__http__concurrent-range-requests.pcap": 3,
    "zeek__http__missing-zlib-header.pcap": 2,
    "zeek__http__zero-length-bodies-with-drops.pcap": 3,
}
"""Captures in which heads come in pieces and lost segments again, and at least how many exchanges TShark pairs."""


class Message(NamedTuple):
    """One message of TShark's; `what` is its method or status, times in ns."""

    port: str
    what: str
    first: int
    last: int
    body: int | None


def _nanoseconds(text: str) -> int:
    whole, part = text.split(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0")[:9])


def _message(frame: Frame, what: str, times: dict[str, int]) -> Message:
    parts = [times[number] for number in frame["tcp.segment"] or frame["frame.number"]]
    body = sum(int(size, 0) for size in frame["http.chunk_size"]) if frame["http.chunk_size"] else None
    if body is None and frame["http.content_length_header"]:
        body = int(frame["http.content_length_header"][0])
    return Message(frame["tcp.srcport"][-1], what, min(parts), max(parts), body)


def exchanges(path: Path) -> list[tuple[Message, Message]]:
    """What TShark pairs; frames that hold several messages are left out."""
    asked: dict[str, Message] = {}
    found, times = [], {}
    for frame in frames(path, FIELDS, "-o", "tcp.reassemble_out_of_order:TRUE"):
        number, methods, codes = frame["frame.number"][0], frame["http.request.method"], frame["http.response.code"]
        times[number] = _nanoseconds(frame["frame.time_epoch"][0])
        if "tls" in (frame["frame.protocols"] or [""])[0] or len(methods) + len(codes) != 1:
            continue
        message = _message(frame, (methods + codes)[0], times)
        request = asked.get((frame["http.request_in"] or [""])[0])
        if methods:
            asked[number] = message
        elif request is not None and not message.what.startswith("1"):
            found.append((request, message))
    return found


def expected(request: Message, answer: Message) -> dict[str, Any]:
    lengths = {"request_body_len": request.body, "response_body_len": answer.body}
    if request.what == "HEAD" or answer.what in ("204", "304"):
        del lengths["response_body_len"]
    return {
        "request_ms": (request.last - request.first) / 1e6,
        "wait_ms": (answer.first - request.last) / 1e6,
        "response_ms": (answer.last - answer.first) / 1e6,
    } | {name: length for name, length in lengths.items() if length is not None}


def differences(path: Path) -> tuple[int, list[str]]:
    """How many exchanges were compared, and a line for each that differs."""
    mine: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in sensor.read(path, SETTINGS).transactions.iter_rows(named=True):
        mine.setdefault((str(row["client_port"]), row["method"], str(row["status_code"])), []).append(row)
    pairs, found = exchanges(path), []
    for request, answer in pairs:
        rows = mine.get((request.port, request.what, answer.what), [])
        near = [row for row in rows if abs(round(row["ts"].timestamp() * 1e9) - request.first) < SAME_NS]
        if not near:
            found.append(f"{path.name}: {request} {answer} is not there")
            continue
        for name, value in expected(request, answer).items():
            own = near[0][name]
            if own is None or abs(own - value) > (ROUNDING_MS if name.endswith("_ms") else 0):
                found.append(f"{path.name}: {request.what} from {request.port}: {name} is {own}, TShark has {value}")
    return len(pairs), found


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", CAPTURES)
def test_times_and_lengths(name: str) -> None:
    path = ORACLE / "dev" / name
    if not path.exists():
        pytest.skip("no folder `shared` beside the checkout")
    compared, found = differences(path)
    assert not found
    assert compared >= CAPTURES[name]


def main(paths: list[str]) -> None:
    counts: Counter[str] = Counter()
    for path in map(Path, paths):
        compared, found = differences(path)
        counts += Counter({"exchanges": compared, "differences": len(found)})
        print(*found, sep="\n", end="\n" if found else "", flush=True)
    print(*(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
