"""Slow HTTP: in: transactions that were not finished; out: detections of clients that keep them open.

Slowloris sends a head line by line, a slow POST its body byte by byte, a slow reader takes the answer byte by byte,
each on many connections, until the server has none left. Told when these end, which a server's own time limit sees to.
A long answer, a long upload that moves and a connection that idles are none of it, nor is a server that stalls for
several clients. The one law: what the mirror lost is nobody's slowness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import SlowRequestsSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, Table, nanoseconds
from sensor.detection.evidence import address, community_id, http_of
from sensor.detection.findings import server_name
from sensor.schema import Anomaly, TransactionFlag
from sensor.structures.records import picked

SLOW_HTTP = Rule(
    id="slow-http",
    version=1,
    title="Slow HTTP: many requests are kept open and never finished",
    category="availability",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API4:2023",),
    attack=("T1499.002",),
)
_OPEN = np.uint64(Anomaly.REQUEST_UNFINISHED | Anomaly.REQUEST_GAP)
_UNREAD = np.uint64(Anomaly.RESPONSE_UNFINISHED)
_LOST = np.uint64(Anomaly.MIDSTREAM | Anomaly.PAIRING_AMBIGUOUS | Anomaly.RESPONSE_GAP)
_ALONE_TIMES = 4
"""Times as many unread answers as all other clients have together: else the server stalls."""
_ALL_TIMES = 5
"""Times as many from all clients together make the server's case of it."""
_READER = "reader"
"""What a client goes by as one that leaves answers unread."""
_KEY_BYTES = 64


def _dragged(rows: Table, seconds_min: float, rate_max: float) -> npt.NDArray[np.bool_]:
    """Which of these rows are requests that were kept open: nothing of them is missing but their end."""
    odd = rows["anomalies"]
    seconds = (rows["now"] - rows["ts"]) / 1e9
    is_open = (odd & _OPEN != 0) & (odd & _LOST == 0) & (rows["request_missing_bytes"] == 0)
    seen = (rows["flags"] & TransactionFlag.REQUEST > 0) & (rows["flags"] & TransactionFlag.TOUCHED == 0)
    slow = (seconds >= seconds_min) & (rows["request_body_len"] <= rate_max * seconds)
    dragged: npt.NDArray[np.bool_] = is_open & seen & slow & (rows["version"] < 20)
    return dragged


def _unread(rows: Table, seconds_min: float, rate_max: float) -> npt.NDArray[np.bool_]:
    """Which of these rows are answers of a length that the server named, kept open and not taken."""
    odd = rows["anomalies"]
    seconds = (rows["now"] - rows["ts"]) / 1e9
    is_open = (odd & _UNREAD != 0) & (odd & _LOST == 0) & (rows["response_missing_bytes"] == 0)
    named = rows["response_body_max"] > rows["response_body_len"]
    slow = (seconds >= seconds_min) & (rows["response_body_len"] <= rate_max * seconds)
    unread: npt.NDArray[np.bool_] = is_open & named & slow & (rows["version"] < 20)
    return unread


@dataclass(slots=True)
class _Case:
    """The latest requests of one client, or to one server: when each ended and began; how many in the run."""

    ended: list[int] = field(default_factory=list)
    began: list[int] = field(default_factory=list)
    count: int = 0
    first_ts: int = 0
    run_now: int = 0
    told_count: int = 0
    told_now: int = 0

    def note(self, now: int, ts: int, least: int, window_ns: int) -> bool:
        """One more; whether there are `least` in the window, and it is worth saying now."""
        self.ended.append(now)
        self.began.append(ts)
        del self.ended[:-least], self.began[:-least]
        if len(self.ended) < least or now - self.ended[0] > window_ns:
            self.run_now = 0
            return False
        if not self.run_now:
            self.run_now, self.count, self.first_ts, self.told_count = now, least - 1, min(self.began), 0
        self.count += 1
        if self.count < 2 * self.told_count and now - self.told_now < nanoseconds(REPORT_SECONDS):
            return False
        self.told_count, self.told_now = self.count, now
        return True

    def figures(self) -> list[int]:
        return [self.count, self.first_ts, self.run_now, self.told_count, self.told_now]


class SlowRequests:
    """See the file's head; settings: SlowRequestsSettings."""

    rules = (SLOW_HTTP,)
    faults = 0

    def __init__(self, settings: SlowRequestsSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.cases: dict[str, _Case] = {}
        self.evicted = 0

    def process(self, batch: Batch) -> list[Detection]:
        odd = batch.transactions["anomalies"]
        unended = np.flatnonzero(odd & (_OPEN | _UNREAD)) if len(odd) else np.zeros(0, np.intp)
        if not len(unended):
            return []
        few = picked(batch.transactions, unended)
        limits = self.settings.seconds_min, self.settings.bytes_per_second_max
        unread = _unread(few, *limits)
        kept_open = np.flatnonzero(_dragged(few, *limits) | unread)
        return [hit for place in kept_open for hit in self._note(few[place], bool(unread[place]))]

    def _note(self, row: Any, unread: bool) -> list[Detection]:
        """One more that was kept open."""
        detections = []
        for entity, least in (
            (Entity("client", address(row, "client")), self.settings.requests_min),
            (Entity("server", server_name(row)), self.settings.requests_min * _ALL_TIMES),
        ):
            reads = unread and entity.kind == "client"
            case = self._case(f"{_READER if reads else entity.kind} {entity.value}")
            if not case.note(int(row["now"]), int(row["ts"]), least, nanoseconds(self.settings.window_seconds)):
                continue
            if not reads or self._is_alone(case, int(row["now"])):
                detections.append(self._detection(entity, case, least, row))
        return detections

    def _is_alone(self, case: _Case, now: int) -> bool:
        """Whether a client leaves far more answers unread than all others together at present."""
        since = now - nanoseconds(self.settings.window_seconds)
        readers = [each for key, each in self.cases.items() if key.startswith(_READER)]
        others = sum(ended >= since for each in readers if each is not case for ended in each.ended)
        return len(case.ended) >= _ALONE_TIMES * others

    def _case(self, key: str) -> _Case:
        case = self.cases.pop(key, None)
        if case is None:
            case = _Case()
            if len(self.cases) >= self.settings.entities_max:
                del self.cases[next(iter(self.cases))]
                self.evicted += 1
        self.cases[key] = case
        return case

    def _detection(self, entity: Entity, case: _Case, least: int, row: Any) -> Detection:
        is_client = entity.kind == "client"
        return Detection(
            now=int(row["now"]),
            rule=SLOW_HTTP,
            entity=entity,
            numbers=Numbers(
                observed=float(case.count), threshold=float(least), unit="requests kept open",
                window_seconds=self.settings.window_seconds,
            ),
            count=case.count,
            run=f"{entity.value}@{case.run_now}",
            first_ts=case.first_ts,
            last_ts=int(row["now"]),
            confidence=0.9,
            client_ip=address(row, "client") if is_client else None,
            client_port=int(row["client_port"]) if is_client else None,
            server_ip=address(row, "server"),
            server_port=int(row["server_port"]),
            community_id=community_id(row, "client", "server"),
            http=http_of(row, self.strings),
            details={
                "latest_open_seconds": round((int(row["now"]) - int(row["ts"])) / 1e9),
                "latest_body_bytes": int(row["request_body_len"]),
                "latest_answer_bytes": int(row["response_body_len"]),
            },
        )  # fmt: skip

    def state(self) -> dict[str, npt.NDArray[Any]]:
        most = self.settings.requests_min * _ALL_TIMES
        keys = np.zeros((len(self.cases), _KEY_BYTES), np.uint8)
        times = np.zeros((len(self.cases), 2, most), np.int64)
        for place, (key, case) in enumerate(self.cases.items()):
            text = key.encode()[:_KEY_BYTES]
            keys[place, : len(text)] = np.frombuffer(text, np.uint8)
            times[place, 0, : len(case.ended)], times[place, 1, : len(case.began)] = case.ended, case.began
        figures = np.array([case.figures() for case in self.cases.values()], np.int64).reshape(-1, 5)
        return {"keys": keys, "times": times, "figures": figures}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        most = self.settings.requests_min * _ALL_TIMES
        if any(name not in saved for name in ("keys", "times", "figures")) or saved["times"].shape[1:] != (2, most):
            return False
        for key, (ended, began), figures in zip(
            saved["keys"], saved["times"].tolist(), saved["figures"].tolist(), strict=True
        ):
            known = sum(1 for now in ended if now)
            text = bytes(key).rstrip(b"\0").decode(errors="replace")
            self.cases[text] = _Case(ended[:known], began[:known], *figures)
        return True
