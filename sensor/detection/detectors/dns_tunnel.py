"""DNS tunnels: in: flows that ended or carry much; out: detections of clients whose questions carry data.

A name holds some 40 bytes where people and machines ask for hosts; who sends data in names fills them. Counted are the
bytes of questions in flows to port 53 whose questions are long on average, over minutes and over a day, so that a slow
drip adds up. What also looks like this: scanners of viruses and mail that ask for hashes, which is little a day. The
one law: a byte is counted once, in the flow that it was sent in, however often that is told of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import DnsTunnelSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, Table, nanoseconds
from sensor.detection.evidence import address, address_text, community_id
from sensor.schema import Proto

TUNNEL = Rule(
    id="dns-tunnel",
    version=1,
    title="DNS tunnel: a client's questions carry data",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API10:2023",),
    attack=("T1071.004", "T1048"),
)
_PORT = 53
_STEPS = 10
_DAY_SECONDS = 86_400.0
Client = tuple[int, int]


@dataclass(slots=True)
class _Span:
    """Bytes and questions of one client over a sliding window, by step."""

    steps: dict[int, list[int]] = field(default_factory=dict)
    run_now: int = 0
    first_ts: int = 0
    told_bytes: int = 0
    told_now: int = 0

    def add(self, now: int, ts: int, sent: int, questions: int, step_ns: int) -> tuple[int, int]:
        """Bytes and questions of the window, with these."""
        step = now // step_ns
        for gone in [each for each in self.steps if each <= step - _STEPS]:
            del self.steps[gone]
        cell = self.steps.setdefault(step, [0, 0, ts])
        cell[0] += sent
        cell[1] += questions
        cell[2] = min(cell[2], ts)
        return sum(each[0] for each in self.steps.values()), sum(each[1] for each in self.steps.values())

    def is_due(self, now: int, sent: int, least: int) -> bool:
        """Whether so many bytes are too many, and worth saying now."""
        if sent < least:
            self.run_now = 0
            return False
        if not self.run_now:
            self.run_now, self.told_bytes, self.first_ts = now, 0, min(each[2] for each in self.steps.values())
        if sent < 2 * self.told_bytes and now - self.told_now < nanoseconds(REPORT_SECONDS):
            return False
        self.told_bytes, self.told_now = sent, now
        return True


class DnsTunnel:
    """See the file's head; settings: DnsTunnelSettings."""

    rules = (TUNNEL,)
    faults = 0

    def __init__(self, settings: DnsTunnelSettings, strings: Strings) -> None:
        self.settings = settings
        self.spans = ((settings.window_seconds, settings.bytes_min), (_DAY_SECONDS, settings.day_bytes_min))
        self.clients: dict[Client, tuple[_Span, ...]] = {}
        self.evicted = 0

    def process(self, batch: Batch) -> list[Detection]:
        long = [
            (flows[place], streams[2 * place])
            for flows, streams in ((batch.flows, batch.streams), (batch.told, batch.told_streams))
            for place in self._long(flows, streams)
        ]
        long.sort(key=lambda each: int(each[0]["end_now"]))
        return [detection for flow, asked in long for detection in self._note(flow, asked)]

    def _long(self, flows: Table, streams: Table) -> list[int]:
        """Flows to port 53 whose questions are long on average, in order."""
        at = np.flatnonzero(flows["resp_port"] == _PORT)
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
        for span, (seconds, least) in zip(self._client(flow), self.spans, strict=True):
            step_ns = nanoseconds(seconds / _STEPS)
            total, asked_times = span.add(now, int(flow["start_ts"]), fresh, questions, step_ns)
            if span.is_due(now, total, least):
                found.append(self._detection(flow, span, total, asked_times, seconds, least))
        return found

    def _client(self, flow: Any) -> tuple[_Span, ...]:
        key = int(flow["orig_hi"]), int(flow["orig_lo"])
        spans = self.clients.pop(key, None)
        if spans is None:
            spans = tuple(_Span() for _ in self.spans)
            if len(self.clients) >= self.settings.clients_max:
                del self.clients[next(iter(self.clients))]
                self.evicted += 1
        self.clients[key] = spans
        return spans

    def _detection(
        self, flow: Any, span: _Span, sent: int, questions: int, seconds: float, least: int
    ) -> Detection:
        client = address_text(int(flow["orig_hi"]), int(flow["orig_lo"]))
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
            server_port=_PORT,
            community_id=community_id(flow, "orig", "resp"),
            details={"questions": questions, "bytes_a_question": round(sent / max(questions, 1))},
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """By client and span: its figures, and its steps."""
        figures, steps = [], []
        for (hi, lo), spans in self.clients.items():
            for which, span in enumerate(spans):
                figures.append((hi, lo, which, span.run_now, span.first_ts, span.told_bytes, span.told_now))
                steps += [(hi, lo, which, step, *cell) for step, cell in span.steps.items()]
        return {
            "figures": np.array(figures, np.uint64).reshape(-1, 7), "steps": np.array(steps, np.uint64).reshape(-1, 7)
        }  # fmt: skip

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if any(name not in saved or saved[name].shape[1:] != (7,) for name in ("figures", "steps")):
            return False
        for hi, lo, which, run_now, first_ts, told_bytes, told_now in saved["figures"].tolist():
            spans = self.clients.setdefault((hi, lo), tuple(_Span() for _ in self.spans))
            span = spans[which]
            span.run_now, span.first_ts, span.told_bytes, span.told_now = run_now, first_ts, told_bytes, told_now
        for hi, lo, which, step, sent, questions, ts in saved["steps"].tolist():
            self.clients[hi, lo][which].steps[step] = [sent, questions, ts]
        return True
