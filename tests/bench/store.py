"""How fast the collector keeps alerts and hands them on: `python -m tests.bench.store [ALERTS]`; a line for each
database and each sink's server comes out.

Law: real servers on loopback; PostgreSQL with its fsync on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing

from sensor.bus.message import Message
from sensor.collector.sinks import Feed, sink
from sensor.collector.store import Store
from tests.bus.alerts import an_alert
from tests.collector.servers import own_folder, postgres_server
from tests.collector.sinks.peers import PEERS
from tests.collector.test_store import ID, a_message

BATCH = 200  # as the collector commits


def messages(count: int) -> list[Message]:
    """Of ten alerts each of a hundred actors, and so on."""
    return [
        a_message(an_alert(number, alert_id=ID(number), client_ip=f"192.0.{number // 2560}.{number // 10 % 256}"))
        for number in range(1, count + 1)
    ]


def rate(name: str, count: int, run: Callable[[], None]) -> None:
    began = time.perf_counter()
    run()
    print(f"{name:<32} {count / (time.perf_counter() - began):>9,.0f} alerts/s", flush=True)


def fill(place: str, count: int) -> None:
    all_ = messages(count)

    def run() -> None:
        for start in range(0, count, BATCH):
            store.commit(all_[start : start + BATCH])

    with Store(place) as store:
        rate(f"store: {place.partition(':')[0] if '://' in place else 'sqlite'}", count, run)


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fill(folder, count)
        with postgres_server(fsync=True) as server:
            fill(server.place(), count)
        with Store(folder) as store:
            for name, peer_of in PEERS.items():
                with own_folder() as own, closing(peer_of(own)) as peer:
                    feed = Feed(store.base, name, sink(peer.settings()))
                    rate(f"sink: {name}", count, lambda feed=feed: feed.step(0))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
