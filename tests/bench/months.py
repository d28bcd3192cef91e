"""Months of an API's traffic in seconds: in: a seed and a mix of people; out: rows of TRANSACTION, a day at a time.

    python -m tests.bench.months --seeds 1 2 3        # the table of docs/detection.md

The customer's case: somebody reads 50,000 records over three months, 556 new ids a day, under every rate limit, among
1,000 normal identities: people who read their own things, support agents who read many customers', exporters who take
everything at night, partners who read every new order, testers who guess, people on leave, people who join. Traffic
grows, week-ends are quiet. The one law: a seed gives the same rows, and what the attacker does depends on it alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Severity
from sensor.config import Settings
from sensor.detection.stage import DetectionStage
from sensor.features.stage import FeatureStage
from sensor.schema import FLOW, STREAM, TRANSACTION, Proto, TransactionFlag
from tests.detection.tables import Pool

Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]
SECOND = 1_000_000_000
DAY = 86_400
START_DAY = 20_454  # Thursday, 2026-01-01
ROWS_MAX = 8_192
BAD = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM)


@dataclass(frozen=True)
class Mix:
    """How many of each kind there are among `identities`, and how much there is to read."""

    identities: int = 1_000
    agents: int = 25          # support: many customers a day
    exporters: int = 6        # everything there is, every night
    partners: int = 4         # every new order, all day long
    testers: int = 12         # what is not there, mostly
    customers: int = 50_000
    orders: int = 200_000
    growth_per_day: float = 0.003
    joining_part: float = 0.15  # of the ordinary ones begin within the time


@dataclass(frozen=True)
class Leak:
    """Who reads what is not his: from `start_day` on, as `ids_per_day` of the customers never read before."""

    start_day: int
    ids_per_day: int = 556
    insider: bool = True        # an ordinary identity, with a life of its own
    sequential: bool = False
    around_the_clock: bool = True
    at_lunch: bool = False      # on work days alone, as many a week, within half an hour
    addresses: int = 1          # as many in turns
    new_tokens: bool = False    # another one with each request


@dataclass
class Months:
    """`day(n)` gives the rows of day n, in order of time; identity 0 is the one that leaks, when there is a leak."""

    seed: int
    mix: Mix = Mix()
    leak: Leak | None = None
    pool: Pool = field(default_factory=Pool)

    def __post_init__(self) -> None:
        mix, random = self.mix, np.random.default_rng([self.seed, 0])
        count = mix.identities
        self.kinds = np.zeros(count, np.int64)
        kinds = np.repeat([1, 2, 3, 4], [mix.agents, mix.exporters, mix.partners, mix.testers])
        self.kinds[1 + random.permutation(count - 1)[: len(kinds)]] = kinds
        self.median = np.exp(random.normal(np.log(14), 0.6, count))       # requests on an active day
        self.rate_agent = np.exp(random.normal(np.log(80), 0.45, count))  # customers a day
        self.shift = random.normal(0, 1.5, count)                          # hours earlier or later than others
        self.own = random.integers(4, 60, count)                           # things of one's own
        self.tidy = random.uniform(0.2, 0.5, count)                        # spread of one's days
        self.join = np.where(random.random(count) < mix.joining_part, random.integers(1, 90, count), 0)
        self.join[self.kinds > 0] = np.where(random.random((self.kinds > 0).sum()) < 0.1, 20, 0)
        self.join[0] = 0
        self.leave = random.integers(-30, 90, count)                       # ten days off from then on
        self.address = random.permutation(count).astype(np.uint64) + np.uint64((0xFFFF << 32) + (10 << 24) + 256)
        self.subject = random.integers(1, 2**63, count).astype(np.uint64)
        self.wanted = random.permutation(mix.customers)                    # the order in which the leak goes
        texts = {"customer": "/customers/{id}", "order": "/orders/{id}", "orders": "/orders", "search": "/search",
                 "export": "/export", "stats": "/stats"}  # fmt: skip
        self.codes = {name: self.pool.code(text) for name, text in texts.items()}
        self.get, self.host, self.bearer = (self.pool.code(text) for text in ("GET", "api.test", "bearer"))

    def day(self, number: int) -> Rows:
        random = np.random.default_rng([self.seed, 1 + number])
        parts = [self._people(random, number), self._agents(random, number), self._exporters(random, number),
                 self._partners(random, number), self._testers(random, number)]  # fmt: skip
        if self.leak and number >= self.leak.start_day:
            parts.append(self._leaking(random, number))
        rows = self._rows(random, number, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        return rows[np.argsort(rows["now"], kind="stable")]

    def _active(self, random: np.random.Generator, number: int, kind: int, weekday: float, weekend: float) -> Ints:
        part = weekend if (START_DAY + number + 3) % 7 >= 5 else weekday
        here = (self.kinds == kind) & (self.join <= number) & (random.random(len(self.kinds)) < part)
        here &= ~((self.leave <= number) & (number < self.leave + 10) & (kind != 2) & (kind != 3))
        if self.leak and not self.leak.insider:
            here[0] = False
        return np.flatnonzero(here)

    def _hours(self, random: np.random.Generator, who: Ints, spread: float = 2.2) -> npt.NDArray[np.float64]:
        """Seconds into the day, around one's own working hours."""
        return np.clip(random.normal(13 + self.shift[who], spread), 0.0, 23.99) * 3600

    def _people(self, random: np.random.Generator, number: int) -> dict[str, Any]:
        """Their own customer record, their orders, lists and searches; now and then a busy day."""
        here = self._active(random, number, 0, 0.65, 0.3)
        grown = 1 + self.mix.growth_per_day * number
        busy = np.exp(random.normal(0, self.tidy[here])) * np.where(random.random(len(here)) < 0.01, 4, 1)
        who = np.repeat(here, random.poisson(self.median[here] * busy * grown))
        what = random.random(len(who))
        order = (who * 64 + (random.beta(1, 2, len(who)) * (self.own[who] + number // 5)).astype(np.int64)) % 2**31
        kind = np.select([what < 0.15, what < 0.6, what < 0.8], ["customer", "order", "orders"], "search")
        return {
            "who": who, "second": self._hours(random, who, 3.0), "kind": kind,
            "object": np.where(kind == "customer", who, np.where(kind == "order", order, -1)),
            "records": np.where(kind == "orders", 25, np.where(kind == "search", random.integers(0, 40, len(who)), -1)),
            "bytes": np.exp(random.normal(7, 0.8, len(who))), "status": np.full(len(who), 200),
        }  # fmt: skip

    def _agents(self, random: np.random.Generator, number: int) -> dict[str, Any]:
        """Tickets: a customer and two of his orders each; some come back."""
        here = self._active(random, number, 1, 0.85, 0.1)
        tickets = np.repeat(here, random.poisson(self.rate_agent[here] * np.exp(random.normal(0, 0.3, len(here)))))
        customer = (random.beta(0.8, 2.0, len(tickets)) * self.mix.customers).astype(np.int64)
        who, customer = np.repeat(tickets, 3), np.repeat(customer, 3)
        kind = np.tile(["customer", "order", "order"], len(tickets))
        order = customer * 4 + random.integers(0, 4, len(who))
        second = np.repeat(self._hours(random, tickets, 2.0), 3) + np.tile([0, 20, 60], len(tickets))
        return self._same(who, second, kind, np.where(kind == "customer", customer, order), -1, 1_500)

    def _exporters(self, random: np.random.Generator, number: int) -> dict[str, Any]:
        """At night: one large export, or the list page by page."""
        here = self._active(random, number, 2, 1.0, 1.0)
        pages = np.where(here % 2 == 0, 1, 120)
        who = np.repeat(here, pages)
        large = np.repeat(pages == 1, pages)
        step = np.concatenate([np.arange(count) for count in pages]) if len(pages) else np.zeros(0, np.int64)
        records = np.where(large, 20_000 + 60 * number, 200)
        parts = self._same(who, 2 * 3600 + 600 * (who % 7) + 3.0 * step, np.where(large, "export", "orders"), -1, 0, 0)
        return parts | {"records": records, "bytes": records * 90.0}

    def _partners(self, random: np.random.Generator, number: int) -> dict[str, Any]:
        """Every new order, in sequence, as it comes."""
        here = self._active(random, number, 3, 1.0, 1.0)
        fresh = int(160 * (1 + self.mix.growth_per_day * number) * random.uniform(0.7, 1.3))
        who = np.repeat(here, fresh)
        order = 10_000_000 + 1_000 * number + np.tile(np.arange(fresh), len(here))
        second = np.tile(np.sort(random.uniform(0, DAY - 100, fresh)), len(here)) + 5 * (who % 9)
        return self._same(who, second, np.full(len(who), "order"), order, -1, 1_100)

    def _testers(self, random: np.random.Generator, number: int) -> dict[str, Any]:
        """Ids that are not there, most of them; the same test objects again and again."""
        here = self._active(random, number, 4, 0.8, 0.05)
        who = np.repeat(here, random.poisson(220, len(here)))
        missing = random.random(len(who)) < 0.7
        test = random.integers(0, 40, len(who))
        parts = self._same(
            who, self._hours(random, who), np.full(len(who), "order"),
            np.where(missing, random.integers(2**32, 2**40, len(who)), 20_000_000 + test), -1, 900,
        )  # fmt: skip
        return parts | {"status": np.where(missing, 404, 200)}

    def _leaking(self, random: np.random.Generator, number: int) -> dict[str, Any]:
        leak, mix = self.leak, self.mix
        assert leak is not None
        ids = leak.ids_per_day
        if leak.at_lunch:
            ids = 0 if (START_DAY + number + 3) % 7 >= 5 else round(ids * 1.4)
        first = (number - leak.start_day) * round(leak.ids_per_day * (1.4 if leak.at_lunch else 1))
        order = np.arange(mix.customers) if leak.sequential else self.wanted
        objects = order[first : first + ids]
        who = np.zeros(len(objects), np.int64)
        span = random.uniform(0, DAY, len(who)) if leak.around_the_clock else self._hours(random, who)
        if leak.at_lunch:
            span = 12 * 3600 + random.uniform(0, 600) + random.uniform(0, 1_500, len(who))
        return self._same(who, np.sort(span), np.full(len(who), "customer"), objects, -1, 1_500)

    def _same(self, who: Ints, second: Any, kind: Any, objects: Any, records: Any, size: float) -> dict[str, Any]:
        rows = len(who)
        return {
            "who": who, "second": np.clip(second, 0, DAY - 1.0), "kind": kind,
            "object": np.broadcast_to(objects, rows), "records": np.broadcast_to(records, rows),
            "bytes": np.full(rows, float(size)), "status": np.full(rows, 200),
        }  # fmt: skip

    def _rows(self, random: np.random.Generator, number: int, parts: dict[str, Any]) -> Rows:
        rows = np.zeros(len(parts["who"]), TRANSACTION)
        who = parts["who"]
        rows["ts"] = (START_DAY + number) * DAY * SECOND + (parts["second"] * 1e6).astype(np.int64) * 1_000
        rows["now"] = rows["response_end_ts"] = rows["ts"] + 30_000_000
        rows["client_lo"], rows["client_port"] = self.address[who], 40_000
        rows["server_lo"], rows["server_port"] = (0xFFFF << 32) + 1, 80
        rows["subject"], rows["user"] = self.subject[who], self.subject[who] ^ np.uint64(number + 1)
        for name, code in self.codes.items():
            rows["endpoint"][parts["kind"] == name] = code
        rows["uri"], rows["auth_scheme"] = rows["endpoint"], self.bearer
        rows["method"], rows["host"] = self.get, self.host
        objects = parts["object"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
        rows["object_id"] = np.where(parts["object"] >= 0, objects, 0)
        rows["response_body_len"] = np.maximum(parts["bytes"] * random.uniform(0.8, 1.2, len(rows)), 1)
        rows["records"], rows["status_code"], rows["proto"] = parts["records"], parts["status"], Proto.TCP
        rows["flags"] = TransactionFlag.REQUEST | TransactionFlag.RESPONSE
        if self.leak and number >= self.leak.start_day:
            self._hide(random, rows, np.flatnonzero(who == 0))
        return rows

    def _hide(self, random: np.random.Generator, rows: Rows, mine: Ints) -> None:
        """Who leaks comes from several addresses, with several tokens."""
        leak = self.leak
        assert leak is not None
        if leak.addresses > 1:
            chosen = random.integers(0, leak.addresses, len(mine)).astype(np.uint64)
            rows["client_lo"][mine] = np.uint64((0xFFFF << 32) + (203 << 24) + 256) + chosen
        if leak.new_tokens:
            rows["user"][mine] = random.integers(1, 2**62, len(mine)).astype(np.uint64)


@dataclass
class Judged:
    """What detection said: `found_hours` after the leak began (None: never), what was read of all by then, and the
    (identity, week) that were accused wrongly, by rule.
    """

    found_hours: float | None = None
    found_by: str = ""
    coverage: float = 1.0
    wrong: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    rows: int = 0
    seconds: float = 0.0

    def wrong_per_week(self, mix: Mix, days: int) -> float:
        """Wrongly accused identities per 1,000 and week."""
        accused = set().union(*self.wrong.values()) if self.wrong else set()
        return len(accused) / (days / 7) / (mix.identities / 1_000)


def judge(months: Months, days: int, settings: Settings | None = None) -> Judged:
    """Run all detectors over the days; alerts below medium accuse nobody."""
    settings = settings or Settings()
    features = FeatureStage(settings.features, months.pool.tables)  # type: ignore[arg-type]
    stage = DetectionStage(settings.detection, months.pool)  # type: ignore[arg-type]
    judged, whose = Judged(), {int(address): who for who, address in enumerate(months.address)}
    for number, rows in _days(months, days):
        judged.rows += len(rows)
        begun = time.process_time()
        for start in range(0, len(rows), ROWS_MAX):
            part = rows[start : start + ROWS_MAX]
            for one in _detections(stage, features, part):
                _note(judged, months, one, whose, number)
        judged.seconds += time.process_time() - begun
    return judged


def _days(months: Months, days: int) -> Iterator[tuple[int, Rows]]:
    for number in range(days):
        yield number, months.day(number)


def _detections(stage: DetectionStage, features: FeatureStage, rows: Rows) -> list[Detection]:
    entities = features.process(rows)
    return stage.process(
        rows, np.zeros(0, FLOW), np.zeros(0, STREAM), int(rows["now"][-1]), entities, features.tables
    )


def _note(judged: Judged, months: Months, one: Detection, whose: dict[int, int], number: int) -> None:
    if (one.severity or one.rule.severity) not in BAD or one.client_ip is None:
        return
    parts = [int(part) for part in one.client_ip.split(".")]
    who = whose.get((0xFFFF << 32) + sum(part << 8 * place for place, part in enumerate(reversed(parts))), 0)
    leak = months.leak
    if who != 0 or leak is None or number < leak.start_day:
        judged.wrong.setdefault(one.rule.id, set()).add((who, number // 7))
    elif judged.found_hours is None:
        since = one.now / SECOND - (START_DAY + leak.start_day) * DAY
        judged.found_hours, judged.found_by = since / 3600, one.rule.id
        judged.coverage = since / DAY * leak.ids_per_day / months.mix.customers


CASES = {
    "14 clean days, then 556 new ids a day": (Leak(14), 28),
    "from the first day": (Leak(0), 14),
    "from the first day, a stranger": (Leak(0, insider=False), 14),
    "14 clean days, in working hours, in sequence": (Leak(14, sequential=True, around_the_clock=False), 28),
    "14 clean days, at lunch on work days": (Leak(14, at_lunch=True), 21),
    "14 clean days, from 200 addresses": (Leak(14, addresses=200), 21),
    "14 clean days, with ever new tokens": (Leak(14, new_tokens=True), 21),
    "14 clean days, all three": (Leak(14, at_lunch=True, addresses=200, new_tokens=True), 21),
    "nobody leaks, 90 days": (None, 90),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--identities", type=int, default=1_000)
    for kind in ("agents", "exporters", "partners", "testers"):
        parser.add_argument(f"--{kind}", type=int, default=getattr(Mix(), kind))
    parser.add_argument("--case", default="", help="only cases whose name holds this text")
    given = parser.parse_args()
    mix = Mix(**{name: getattr(given, name) for name in ("identities", "agents", "exporters", "partners", "testers")})
    print("| case | seed | found after | by | read by then | wrongly accused, 1,000 identities and week | us/row |")
    print("|---|---|---|---|---|---|---|")
    for case, (leak, days) in ((name, CASES[name]) for name in CASES if given.case in name):
        for seed in given.seeds:
            judged = judge(Months(seed, mix, leak), days)
            found = "-" if leak is None else "**never**"
            if judged.found_hours is not None:
                found = f"{judged.found_hours:.1f} h | {judged.found_by} | {100 * judged.coverage:.2f} %"
            else:
                found += " | - | -"
            wrong = judged.wrong_per_week(mix, days)
            cost = 1e6 * judged.seconds / judged.rows
            print(f"| {case} | {seed} | {found} | {wrong:.2f} | {cost:.2f} |", flush=True)
            print({rule: len(who) for rule, who in judged.wrong.items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
