"""DNS tunnels: in: lookups, and flows to port 53 that hold no DNS; out: detections of clients whose questions carry
data.

Who sends data in names asks for ever new ones below a domain of his, each as long as can be, or for types whose answers
carry data back. Counted is what new names have below each registered domain, by client, over minutes and over a day,
so that a slow drip adds up. What also looks like this: hashed names of content networks and of devices, which come
again; questions for reputation by hash, which are shorter, ask for addresses and are asked by many. Where no names were
seen, the bytes of long datagrams are. The one law: a name counts once for a client, and for the one who asked first
where a resolver passed the question on; a byte counts in the flow that it was sent in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import DnsTunnelSettings
from sensor.detection.detector import Batch, Strings, Table, nanoseconds
from sensor.detection.evidence import address, community_id
from sensor.detection.lookups.ends import ends_of
from sensor.detection.lookups.names import Name, Names
from sensor.detection.lookups.span import STEPS, Kept, Span
from sensor.dns import Lookups
from sensor.schema import Proto, Service
from sensor.schema_dns import LookupFlag

TUNNEL = Rule(
    id="dns-tunnel",
    version=2,
    title="DNS tunnel: a client's questions carry data",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API10:2023",),
    attack=("T1071.004", "T1048", "T1572"),
)
PORT = 53
DAY_SECONDS = 86_400.0
NAME_BYTES_MIN = 20
"""A shorter name carries next to nothing, unless its answer does."""
CARRYING = np.array([5, 10, 15, 16, 24, 25, 33, 99, 65_399], np.uint16)
"""Types whose answers carry data: CNAME, NULL, MX, TXT, SIG, KEY, SRV, SPF, and what iodine calls private."""
DOMAINS_EACH = 4
"""Pairs of client and domain for each client that is remembered: most clients have none."""
BELOW_MIN, BELOW_HASH, BELOW_LONG = 12, 20, 80
"""Mean bytes below the domain: less is no data; from here on a hash may stand there; no hash is as long."""
ENTROPY_MIN = 2.5
HASHES_FACTOR, SHARED_FACTOR = 8, 4
"""How much more is needed of names like hashes that ask for addresses, and of domains that many ask like this."""
BOTH_FACTOR, ANSWER_MIN = 3, 48
"""How much less is needed of names that are long and whose answers carry data, so many bytes each: reputation services
answer with less.
"""
SHARED_CLIENTS = 5
SEEN_MAX = 65_536
"""Names of all clients that are remembered."""
ASKED_MAX = 4_096
"""Names lately asked for of which it is remembered who asked first."""
_WORD = (1 << 64) - 1
Client = tuple[int, int]


class _Figures(msgspec.Struct, array_like=True):
    """Sums of a client below a domain."""

    bytes: float
    names: float
    questions: float
    carrying: float
    failed: float
    answered: float
    entropy: float


class _Asked(msgspec.Struct, array_like=True):
    """Who asked for a name first, and what that counts for."""

    client: Client
    ts: int
    domain: str
    figures: list[float]


class DnsTunnel:
    """See the file's head; settings: DnsTunnelSettings."""

    rules = (TUNNEL,)
    faults = 0

    def __init__(self, settings: DnsTunnelSettings, strings: Strings) -> None:
        self.settings = settings
        self.of_flows = ((settings.window_seconds, settings.bytes_min), (DAY_SECONDS, settings.day_bytes_min))
        self.of_names = ((settings.window_seconds, settings.name_bytes_min), (DAY_SECONDS, settings.day_name_bytes_min))
        self.names = Names()
        self.flows: dict[Client, list[Span]] = {}
        self.domains: dict[tuple[int, int, str], list[Span]] = {}
        self.seen: dict[int, None] = {}
        self.askers: dict[str, dict[int, int]] = {}
        self.asked: dict[int, _Asked] = {}
        self.evicted = 0

    def process(self, batch: Batch) -> list[Detection]:
        long = [
            (flows[place], streams[2 * place])
            for flows, streams in ((batch.flows, batch.streams), (batch.told, batch.told_streams))
            for place in self._long(flows, streams)
        ]
        long.sort(key=lambda each: int(each[0]["end_now"]))
        found = [detection for flow, asked in long for detection in self._note(flow, asked)]
        return found + self._lookups(batch.dns)

    def _long(self, flows: Table, streams: Table) -> list[int]:
        """Flows to port 53 that are none of DNS and send large datagrams or segments on average, in order."""
        at = np.flatnonzero((flows["resp_port"] == PORT) & (flows["service"] != Service.DNS))
        if not len(at):
            return []
        asked, kinds = streams[2 * at], flows["proto"][at]
        carrying = asked["packets"] - np.where(kinds == Proto.TCP, 3, 0)  # handshake, end and bare acknowledgements
        long = asked["payload_bytes"] >= self.settings.question_bytes_min * np.maximum(carrying, 1)
        chosen: list[int] = at[long & ((kinds == Proto.UDP) | (kinds == Proto.TCP))].tolist()
        return chosen

    def _note(self, flow: Any, asked: Any) -> list[Detection]:
        sent = int(asked["payload_bytes"]) - int(asked["retransmitted_bytes"])
        fresh = max(sent - int(asked["told_bytes"]), 0)
        questions = max(1, fresh * int(asked["packets"]) // max(sent, 1))
        now, found = int(flow["end_now"]), []
        spans = self._spans(self.flows, (int(flow["orig_hi"]), int(flow["orig_lo"])))
        for span, (seconds, least) in zip(spans, self.of_flows, strict=True):
            step_ns = nanoseconds(seconds / STEPS)
            total, asked_times = span.add(now, int(flow["start_ts"]), (fresh, questions), step_ns)
            if span.is_due(now, total, least):
                found.append(_of_flow(flow, span, int(total), int(asked_times), seconds, least))
        return found

    def _spans(self, table: dict[Any, list[Span]], key: Any, each: int = 1) -> list[Span]:
        """Those of an entity, a new one's too; the one not seen for longest gives way."""
        spans = table.pop(key, None)
        if spans is None:
            spans = [Span(), Span()]
            if len(table) >= each * self.settings.clients_max:
                del table[next(iter(table))]
                self.evicted += 1
        table[key] = spans
        return spans

    def _lookups(self, lookups: Lookups) -> list[Detection]:
        """Names that may carry data, one after the other."""
        rows = lookups.rows
        if not len(rows):
            return []
        carrying = np.isin(rows["qtype"], CARRYING)
        asked = (rows["flags"] & LookupFlag.ASKED != 0) & (rows["server_port"] < 5_353)  # names of mDNS are local
        chosen = np.flatnonzero(asked & ((rows["query_length"] >= NAME_BYTES_MIN) | carrying))
        found = []
        for place in chosen.tolist():
            row = rows[place]
            name = self.names.of(lookups, row)
            if name.below >= BELOW_MIN:
                found += self._note_name(lookups, row, name, bool(carrying[place]))
        return found

    def _note_name(self, lookups: Lookups, row: Any, name: Name, carrying: bool) -> list[Detection]:
        client, now, found = (int(row["client_hi"]), int(row["client_lo"])), int(row["now"]), []
        new = self._is_new((hash(client) ^ int(row["name_hash"])) & _WORD)
        if not new and (*client, name.domain) not in self.domains:
            return []
        shared = self._ask(name.domain, hash(client), now) >= SHARED_CLIENTS
        first = int(row["answer"])
        answered = int(lookups.answers["bytes"][first : first + int(row["answers"])].sum()) if carrying else 0
        given = (name.below * new, new, 1, carrying, row["rcode"] == 3, answered, name.entropy * new)
        figures = [float(each) for each in given]
        if new and not self._asked_first(row, _Asked(client, int(row["ts"]), name.domain, figures)):
            return []
        spans = self._spans(self.domains, (*client, name.domain), DOMAINS_EACH)
        for span, (seconds, least) in zip(spans, self.of_names, strict=True):
            sums = _Figures(*span.add(now, int(row["ts"]), figures, _step(seconds)))
            enough = _enough(sums, least) * (SHARED_FACTOR if shared else 1)
            if new and span.is_due(now, sums.bytes, enough):
                found.append(_of_names(row, name.domain, span, sums, seconds, enough))
        return found

    def _asked_first(self, row: Any, asks: _Asked) -> bool:
        """Whether nobody else asked for the name before. Who passes a question on is answered before the one who asked:
        what was counted for him is taken back.
        """
        name = int(row["name_hash"])
        other = self.asked.get(name)
        if other is not None and other.client != asks.client and other.ts <= asks.ts:
            return False
        if other is not None and other.client != asks.client:
            spans = self.domains.get((*other.client, other.domain), [])
            for span, (seconds, _) in zip(spans, self.of_names, strict=False):
                span.add(int(row["now"]), other.ts, [-each for each in other.figures], _step(seconds))
        elif other is None and len(self.asked) >= ASKED_MAX:
            del self.asked[next(iter(self.asked))]
        self.asked[name] = asks
        return True

    def _is_new(self, key: int) -> bool:
        """Whether this client has not asked for this name lately."""
        new = key not in self.seen
        if not new:
            del self.seen[key]
        elif len(self.seen) >= SEEN_MAX:
            del self.seen[next(iter(self.seen))]
        self.seen[key] = None
        return new

    def _ask(self, domain: str, client: int, now: int) -> int:
        """How many clients have asked for names below the domain within a day, up to SHARED_CLIENTS."""
        askers = self.askers.pop(domain, {})
        if len(self.askers) >= self.settings.clients_max:
            del self.askers[next(iter(self.askers))]
        if client in askers or len(askers) < SHARED_CLIENTS:
            askers[client] = now
        for gone in [each for each, last in askers.items() if now - last > nanoseconds(DAY_SECONDS)]:
            del askers[gone]
        self.askers[domain] = askers
        return len(askers)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Whatever it remembers, packed."""
        flows, domains = ([(key, [span.kept() for span in spans]) for key, spans in table.items()]
                          for table in (self.flows, self.domains))  # fmt: skip
        packed = msgspec.msgpack.encode(
            (flows, domains, list(self.seen), list(self.askers.items()), list(self.asked.items()))
        )
        return {"packed": np.frombuffer(packed, np.uint8)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if "packed" not in saved:
            return False
        try:
            flows, domains, seen, askers, asked = msgspec.msgpack.decode(saved["packed"].tobytes(), type=_Saved)
        except msgspec.DecodeError:
            return False
        self.flows = {key: [Span.resumed(each) for each in spans] for key, spans in flows}
        self.domains = {key: [Span.resumed(each) for each in spans] for key, spans in domains}
        self.seen, self.askers, self.asked = dict.fromkeys(seen), dict(askers), dict(asked)
        return True


_Saved = tuple[
    list[tuple[tuple[int, int], list[Kept]]], list[tuple[tuple[int, int, str], list[Kept]]], list[int],
    list[tuple[str, dict[int, int]]], list[tuple[int, _Asked]],
]  # fmt: skip


def _step(seconds: float) -> int:
    return nanoseconds(seconds / STEPS)


def _enough(sums: _Figures, least: float) -> float:
    """How many bytes in new names are a tunnel, of names such as these."""
    names = max(sums.names, 1.0)
    below = sums.bytes / names
    if below < BELOW_MIN or sums.entropy / names < ENTROPY_MIN:
        return float("inf")
    carries = 2 * sums.carrying >= sums.questions
    if below >= BELOW_LONG and carries and sums.answered >= ANSWER_MIN * sums.questions:
        return least // BOTH_FACTOR
    if below >= BELOW_LONG or carries:
        return least
    return least * HASHES_FACTOR if below >= BELOW_HASH else float("inf")


def _of_flow(flow: Any, span: Span, sent: int, questions: int, seconds: float, least: float) -> Detection:
    client = address(flow, "orig")
    return Detection(
        now=int(flow["end_now"]),
        rule=TUNNEL,
        entity=Entity("client", client),
        numbers=Numbers(
            observed=float(sent), threshold=float(least), unit="bytes in long questions", window_seconds=seconds
        ),
        count=questions,
        run=f"{client}/{seconds:g}@{span.run_now}",
        first_ts=span.first_ts,
        last_ts=int(flow["last_ts"]),
        confidence=0.8,
        client_ip=client,
        client_port=int(flow["orig_port"]),
        server_ip=address(flow, "resp"),
        server_port=PORT,
        community_id=community_id(flow, "orig", "resp"),
        details={"questions": questions, "bytes_a_question": round(sent / max(questions, 1))},
    )


def _of_names(row: Any, domain: str, span: Span, sums: _Figures, seconds: float, least: float) -> Detection:
    client = address(row, "client")
    carrying = sums.carrying / sums.questions
    return Detection(
        now=int(row["now"]),
        rule=TUNNEL,
        entity=Entity("client", client),
        numbers=Numbers(
            observed=sums.bytes, threshold=least, unit="bytes in new names below a domain", window_seconds=seconds
        ),
        count=int(sums.questions),
        run=f"{client}/{domain}/{seconds:g}@{span.run_now}",
        first_ts=span.first_ts,
        last_ts=int(row["ts"]),
        confidence=0.9 if carrying >= 0.5 else 0.8,
        **ends_of(row),
        details={
            "domain": domain,
            "questions": int(sums.questions),
            "new_names": int(sums.names),
            "bytes_a_name": round(sums.bytes / sums.names),
            "entropy_bits": round(sums.entropy / sums.names, 2),
            "txt_null_cname_share": round(carrying, 2),
            "nxdomain_share": round(sums.failed / sums.questions, 2),
            "answer_bytes": int(sums.answered),
        },
    )
