"""Random Sigma correlations against their slow twin: in: how many; out: those that are told at other moments.

    python -m tests.fuzz.sigma_correlations 500 [--seed 1]

Each is tried on a random run of transactions, cut into batches at random. The one law: what is told does not depend on
where the batches were cut.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import yaml

from sensor.config import DetectionSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import START, Pool, join, run_transactions, transaction
from tests.oracles.sigma import matches
from tests.oracles.sigma_correlations import Seen, Told, told

RULES: dict[str, dict[str, Any]] = {
    "failed": {"s": {"sc-status": 401}, "condition": "s"},
    "went-well": {"s": {"sc-status|lt": 400}, "condition": "s"},
    "admin": {"s": {"cs-uri-stem|startswith": "/admin"}, "condition": "s"},
    "any": {"s": {"cs-method": ["GET", "POST"]}, "condition": "s"},
}
_NUMERIC = ("sc-bytes", "cs-bytes", "sc-status", "time-taken", "cs-uri-stem")


def _condition(chance: random.Random, kind: str) -> dict[str, Any]:
    top = {"event_count": 9, "value_count": 4, "value_sum": 2_000, "value_avg": 300, "value_percentile": 300}
    limit = top.get(kind, top["value_avg"])
    number = chance.choice((chance.randrange(1, limit), round(chance.uniform(0, limit), 1)))
    first = chance.choice(("gt", "gte", "lt", "lte", "eq", "neq", "gt", "gte"))
    found: dict[str, Any] = {first: number if kind != "event_count" or chance.random() < 0.3 else int(number) or 1}
    if chance.random() < 0.3:
        found = {"gte": number, "lt": number + chance.randrange(1, limit)}
    if kind.startswith("value"):
        fields = ("cs-uri-stem", "sc-status", "cs-host") if kind == "value_count" else _NUMERIC
        found["field"] = chance.choice(fields)
        if kind == "value_count" and chance.random() < 0.3:
            found["field"] = ["cs-uri-stem", "cs-method"]
    if kind == "value_percentile":
        found["percentile"] = chance.choice((1, 25, 50, 90, 95, 99, 100))
    return found


def correlation(chance: random.Random, below: list[str]) -> dict[str, Any]:
    """A random correlation of these rules, `below` it."""
    kind = chance.choice((
        "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median", "temporal",
        "temporal_ordered", "chained",
    ))  # fmt: skip
    several = kind in ("temporal", "temporal_ordered", "chained")
    rules = chance.sample(below, chance.randrange(2, 4) if several else chance.choice((1, 1, 2)))
    group = chance.sample(("c-ip", "cs-host", "cs-user-agent", "who"), chance.randrange(4))
    body: dict[str, Any] = {
        "type": kind, "rules": rules, "timespan": chance.choice(("5s", "20s", "1m", "2m", "1h")),
    }  # fmt: skip
    if group:
        body["group-by"] = group
    if "who" in group:
        body["aliases"] = {"who": {rule: chance.choice(("c-ip", "s-ip", "cs-user-agent")) for rule in rules}}
    if not several or chance.random() < 0.3:
        body["condition"] = {"gte": chance.randrange(1, 4)} if several else _condition(chance, kind)
    return body


def rows(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Columns of transactions, in order of time; some at the same moment."""
    found, now = [], 0.0
    for _ in range(count):
        now += chance.choice((0.0, 0.5, 1.0, 3.0, 8.0, 40.0))
        found.append({
            "seconds": now, "client": chance.choice(("10.0.0.7", "10.0.0.8")), "server": chance.choice(("10.0.0.7",
            "10.9.0.1")),
            "method": chance.choice(("GET", "POST", "PUT")), "host": chance.choice(("", "a.test", "b.test")),
            "uri": chance.choice(("/admin", "/admin/7", "/x?q", "/1")), "user_agent": chance.choice(("", "curl")),
            "status_code": chance.choice((0, 200, 302, 401, 401, 500)), "response_body_len": chance.choice((0, 10,
            250, 999)),
            "request_body_len": chance.choice((0, 3)),
        })  # fmt: skip
    return found


def fields(row: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What the log source `webserver` calls these columns."""

    def one(value: Any) -> tuple[str, ...]:
        return (str(value),) if value else ()

    return {
        "c-ip": one(row["client"]), "s-ip": one(row["server"]), "cs-host": one(row["host"]),
        "cs-method": one(row["method"]),
        "cs-user-agent": one(row["user_agent"]), "cs-uri-stem": one(row["uri"].partition("?")[0]),
        "sc-status": one(row["status_code"]), "sc-bytes": (str(row["response_body_len"]),),
        "cs-bytes": (str(row["request_body_len"]),), "time-taken": ("0",),
    }  # fmt: skip


def expected(bodies: dict[str, dict[str, Any]], run: list[dict[str, Any]]) -> dict[str, list[Told]]:
    """What each correlation is to tell; the later ones may be made of the earlier."""
    every: list[Seen] = []
    for row in run:
        shown = fields(row)
        tested = shown | {"sc-status": row["status_code"] or -1}
        now = START + round(row["seconds"] * 1e9)
        every += [Seen(now, name, shown) for name, rule in RULES.items() if matches(rule, tested, ())]
    found: dict[str, list[Told]] = {}
    for name, body in bodies.items():
        (first, *_) = body["rules"]
        below = [Seen(each.now, first, each.row) for each in found[first]] if first in found else every
        found[name] = told(body, below)
    return found


def stage(bodies: dict[str, dict[str, Any]], pool: Pool) -> DetectionStage:
    """Sigma alone with the rules and these correlations, all of which are told."""
    documents = [
        {"title": name, "name": name, "logsource": {"category": "webserver"}, "detection": rule}
        for name, rule in RULES.items()
    ] + [{"title": name, "name": name, "correlation": {**body, "generate": True}} for name, body in bodies.items()]
    others = {name: {"enabled": False} for name in DetectionSettings.__struct_fields__ if name != "sigma"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        found = DetectionStage(msgspec.convert({**others, "sigma": {"rules": [str(path)]}}, DetectionSettings), pool)
    assert found.notes == []
    return found


def disagreements(count: int, seed: int) -> tuple[int, list[tuple[dict[str, Any], list[Any], list[Any]]]]:
    """How often one was told, and (correlation, what was told, what should have been) where both differ."""
    chance = random.Random(seed)
    bodies: dict[str, dict[str, Any]] = {}
    for number in range(count):
        body = correlation(chance, list(RULES))
        if bodies and len(body["rules"]) == 1 and chance.random() < 0.5:
            body["rules"] = [chance.choice(list(bodies))]
        bodies[f"c{number}"] = body
    run = rows(chance, 160)
    pool = Pool()
    table = join([transaction(pool, **each) for each in run])
    said = run_transactions(stage(bodies, pool), table, chance.choice((1, 7, 50, 1_000)))
    wrong = []
    for name, right in expected(bodies, run).items():
        given = [
            (each.now, float(np.round(each.numbers.observed, 6)), each.count)
            for each in said
            if each.rule.title == name
        ]
        wanted = [(each.now, float(np.round(each.value, 6)), each.matches) for each in right]
        if given != wanted:
            wrong.append((bodies[name], given, wanted))
    return len(said), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("correlations", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    said, wrong = disagreements(given.correlations, given.seed)
    for body, one, other in wrong[:6]:
        print(body, "\n  told  ", one[:8], "\n  wanted", other[:8])
    print(f"told {said} times; {len(wrong)} of {given.correlations} correlations disagree")


if __name__ == "__main__":
    main()
