"""Random Sigma rules against their slow twin: in: how many; out: the pairs of rule and row on which both do not agree.

    python -m tests.fuzz.sigma 4000 [--seed 1]

The one law: a rule that does not load is counted by its reason, and never left out in silence.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from sensor.detection.detector import Batch
from sensor.detection.sigma.matching import Matching
from sensor.detection.sigma.rules import load
from tests.detection.tables import NO_FLOWS, NO_STREAMS, NO_TABLES, Pool, join, transaction
from tests.fuzz.sigma_rules import Made, row, rule
from tests.oracles import sigma as twin

ROWS = 200
_LINE = {"zeek": ("method", "uri", "host", "user_agent", "referrer")}
_LINE["api"] = _LINE["zeek"]


class Disagreement(NamedTuple):
    """A rule that matches rows that it should not, or does not match those that it should."""

    rule: Made
    missed: list[dict[str, Any]]
    wrong: list[dict[str, Any]]


def fields(columns: dict[str, Any]) -> dict[str, twin.Row]:
    """What each log source calls the columns of a row."""

    def one(name: str) -> tuple[str, ...]:
        return (columns[name],) if columns[name] else ()

    uri = columns["uri"]
    stem, _, query = uri.partition("?")
    last = stem.rpartition("/")[2]
    url = (uri, f"http://{columns['host']}{uri}") if columns["host"] and uri.startswith("/") else one("uri")
    status = columns["status_code"] or -1
    wait = columns["wait_ns"] / 1e6 if columns["wait_ns"] else -1.0
    shared: dict[str, Any] = {
        "cs-method": one("method"), "cs-host": one("host"), "cs-uri": one("uri"), "cs-uri-stem": (stem,) if uri else (),
        "cs-uri-query": (uri, query) if query else one("uri"),
        "cs-uri-extension": (last.rpartition(".")[2],) if "." in last
        else (), "c-uri": url, "cs-user-agent": one("user_agent"),
        "cs-referer": one("referrer"),
        "sc-content-type": one("response_content_type"), "sc-status": status, "s-port": 80,
        "time-taken": wait, "c-ip": (columns["client"],), "s-ip": (columns["server"],),
    }  # fmt: skip
    sent, received = columns["response_body_len"], columns["request_body_len"]
    proxy = {
        "c-uri-query": shared["cs-uri-query"], "c-uri-extension": shared["cs-uri-extension"], "r-dns": one("host"),
        "c-useragent": one("user_agent"), "cs-referrer": one("referrer"), "src_ip": shared["c-ip"],
        "dst_ip": shared["s-ip"], "cs-bytes": sent, "sc-bytes": received,
    }  # fmt: skip
    zeek = {
        "uri": one("uri"), "host": one("host"), "user_agent": one("user_agent"), "referrer": one("referrer"),
        "method": one("method"), "resp_mime_types": one("response_content_type"), "status_msg": one("status_msg"),
        "status_code": status, "request_body_len": received, "response_body_len": sent,
        "id.resp_p": 80, "trans_depth": columns["trans_depth"], "id.orig_h": shared["c-ip"],
        "id.resp_h": shared["s-ip"],
    }  # fmt: skip
    api = {
        "endpoint": one("endpoint"), "auth_scheme": one("auth_scheme"), "response_content_type":
        one("response_content_type"), "records": columns["records"], "wait_ms": wait, "page": columns["page"],
        "object_number": columns["object_number"], "client_ip": shared["c-ip"], "server_ip": shared["s-ip"],
    }  # fmt: skip
    web = {"cs-bytes": received, "sc-bytes": sent}
    return {"webserver": shared | web, "proxy": shared | proxy, "zeek": shared | zeek, "api": shared | zeek | api}


def batch(rows: list[dict[str, Any]], pool: Pool) -> Batch:
    """These rows as transactions."""
    tables = []
    for each in rows:
        columns = {key: value for key, value in each.items() if key != "wait_ns"}
        table = transaction(pool, **columns)
        ts = table["ts"].copy()
        table["response_end_ts"] = ts + each["wait_ns"] if each["wait_ns"] else 0
        table["request_end_ts"], table["response_ts"] = ts, table["response_end_ts"]
        tables.append(table)
    every = join(tables)
    return Batch(every, NO_FLOWS, NO_STREAMS, int(every["now"][-1]), np.zeros(0), NO_TABLES)  # type: ignore[arg-type]


def disagreements(rules: int, seed: int, reasons: Counter[str]) -> Iterator[Disagreement]:
    """Of so many random rules; why some do not load is counted in `reasons`."""
    chance = random.Random(seed)
    made = [rule(chance, number) for number in range(rules)]
    rows = [row(chance, number) for number in range(ROWS)]
    known = [fields(each) for each in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        path.write_text(yaml.safe_dump_all([each.document for each in made], allow_unicode=True, sort_keys=False))
        loaded = load([str(path)])
    reasons.update(re.sub(r"^rule \d+: |'[^']*'", "", each.reason)[:90] for each in loaded.problems)
    pool = Pool()
    found = Matching(loaded.detecting).rows(batch(rows, pool), pool)
    for place, each in enumerate(loaded.detecting):
        one = made[int(each.rule.title.split()[1])]
        line = _LINE.get(one.source, ("cs-method", "c-uri", "cs-host", "cs-user-agent", "cs-referer"))
        held = set(found.get(place, np.array([], np.intp)).tolist())
        expected = {
            at for at, fields in enumerate(known) if twin.matches(one.document["detection"], fields[one.source], line)
        }
        reasons["matched nothing" if not expected else "matched all" if len(expected) == ROWS else "matched some"] += 1
        if held != expected:
            yield Disagreement(one, [rows[at] for at in expected - held], [rows[at] for at in held - expected])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rules", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5)
    given = parser.parse_args()
    reasons: Counter[str] = Counter()
    found = list(disagreements(given.rules, given.seed, reasons))
    for reason, count in reasons.most_common():
        print(f"{count:7} {reason}")
    print(f"{len(found)} of {given.rules} rules disagree")
    for each in found[: given.show]:
        print(yaml.safe_dump(each.rule.document, allow_unicode=True, sort_keys=False))
        print("missed:", each.missed[:1], "\nwrong:", each.wrong[:1])


if __name__ == "__main__":
    main()
