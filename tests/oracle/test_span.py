"""What mirror ports really do, case by case: one connection of requests answered by 16,384 bytes of JSON each.

PEERS.md 1b says what other sensors make of the same files. `python -m tests.oracle.test_span` prints Tapir's row of
each.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import pytest

import sensor
from tests.oracle.candidates import SHARED

SPAN = SHARED / "span"
BODY_BYTES = 16_384


class Case(NamedTuple):
    """`whole` have request, status and the true body length; `requests` and `responses` lack the other half."""

    name: str
    what: str
    whole: int
    requests: int = 0
    responses: int = 0


CASES = [
    Case("A_keepalive3MiB", "200 requests on one connection", 200),
    Case("B_midstream", "the same without its handshake", 200),
    Case("C_badcsum", "wrong TCP checksums", 20),
    Case("D0_base20", "20 requests, nothing wrong", 20),
    Case("D_dup", "every packet twice", 20),
    Case("E_lost_body", "one body segment lost", 20),
    Case("F_lost_req", "one request lost", 19, responses=1),
    Case("F2_lost_resphead", "one response head lost", 19, requests=1),
    Case("G_ackfirst", "an acknowledgement before its data", 20),
    Case("H_resp_only", "only what the server sent", 0, responses=20),
    Case("I_req_only", "only what the client sent", 0, requests=20),
    Case("J_lost_resp5_req6", "response 5 and request 6 lost", 18, requests=1, responses=1),
]


def found(name: str, folder: Path) -> Case:
    """What Tapir makes of the case."""
    path = folder / f"{name}.pcap"
    path.write_bytes(gzip.decompress((SPAN / f"{name}.pcap.gz").read_bytes()))
    rows = sensor.read(path).transactions.to_dicts()
    whole = requests = responses = 0
    for row in rows:
        if row["method"] and row["status_code"] == 200 and row["response_body_len"] == BODY_BYTES:
            whole += 1
        elif row["method"] and row["status_code"] is None:
            requests += 1
        elif row["method"] is None and row["response_body_len"] == BODY_BYTES:
            responses += 1
    return Case(name, f"{len(rows)} rows", whole, requests, responses)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_a_mirror_port_does_costs_no_more_than_what_it_lost(case: Case, tmp_path: Path) -> None:
    if not SPAN.exists():
        pytest.skip("../shared/span is not there")
    assert found(case.name, tmp_path)[2:] == case[2:]


def main() -> None:
    """The table: what is there, what Tapir finds."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print("| case | whole | requests alone | responses alone |\n|---|---|---|---|")
        for case in CASES:
            mine = found(case.name, Path(folder))
            cells = (f"{have} of {want}" for have, want in zip(mine[2:], case[2:], strict=True))
            print(f"| {case.what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
