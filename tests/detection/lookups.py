"""DNS lookups for the detectors' tests: in: who asked what when; out: Lookups in order of packet time.

The one law: what a test does not name is as ordinary as can be: an address of a host, answered at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sensor.alert import Detection
from sensor.detection.detector import Batch
from sensor.detection.stage import DetectionStage
from sensor.dns import Lookups
from sensor.schema import Proto
from sensor.schema_dns import ANSWER, LOOKUP, LookupFlag
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    NO_TRANSACTIONS,
    SECOND,
    START,
    features_of,
    put,
    words,
)

A, CNAME, NULL, PTR, MX, TXT, AAAA = 1, 5, 10, 12, 15, 16, 28
CLIENT, RESOLVER = "10.0.0.9", "10.0.1.53"


@dataclass(frozen=True)
class Ask:
    """One question and its answer; `answers` (type, text or address)."""

    seconds: float
    name: str
    client: str = CLIENT
    qtype: int = A
    rcode: int = 0
    answers: Sequence[tuple[int, str]] = ((A, "192.0.2.7"),)
    asked: bool = True
    answered: bool = True
    port: int = 53
    took_seconds: float = 0.0


def lookups_of(asks: Sequence[Ask]) -> Lookups:
    rows, answers, texts = np.zeros(len(asks), LOOKUP), [], bytearray()
    for row, ask in zip(rows, sorted(asks, key=lambda each: each.seconds + each.took_seconds), strict=True):
        row["ts"] = START + round(ask.seconds * SECOND)
        row["now"] = START + round((ask.seconds + ask.took_seconds) * SECOND)
        put(row, "server", RESOLVER, ask.port)
        row["client_hi"], row["client_lo"] = words(ask.client)
        row["client_port"], row["proto"], row["trans_id"] = 40_000, Proto.UDP, 1
        row["name_hash"] = int.from_bytes(hashlib.blake2b(ask.name.encode(), digest_size=8).digest(), "big")
        row["query"], row["query_length"] = len(texts), len(ask.name)
        texts += ask.name.encode()
        row["qtype"], row["qclass"], row["queries"] = ask.qtype, 1, 1
        row["flags"] = LookupFlag.ASKED * ask.asked | LookupFlag.ANSWERED * ask.answered | LookupFlag.RD
        row["query_bytes"], row["response_bytes"] = 18 + len(ask.name), 60
        row["answer"], row["rcode"] = len(answers), ask.rcode
        given = ask.answers if ask.answered and not ask.rcode else ()
        row["answers"] = row["answer_count"] = len(given)
        for kind, text in given:
            answer = np.zeros(1, ANSWER)
            answer["type"], answer["ttl"], answer["start"], answer["bytes"] = kind, 60, -1, len(text)
            if kind in (A, AAAA):
                answer["hi"], answer["lo"] = words(text)
            else:
                answer["start"], answer["length"] = len(texts), len(text)
                texts += text.encode()
            answers.append(answer)
    return Lookups(
        rows, np.concatenate([*answers, np.zeros(0, ANSWER)]), np.frombuffer(bytes(texts), np.uint8)
    )  # fmt: skip


def run_lookups(
    stage: DetectionStage, asks: Sequence[Ask], batch: int = 1 << 30, until: float = 0.0
) -> list[Detection]:
    """All detections of these lookups, given in batches, and of the time `until` so many seconds."""
    found, lookups, features = [], lookups_of(asks), features_of(stage)
    nothing = NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS
    entities = features.process(NO_TRANSACTIONS)
    for start in range(0, len(lookups.rows), batch):
        part = lookups._replace(rows=lookups.rows[start : start + batch])
        found += stage.process(*nothing, int(part.rows["now"][-1]), entities, features.tables, dns=part)
    end = START + round(until * SECOND)
    return found + (stage.process(*nothing, end, entities, features.tables) if until else [])


def batch_of(asks: Sequence[Ask]) -> Batch:
    """A batch that has nothing but these lookups."""
    lookups = lookups_of(asks)
    nothing = NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS
    return Batch(*nothing, int(lookups.rows["now"][-1]), None, None, dns=lookups)  # type: ignore[arg-type]
