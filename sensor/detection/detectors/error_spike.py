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
from sensor.detection.error_shares import DOWN, KINDS, NO_ERRORS, REQUESTS, STEPS, WIDTH, Errors, Shares, Spike
from sensor.detection.evidence import address, http_of
from sensor.detection.findings import endpoint_name, server_name
from sensor.detection.owners import Owners
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


def _failing(batch: Batch) -> npt.NDArray[np.intp]:
    """Rows that were refused, failed, or had no answer though nothing of them was lost."""
    few, status = batch.failed, batch.status[batch.failed]
    silent = few[status == 0]
    if not len(silent):
        return few
    rows = batch.transactions[silent]
    lost = (rows["flags"] & TransactionFlag.REQUEST == 0) | (rows["flags"] & TransactionFlag.TOUCHED != 0)
    lost |= rows["anomalies"] & np.uint64(_LOST) != 0
    return np.sort(np.concatenate([few[status != 0], silent[~lost]]))


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
        self.owners = Owners(column, self.shares.usual)
        self.names: dict[int, _Name] = {}
        self.errors: list[list[Errors]] = [[]]  # by step, the present one last
        self.failures: dict[int, int] = {}  # of rows without a name in this step
        self.told: dict[tuple[int, str], tuple[int, int]] = {}  # row, rule: first and last tick told of
        self.silent: dict[int, int] = {}  # row that is down: requests without an answer

    def begin(self, batch: Batch) -> None:
        changed = self.owners.changed(batch)
        self.shares.begin(self.owners.table(batch), changed)
        for row in changed.tolist() if self.names else ():
            self.names.pop(row, None)
            self.silent.pop(row, None)
            self.told = {key: value for key, value in self.told.items() if key[0] != row}

    def needs_name(self, row: int) -> bool:
        """Whether a failure of a row is one more than can pass without being told of: few rows ever fail twice."""
        if row in self.names:
            return False
        self.failures[row] = self.failures.get(row, 0) + 1
        return self.failures[row] > 1 or bool(self.shares.down_requests[row])

    def window(self) -> Errors:
        chunks = [NO_ERRORS, *(chunk for step in self.errors for chunk in step)]
        return Errors(*map(np.concatenate, zip(*chunks, strict=True)))

    def step(self) -> None:
        self.errors = [*self.errors, []][-STEPS:]
        self.failures = {}


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
        few = _failing(batch)
        detections: list[Detection] = []
        for watch in self.watches:
            watch.begin(batch)
        for part in self.ticks.parts(rows["now"], batch.now):
            if part.tick:
                detections += self._tick(batch, part.tick)
                continue
            own = few[np.searchsorted(few, part.start) : np.searchsorted(few, part.stop)]
            for watch in self.watches:
                watch.owners.count(batch, part.start, part.stop, watch.shares.present(REQUESTS), WIDTH)
                if len(own):
                    self._add_errors(watch, batch, own)
        return detections

    def _add_errors(self, watch: _Watch, batch: Batch, few: npt.NDArray[np.intp]) -> None:
        status = batch.status[few]
        kinds, at = self.kinds[status], batch.entities[watch.column][few]
        said = kinds != DOWN
        watch.shares.add(at[said], kinds[said])
        down = (status == 0) | (status == 502) | (status == 503) | (status == 504)
        if down.any():
            watch.shares.add(at[down], DOWN)
        watch.errors[-1].append(Errors(at, batch.entities["client"][few], kinds))
        for row, place in zip(at.tolist(), few.tolist(), strict=True):
            if watch.needs_name(row):
                watch.names[row] = self._name(watch, batch.transactions[place], int(batch.entities["server"][place]))

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
            watch.step()
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
