"""Error spikes: in: transactions; out: detections of servers and endpoints that fail more than they used to, or fall
silent.

Shares of 4xx, 5xx, 401, 403 and 429 are each compared with the row's own earlier share, with half a minute of traffic
to begin with. An endpoint is down when it answered before and now gives 502, 503, 504 or nothing; when it answers
again, a last detection says so. The one law: the server or endpoint is named, never a client: they are the victims.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Numbers, Rule, Severity
from sensor.config import ErrorSpikeSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.error_shares import DOWN, KINDS, REQUESTS, STEPS, Errors, Shares, Spike
from sensor.detection.evidence import address, http_of
from sensor.detection.findings import endpoint_name, server_name
from sensor.detection.ticking import Ticks
from sensor.schema import Anomaly, TransactionFlag
from sensor.structures.entity_tables import SharedTable

SPIKE = Rule(
    id="error-spike",
    version=1,
    title="Error spike: a server or endpoint refuses or fails far more requests than it used to",
    category="availability",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API4:2023", "API8:2023"),
    attack=("T1499",),
)
OUTAGE = Rule(
    id="api-endpoint-down",
    version=1,
    title="Endpoint down: what answered before gives 502, 503, 504 or nothing",
    category="availability",
    kind=Kind.BEHAVIOUR,
    severity=Severity.HIGH,
    owasp=("API4:2023", "API8:2023"),
    attack=("T1499",),
)
_LOST = (
    Anomaly.REQUEST_GAP | Anomaly.RESPONSE_GAP | Anomaly.MIDSTREAM | Anomaly.PAIRING_AMBIGUOUS
    | Anomaly.REQUEST_RESET | Anomaly.REQUEST_UNFINISHED
)  # fmt: skip
_ALONE_TIMES = 2
"""Times as many requests when one client alone says that an endpoint is down."""
_ENDPOINTS_SHOWN = 5


def _kind_by_status() -> npt.NDArray[np.uint8]:
    """Status code to kind, DOWN where there is none."""
    kinds = np.full(1 << 16, DOWN, np.uint8)
    kinds[400:500], kinds[500:600] = 0, 1
    kinds[401], kinds[403], kinds[429] = 2, 3, 4
    return kinds


class _Name(NamedTuple):
    entity: Entity
    server_ip: str
    server_port: int
    http: Http | None
    server: int


class _Watch:
    """Servers, or endpoints: their shares, their names, and the detections that go on."""

    def __init__(self, column: str, settings: ErrorSpikeSettings) -> None:
        self.column = column
        self.shares = Shares(settings)
        self.names: dict[int, _Name] = {}
        self.errors: list[Errors] = []  # by step, the present one last
        self.told: dict[tuple[int, str], tuple[int, int]] = {}  # row, rule: first and last tick told of
        self.silent: dict[int, int] = {}  # row that is down: requests without an answer

    def begin(self, table: SharedTable, rows: npt.NDArray[np.intp]) -> None:
        for row in self.shares.begin(table, rows).tolist():
            self.names.pop(row, None)
            self.silent.pop(row, None)
            self.told = {key: value for key, value in self.told.items() if key[0] != row}

    def window(self) -> Errors:
        if not self.errors:
            return Errors(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8))
        return Errors(*(np.concatenate(each) for each in zip(*self.errors, strict=True)))


class ErrorSpike:
    """See the file's head; settings: ErrorSpikeSettings."""

    rules = (SPIKE, OUTAGE)
    faults = 0
    evicted = 0

    def __init__(self, settings: ErrorSpikeSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.step_ns = nanoseconds(settings.window_seconds / STEPS)
        self.ticks = Ticks(self.step_ns, STEPS)
        self.kinds = _kind_by_status()
        self.watches = (_Watch("server", settings), _Watch("endpoint", settings))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {watch.column: watch.shares.usual.state() for watch in self.watches}

    def restore(self, saved: Any) -> bool:
        return all(watch.shares.usual.restore(saved[watch.column]) for watch in self.watches if watch.column in saved)

    def process(self, batch: Batch) -> list[Detection]:
        rows = batch.transactions
        status = rows["status_code"]
        silent = (status == 0) & (rows["flags"] & TransactionFlag.REQUEST > 0)
        silent &= (rows["flags"] & TransactionFlag.TOUCHED == 0) & (rows["anomalies"] & np.uint64(_LOST) == 0)
        failing = np.flatnonzero((status >= 400) | silent)
        detections: list[Detection] = []
        columns = [batch.entities[watch.column].astype(np.intp) for watch in self.watches]
        for watch, column in zip(self.watches, columns, strict=True):
            watch.begin(getattr(batch.tables, watch.column), column)
        for part in self.ticks.parts(rows["now"], batch.now):
            if part.tick:
                detections += self._tick(batch, part.tick)
                continue
            few = failing[np.searchsorted(failing, part.start) : np.searchsorted(failing, part.stop)]
            for watch, column in zip(self.watches, columns, strict=True):
                watch.shares.add(column[part.start : part.stop], REQUESTS)
                self._add_errors(watch, batch, column, few)
        return detections

    def _add_errors(
        self, watch: _Watch, batch: Batch, column: npt.NDArray[np.intp], few: npt.NDArray[np.intp]
    ) -> None:
        rows = batch.transactions
        if not watch.errors:
            watch.errors.append(Errors(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8)))
        if not len(few):
            return
        status = rows["status_code"][few]
        kinds, at = self.kinds[status], column[few]
        said = kinds != DOWN
        watch.shares.add(at[said], kinds[said])
        down = (status == 0) | (status == 502) | (status == 503) | (status == 504)
        watch.shares.add(at[down], DOWN)
        clients = batch.entities["client"][few]
        present = watch.errors[-1]
        watch.errors[-1] = Errors(
            np.concatenate([present.rows, at.astype(np.int32)]), np.concatenate([present.clients, clients]),
            np.concatenate([present.kinds, kinds]),
        )  # fmt: skip
        known, first = np.unique(at, return_index=True)
        for row, number in zip(known.tolist(), first.tolist(), strict=True):
            if row not in watch.names:
                watch.names[row] = self._name(watch, rows[few[number]], int(batch.entities["server"][few[number]]))

    def _name(self, watch: _Watch, transaction: Any, server: int) -> _Name:
        http = None
        if watch.column == "server":
            entity = Entity("server", server_name(transaction))
        else:
            entity = Entity("endpoint", endpoint_name(transaction, self.strings))
            http = http_of(transaction, self.strings)
        return _Name(entity, address(transaction, "server"), int(transaction["server_port"]), http, server)

    def _tick(self, batch: Batch, tick: int) -> list[Detection]:
        """At the end of a step: servers first, whose trouble covers that of their endpoints."""
        detections: list[Detection] = []
        covered: dict[str, set[int]] = {}
        for watch in self.watches:
            table, shares, window = getattr(batch.tables, watch.column), watch.shares, watch.window()
            shares.look(table, tick, self.step_ns)
            worst: dict[int, Spike] = {}
            for spike in shares.spikes(table, window):
                before = worst.get(spike.row)
                if before is None or spike.share / spike.threshold > before.share / before.threshold:
                    worst[spike.row] = spike
            spiking = set(worst)
            for row, spike in worst.items():
                self._trouble(watch, row, SPIKE, tick)
                if self._is_due(watch, row, SPIKE, tick, covered):
                    detections.append(self._spike(watch, spike, tick))
            down = self._down(watch, table, window)
            for row in sorted(down):
                self._trouble(watch, row, OUTAGE, tick)
                watch.silent[row] = int(shares.down_requests[row])
                if self._is_due(watch, row, OUTAGE, tick, covered):
                    detections.append(self._outage(watch, row, tick, 0))
            detections += self._recovered(watch, down, spiking, tick)
            if watch.column == "server":
                covered = {SPIKE.id: {row for row, rule in watch.told if rule == SPIKE.id}, OUTAGE.id: down}
            shares.step(table, tick, self.step_ns)
            empty = Errors(window.rows[:0], window.clients[:0], window.kinds[:0])
            watch.errors = [*watch.errors, empty][-STEPS:]
        return detections

    def _trouble(self, watch: _Watch, row: int, rule: Rule, tick: int) -> None:
        """Keep the row's baseline as it was, for as long as this can be an exception."""
        began = watch.told.get((row, rule.id), (tick, 0))[0]
        if tick - began < nanoseconds(self.settings.adopt_seconds):
            watch.shares.troubled[row] = tick

    @staticmethod
    def _is_due(watch: _Watch, row: int, rule: Rule, tick: int, covered: dict[str, set[int]]) -> bool:
        """Whether it is to be said now: at first, and every while; not of endpoints whose server is told of."""
        name, before = watch.names.get(row), watch.told.get((row, rule.id))
        if name is None or (watch.column == "endpoint" and (row == 0 or name.server in covered[rule.id])):
            return False
        if before is not None and tick - before[1] < nanoseconds(REPORT_SECONDS):
            return False
        watch.told[row, rule.id] = (before[0] if before else tick, tick)
        return True

    def _down(self, watch: _Watch, table: SharedTable, window: Errors) -> set[int]:
        """Rows that are down."""
        rows = np.flatnonzero(watch.shares.down_requests >= self.settings.down_requests_min)
        found = set()
        for row in rows.tolist():
            alone = len(np.unique(window.clients[window.rows == row])) < 2
            least = self.settings.down_requests_min * (_ALONE_TIMES if alone else 1)
            if watch.shares.down_requests[row] >= least and watch.shares.answered_before(table, row):
                found.add(row)
        return found

    def _recovered(self, watch: _Watch, down: set[int], spiking: set[int], tick: int) -> list[Detection]:
        """A last word on rows that answer again; spikes that are over are forgotten."""
        detections = []
        for row, rule in list(watch.told):
            if rule == OUTAGE.id and row not in down and not watch.shares.down_requests[row]:
                detections.append(self._outage(watch, row, tick, tick))
                del watch.told[row, rule]
            over = tick - watch.shares.troubled[row] > STEPS * self.step_ns
            if rule == SPIKE.id and row not in spiking and over:
                del watch.told[row, rule]
        return detections

    def _spike(self, watch: _Watch, spike: Spike, tick: int) -> Detection:
        since = watch.told[spike.row, SPIKE.id][0] - STEPS * self.step_ns
        numbers = Numbers(
            observed=round(100 * spike.share, 1), threshold=round(100 * spike.threshold, 1),
            baseline=round(100 * spike.usual, 2),
            unit=f"% of requests answered {KINDS[spike.kind]}", window_seconds=self.settings.window_seconds,
        )  # fmt: skip
        details: dict[str, Any] = {
            "status": KINDS[spike.kind], "errors": spike.errors, "requests": spike.requests, "clients": spike.clients,
        }  # fmt: skip
        if watch.column == "server":
            details["endpoints"] = self._endpoints(spike.row, spike.kind)
        return self._detection(watch, spike.row, SPIKE, tick, numbers, spike.errors, since, details)

    def _endpoints(self, server: int, kind: int) -> list[str]:
        """The server's endpoints with most errors of a kind in the window."""
        watch = self.watches[1]
        window = watch.window()
        rows, counts = np.unique(window.rows[window.kinds == kind], return_counts=True)
        names = [
            watch.names[row].entity.value
            for row in rows[np.argsort(-counts, kind="stable")].tolist()
            if row in watch.names and row and watch.names[row].server == server
        ]
        return names[:_ENDPOINTS_SHOWN]

    def _outage(self, watch: _Watch, row: int, tick: int, recovered: int) -> Detection:
        first = watch.told[row, OUTAGE.id][0]
        since = int(watch.shares.down_since[row])
        requests = watch.silent[row]
        numbers = Numbers(
            observed=float(requests),
            threshold=float(self.settings.down_requests_min),
            unit="requests in a row without a proper answer", window_seconds=(tick - since) / 1e9,
        )  # fmt: skip
        details: dict[str, Any] = {"down_seconds": (tick - since) // 1_000_000_000, "recovered": bool(recovered)}
        return self._detection(watch, row, OUTAGE, tick, numbers, requests, min(since, first), details)

    @staticmethod
    def _detection(
        watch: _Watch, row: int, rule: Rule, tick: int, numbers: Numbers, count: int, since: int,
        details: dict[str, Any],
    ) -> Detection:  # fmt: skip
        name = watch.names[row]
        return Detection(
            now=tick,
            rule=rule,
            entity=name.entity,
            numbers=numbers,
            count=count,
            run=f"{name.entity.value}@{since}",
            first_ts=since,
            last_ts=tick,
            server_ip=name.server_ip,
            server_port=name.server_port,
            http=name.http,
            details=details,
        )
