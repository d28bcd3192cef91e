"""What DNS costs: in: nothing; out: microseconds of CPU for each lookup, by stage, and what a batch without DNS pays.

    python -m tests.bench.bench_dns [--lookups N]

Questions and answers are those of a network's clients: a few thousand names, most asked for again and again. The one
law: the stages get their batches as in a run, and the first ones are not counted.
"""

from __future__ import annotations

import argparse
import random
import struct
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from sensor.config import Settings
from sensor.export.lookups import lookup_frame
from sensor.pipeline import Pipeline
from tests.protocols.dns.messages import AAAA, A, address, name, query, response
from tests.traffic import START, Packet, write_pcap


def traffic(lookups: int) -> list[Packet]:
    """So many questions, each answered 10 ms later with a CNAME and two addresses."""
    chance, packets = random.Random(3), []
    hosts = [f"{chance.choice(('www', 'api', 'cdn', 'img'))}{n}.site{n % 700}.com" for n in range(4_000)]
    for number in range(lookups):
        host, qtype = chance.choice(hosts), chance.choice((A, A, AAAA))
        client, port, trans_id = f"10.0.{number % 200}.7", 20_000 + number // 200 % 40_000, number & 0xFFFF
        data = address("2001:db8::1" if qtype == AAAA else "192.0.2.1")
        records = [(b"\xc0\x0c", 5, 300, name(f"edge.{host}")), *[(b"\xc0\x0c", qtype, 60, data)] * 2]
        ts = START + number * 100_000
        asked, told = query(host, qtype, trans_id, edns=1232), response(host, records, qtype, trans_id)
        packets.append(Packet(ts, client, port, "10.0.0.53", 53, payload=asked, proto=17, ip_id=number & 0xFFFF))
        back = ts + 10_000_000
        packets.append(Packet(back, "10.0.0.53", 53, client, port, payload=told, proto=17, ip_id=number & 0xFFFF))
    return sorted(packets, key=lambda packet: packet.ts)


def plain_datagrams(count: int) -> list[Packet]:
    """Datagrams that are nobody's: two comparisons each."""
    content = struct.pack("!I", 7) * 40
    return [
        Packet(START + n * 50_000, f"10.0.{n % 200}.7", 30_000, "10.0.0.9", 9_999, payload=content, proto=17)
        for n in range(count)
    ]


def measure(path: Path, warm: int = 3) -> dict[str, float]:
    """CPU seconds by what was done, lookups and packets, behind the first `warm` batches."""
    pipeline, spent = Pipeline(Settings(), [str(path)]), defaultdict(float)
    seen = [0]

    def timed(what: str, owner: Any, method: str) -> None:
        inner = getattr(owner, method)

        def outer(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            result = inner(*given, **named)
            spent[what] += time.process_time() - began if seen[0] >= warm else 0.0
            return result

        setattr(owner, method, outer)

    timed("parsing", pipeline._dns, "process")
    for each in ("dns_tunnel", "random_domains"):
        timed(each, pipeline._detection.detectors[each], "process")
    for batch in pipeline:
        seen[0] += 1
        if seen[0] > warm and len(batch.dns.rows):
            spent["lookups"] += len(batch.dns.rows)
            began = time.process_time()
            lookup_frame(batch.dns)
            spent["columns of --dns"] += time.process_time() - began
    spent["packets"] = pipeline.counters()["reassembly"]["packets"]
    return spent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lookups", type=int, default=150_000)
    count = parser.parse_args().lookups
    with tempfile.TemporaryDirectory() as folder:
        spent = measure(write_pcap(Path(folder) / "dns.pcap", traffic(count)))
        lookups = spent.pop("lookups")
        spent.pop("packets")
        for what, seconds in spent.items():
            print(f"{what:18} {1e6 * seconds / lookups:6.2f} us a lookup ({lookups:.0f})")
        none = measure(write_pcap(Path(folder) / "none.pcap", plain_datagrams(count)), warm=0)
        print(f"without DNS        {1e9 * none['parsing'] / none['packets']:6.2f} ns a packet ({none['packets']:.0f})")


if __name__ == "__main__":
    main()
