"""How many exchanges come out paired when a mirror loses packets, by how the client asks.

    python -m tests.bench.pairing [CONNECTIONS]

prints a table for docs/correctness.md: of the exchanges of which both heads were seen, those that came out as one
transaction, and pairs of which the halves belong to different exchanges (none may). The law: losses are drawn from the
connection's number alone.
"""

from __future__ import annotations

import random
import sys

from tests.protocols.http1.clients import Client, converse
from tests.protocols.http1.exchanges import number_of, target
from tests.protocols.http1.messages import request, response
from tests.protocols.http1.test_loss import CLIENTS
from tests.traffic import observe

EXCHANGES = 24
SIZES = (0, 20, 1_500)
"""Bytes of a body beyond its exchange's number, by which it is known."""
SHARES = (0.01, 0.05)


def figures(client: Client, share: float, connections: int) -> tuple[int, int, int]:
    """Exchanges with both heads, those of them that were paired, wrong pairs."""
    survived = found = wrong = 0
    for number in range(connections * len(SIZES)):
        chance, size = random.Random(number), SIZES[number % len(SIZES)]
        asked = [request(target(exchange), "User-Agent: some/1.0") for exchange in range(EXCHANGES)]
        whole = converse(client, asked, lambda exchange, size=size: response(b"x" * (size + exchange)))  # type: ignore[misc]
        kept = {i for i in range(len(whole.packets)) if i < 3 or chance.random() >= share}
        rows = observe([whole.packets[i] for i in sorted(kept)]).transactions
        pairs = {number_of(row): row["response_body_max"] - size for row in rows if row["request"] and row["response"]}
        wrong += sum(asked != answered for asked, answered in pairs.items())
        seen = {exchange for exchange, heads in whole.heads.items() if kept.issuperset(heads)}
        survived, found = survived + len(seen), found + len(seen & pairs.keys())
    return survived, found, wrong


def main(connections: int) -> None:
    print("| client | " + " | ".join(f"{share:.0%} lost" for share in SHARES) + " | wrong pairs |")
    print("|---|" + "---|" * (len(SHARES) + 1))
    for name, client in CLIENTS.items():
        counts = [figures(client, share, connections) for share in SHARES]
        cells = [f"{found:,} of {survived:,} ({100 * found / survived:.1f} %)" for survived, found, _ in counts]
        print(f"| {name} | {' | '.join(cells)} | {sum(wrong for *_, wrong in counts)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
