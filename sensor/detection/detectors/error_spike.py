"""Error spikes: in: transactions and flows; out: detections of servers and endpoints that fail more than they used to,
or fall silent.

Shares of 4xx, 5xx, 401, 403 and 429 are each compared with the row's own earlier share, with half a minute of traffic
to begin with. An endpoint is down when it answered before and now gives 502, 503, 504 or nothing; when it answers
again, a last detection says so. Connections that are refused are looked at by refusals.py. The one law: the server or
endpoint is named, never a client: they are the victims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Numbers, Rule, Severity
from sensor.config import ErrorSpikeSettings
from sensor.detection import carried
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, Table, nanoseconds
from sensor.detection.error_shares import KINDS, STEPS, Errors, Shares, Spike
from sensor.detection.error_shares_kernel import ERROR, NAME_ENDPOINT, NAME_SERVER, count_answers
from sensor.detection.evidence import address, http_of
from sensor.detection.findings import endpoint_name, server_name, server_text
from sensor.detection.owners import Owners
from sensor.detection.refusals import ALONE_TIMES, OUTAGE, SECURITY, Refusals, outage_of
from sensor.detection.ticking import Part, Ticks
from sensor.structures.entity_tables import SharedTable
from sensor.structures.records import copied, joined

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
_ENDPOINTS_SHOWN = 5


class _Name(NamedTuple):
    entity: Entity
    server_ip: str
    server_port: int
    http: Http | None
    server: int


class _Words(NamedTuple):
    """What a watch knows in words, to be carried over a restart."""

    names: dict[int, _Name]
    told: list[tuple[int, str, int, int]]
    silent: dict[int, int]


class _Watch:
    """Servers, or endpoints: their shares, their names, and the detections that go on."""

    def __init__(self, column: str, settings: ErrorSpikeSettings) -> None:
        self.column = column
        self.shares = Shares(settings)
        self.owners = Owners(column, self.shares.usual)
        self.wants = NAME_SERVER if column == "server" else NAME_ENDPOINT
        self.names: dict[int, _Name] = {}
        self.told: dict[tuple[int, str], tuple[int, int]] = {}  # row, rule: first and last tick told of
        self.silent: dict[int, int] = {}  # row that is down: requests without an answer

    def begin(self, batch: Batch) -> None:
        changed = self.owners.changed(batch)
        self.shares.begin(self.owners.table(batch), changed)
        for row in changed.tolist() if self.names else ():
            self.names.pop(row, None)
            self.silent.pop(row, None)
            self.told = {key: value for key, value in self.told.items() if key[0] != row}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        told = [(row, rule, first, last) for (row, rule), (first, last) in self.told.items()]
        return {**self.shares.state(), "words": packed(_Words(self.names, told, self.silent))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "words", _Words)
        if words is None:
            return False
        self.names, self.silent = words.names, words.silent
        self.told = {(row, rule): (first, last) for row, rule, first, last in words.told}
        return self.shares.restore(saved)


class ErrorSpike:
    """See the file's head; settings: ErrorSpikeSettings."""

    rules = (SPIKE, OUTAGE, SECURITY)

    def __init__(self, settings: ErrorSpikeSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.step_ns = nanoseconds(settings.window_seconds / STEPS)
        self.ticks = Ticks(self.step_ns, STEPS)
        self.errors: list[list[Table]] = [[]]  # ERROR by step, the present one last
        self.room = np.zeros(0, ERROR)
        self.watches = (_Watch("server", settings), _Watch("endpoint", settings))
        self.refusals = Refusals(settings)

    @property
    def evicted(self) -> int:
        return self.refusals.table.evicted

    @property
    def faults(self) -> int:
        return self.refusals.faults

    def state(self) -> dict[str, npt.NDArray[Any]]:
        errors = np.concatenate([self.room[:0], *(chunk for step in self.errors for chunk in step)])
        counts = [sum(map(len, step)) for step in self.errors]
        state = {"ticks": self.ticks.current, "errors": errors, "steps": np.array(counts, np.int64)}
        for watch in self.watches:
            state |= carried.under(watch.column, watch.state())
        return state | carried.under("refusals", self.refusals.state())

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if not all(watch.restore(carried.of(watch.column, saved)) for watch in self.watches):
            return False
        self.refusals.restore(carried.of("refusals", saved))
        self.ticks.current[:] = saved["ticks"]
        ends = np.cumsum(saved["steps"])
        self.errors = [[chunk] for chunk in np.split(saved["errors"].astype(ERROR), ends[:-1])]
        return True

    def process(self, batch: Batch) -> list[Detection]:
        detections = self.refusals.process(batch)
        for watch in self.watches:
            watch.begin(batch)
        if len(self.room) < len(batch.transactions):
            self.room = np.zeros(2 * len(batch.transactions), ERROR)
        for part in self.ticks.parts(batch.transactions["now"], batch.now):
            if part.tick:
                detections += self._tick(batch, part.tick)
            else:
                self._count(batch, part)
        return detections

    def _count(self, batch: Batch, part: Part) -> None:
        for watch in self.watches:
            watch.shares.count()
        shares = [watch.shares.counted for watch in self.watches]
        found = count_answers(
            batch.transactions, batch.entities, part.start, part.stop, *shares[0], *shares[1],
            self.settings.errors_min, self.room,
        )  # fmt: skip
        if not found:
            return
        errors = copied(self.room[:found])
        self.errors[-1].append(errors)
        for error in errors[errors["wants"] != 0]:
            for watch in self.watches:
                if error["wants"] & watch.wants:
                    transaction = batch.transactions[error["place"]]
                    watch.names[int(error[watch.column])] = self._name(watch, transaction, int(error["server"]))

    def _window(self, watch: _Watch) -> Errors:
        """The errors of the last steps, as they count for a watch."""
        chunks = [chunk for step in self.errors for chunk in step]
        errors = joined(chunks) if chunks else self.room[:0]
        return Errors(errors[watch.column], errors["client"], errors["kind"])

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
        covered: dict[str, set[int]] = {SPIKE.id: set(), OUTAGE.id: set()}
        errors = any(self.errors)
        for watch in self.watches:
            table, shares = getattr(batch.tables, watch.column), watch.shares
            shares.look(table, tick, self.step_ns)
            if not errors and not watch.told and not shares.is_silent:
                shares.step(table, tick, self.step_ns)
                continue
            window = self._window(watch)
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
        self.errors = [*self.errors, []][-STEPS:]
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
        found = set()
        for row in watch.shares.down(table):
            alone = len(np.unique(window.clients[window.rows == row])) < 2
            least = self.settings.down_requests_min * (ALONE_TIMES if alone else 1)
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
        window = self._window(watch)
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
        name = watch.names[row]
        rule, service = OUTAGE, dict[str, Any]()
        if watch.column == "server":
            rule, service = outage_of(self.settings, server_text(name.server_ip, name.server_port))
        details = service | {"down_seconds": (tick - since) // 1_000_000_000, "recovered": bool(recovered)}
        return self._detection(watch, row, rule, tick, numbers, requests, min(since, first), details)

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
