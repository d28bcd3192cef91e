"""Any packets: public captures cut, bit-flipped, spliced and shuffled go through every stage to the outputs.

    nice python -m tests.fuzz.packets PACKETS [SEED]

reads so many mutated packets (those of ../shared/oracle, or of pcaps/ where that is absent), 20,000 a run, or in a
hundred runs. The law: no stage raises or counts a fault, every frame is counted under one reason, every flow ends, no
run takes minutes, and memory stays within the sensor's budget. It prints the seed of the first run that breaks the
law, and raises.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import random
import struct
import sys
import tempfile
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings, Settings
from sensor.errors import InputError
from sensor.export.writers import NO_STREAMS, open_writer
from sensor.pipeline import Pipeline
from tests.oracle.candidates import captures

RUN_PACKETS = 20_000
RUNS = 100
PIECE_PACKETS = 400
SECONDS_MAX = 300
ANON_BYTES_MAX = 400_000_000
SECOND = 10**9
START = 1_700_000_000 * SECOND
Packets = list[tuple[int, bytes, int]]
"""Time (ns), bytes, length on the wire."""


@cache
def corpus() -> dict[int, list[Packets]]:
    """The captures by link type, those of several types cut apart."""
    paths = captures("dev", "special") or sorted((Path(__file__).parents[2] / "pcaps").glob("*.pcap"))
    found: dict[int, list[Packets]] = defaultdict(list)
    for path in paths:
        links: dict[int, Packets] = defaultdict(list)
        try:
            for block in CaptureStage(CaptureSettings(), [str(path)]).blocks():
                data = block.data.tobytes()
                for row in block.frames:
                    begin, seen = int(row["offset"]), int(row["caplen"])
                    links[int(row["link"])].append((int(row["ts"]), data[begin : begin + seen], int(row["wirelen"])))
        except InputError:
            continue
        for link, packets in links.items():
            found[link].append(packets)
    return dict(found)


def anonymous_bytes() -> int:
    """RssAnon of this process, without what the allocator keeps: each run compiles its patterns, a sensor does once."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


def flipped(chance: random.Random, content: bytes) -> bytes:
    """One to eight bytes changed, more often near the start, where headers are."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        place = chance.randrange(min(len(changed), chance.choice([16, 40, 60, 100, 2_000])))
        changed[place] = chance.choice([changed[place] ^ 1 << chance.randrange(8), 0, 255, chance.randrange(256)])
    return bytes(changed)


def mutated(chance: random.Random, packets: Packets, donor: Packets) -> Packets:
    """Each packet with something done to it, or the order of all of them."""
    deeds = chance.choices(["flip", "cut", "splice", "lie", "double", "drop", "time", "keep"], k=3)
    out: Packets = []
    for ts, whole, wire in packets:
        content, deed = whole, chance.choice(deeds)
        if deed == "flip" and content:
            content = flipped(chance, whole)
        elif deed == "cut":
            content = whole[: chance.randrange(len(whole) + 1)]
        elif deed == "splice":
            content = whole[: chance.randrange(len(whole) + 1)] + chance.choice(donor)[1][-chance.randrange(1, 200) :]
        elif deed == "lie":
            out.append((ts, whole, chance.choice([0, 1, len(whole) + 1, 65_535, 2**31, 2**32 - 1])))
            continue
        elif deed == "double":
            out.append((ts, content, wire))
        elif deed == "drop":
            continue
        elif deed == "time":
            leap = chance.choice([1_000, SECOND // 50, SECOND, 7_200 * SECOND, 10**18])
            out.append((ts + chance.choice([-1, 1]) * leap, content, wire))
            continue
        out.append((ts, content, wire))
    if chance.random() < 0.3:
        span = chance.choice([3, 20, len(out) + 1])
        for begin in range(0, len(out), span):
            part = out[begin : begin + span]
            chance.shuffle(part)
            out[begin : begin + span] = part
    return out


def write(path: Path, chance: random.Random, count: int) -> int:
    """A capture of mutated pieces of captures of one link type, one after the other or at once; returns its packets."""
    by_link = corpus()
    link = chance.choices(list(by_link), [len(every) ** 0.5 for every in by_link.values()])[0]
    now, written = START, 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link))
        while written < count:
            packets, donor = chance.choices(by_link[link], k=2)
            begin = chance.choice([0, chance.randrange(len(packets))])
            piece = packets[begin : begin + PIECE_PACKETS]
            base = piece[0][0]
            for ts, content, wire in mutated(chance, piece, donor):
                seconds, rest = divmod(max(0, now + ts - base), SECOND)
                length = max(wire, len(content)) % 2**32
                file.write(struct.pack("<IIII", seconds % 2**32, rest, len(content), length) + content)
                written += 1
            now += chance.choice([0, 1_000, SECOND, 90 * SECOND])
    return written


def check(path: Path, packets: int, folder: Path) -> dict[str, dict[str, int]]:
    """The law of this file, for one capture; returns what was counted."""
    pipeline = Pipeline(Settings(), [str(path)])
    names = "transactions", "flows"
    writers = {name: open_writer(str(folder / f"{name}.jsonl"), name, ordered=True) for name in names}
    ended = 0
    for batch in pipeline:
        ended += len(batch.flows)
        writers["transactions"].write(batch.transactions, NO_STREAMS, pipeline.pool)
        writers["flows"].write(batch.flows, batch.streams, pipeline.pool)
    for writer in writers.values():
        writer.close()
    counters = pipeline.counters()
    assert pipeline.faults == []
    assert counters["capture"]["frames"] == sum(counters["decode"].values()) == packets
    assert [stage for stage, counts in counters.items() if counts.get("kernel_fault")] == []
    assert counters["reassembly"]["flows"] == ended
    counted = counters["reassembly"]["packets"] + counters["reassembly"]["duplicate_packets"]
    assert counted == counters["decode"]["decoded"]
    return counters


def run(seed: int, count: int, folder: Path) -> int:
    """One mutated capture of about `count` packets."""
    path = folder / "mutated.pcap"
    packets = write(path, random.Random(seed), count)
    faulthandler.dump_traceback_later(SECONDS_MAX, exit=True)
    try:
        check(path, packets, folder)
    except BaseException:
        print(f"seed {seed}", flush=True)
        raise
    finally:
        faulthandler.cancel_dump_traceback_later()
    return packets


def main() -> None:
    wanted, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    total, seed, began = 0, first, time.monotonic()
    files = sum(map(len, corpus().values()))
    size = max(RUN_PACKETS, wanted // RUNS)
    before: int | Any = None
    with tempfile.TemporaryDirectory() as folder:
        while total < wanted:
            total += run(seed, min(size, wanted - total), Path(folder))
            seed += 1
            held = anonymous_bytes()
            before = held if before is None else before
            assert held - before < ANON_BYTES_MAX, f"{held - before} bytes more than after the first run"
            if seed % 10 == 0:
                print(f"{total:,} packets, {held / 1e6:.0f} MB, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{total:,} mutated packets from {files} captures (seeds {first} to {seed - 1}), none broke the law")


if __name__ == "__main__":
    main()
