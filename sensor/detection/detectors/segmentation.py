"""Micro-segmentation and least privilege: in: transactions and flows; out: calls that the allowed edges do not have,
and roles that do what the file does not have them doing.

Each combination of client, server, endpoint and role is judged when it is first met, and remembered while it is
allowed. The one law: without a file nothing is loaded and nothing is paid.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import SegmentationSettings
from sensor.detection.detector import Batch, Strings, Table
from sensor.detection.edges.allowed import Allowed, Call, read
from sensor.detection.evidence import address, community_id, identity_of
from sensor.detection.findings import Cases, endpoint_name, found, server_name
from sensor.detection.known_keys import KnownKeys
from sensor.detection.reloading import Reloading
from sensor.schema import ConnState, FlowFlag, Service

EDGE = Rule(
    id="edge-not-allowed", version=1, title="Call that the allowed edges do not have", category="segmentation",
    kind=Kind.BEHAVIOUR, severity=Severity.MEDIUM, owasp=("API8:2023",), attack=("T1210",),
)  # fmt: skip
ROLE = Rule(
    id="role-not-allowed", version=1, title="A role does what it is not known to need", category="segmentation",
    kind=Kind.BEHAVIOUR, severity=Severity.MEDIUM, owasp=("API5:2023",), attack=("T1078",),
)  # fmt: skip
FAULT = Rule(
    id="edges-not-reloaded", version=1, title="A changed file of edges has faults: the old one stays",
    category="health", kind=Kind.HEALTH, severity=Severity.MEDIUM,
)  # fmt: skip
_UNANSWERED = (ConnState.S0, ConnState.REJ, ConnState.OTH, ConnState.SH, ConnState.SHR, ConnState.RSTOS0,
               ConnState.RSTRH)  # fmt: skip
_ENDS = ("orig_hi", "orig_lo", "resp_hi", "resp_lo", "resp_port")
_CALL = ("client_hi", "client_lo", "server_hi", "server_lo", "server_port")
_TEXTS = ("method", "endpoint", "host")
_ROW = np.dtype([("ts", "i8"), ("now", "i8")])


class Segmentation:
    """See the file's head; settings: SegmentationSettings. SettingError when the file cannot be read."""

    rules = (EDGE, ROLE, FAULT)
    faults = 0

    def __init__(self, settings: SegmentationSettings, strings: Strings) -> None:
        self.strings = strings
        self._calls, self._flows, self._roles = KnownKeys(), KnownKeys(1 << 14), KnownKeys(1 << 14)
        self._cases = Cases((EDGE, ROLE), settings.entities_max)
        self.state, self.restore = self._cases.state, self._cases.restore
        self.allowed: Allowed | None = None
        if settings.file:
            path = Path(settings.file)
            self.allowed = read(path)
            self._reloading = Reloading(lambda: [path], lambda: read(path))

    @property
    def evicted(self) -> int:
        return self._cases.evicted

    def process(self, batch: Batch) -> list[Detection]:
        if self.allowed is None:
            return []
        said: list[Detection] = []
        changed = self._reloading.poll()
        if isinstance(changed, Allowed):
            self.allowed = changed
            for known in (self._calls, self._flows, self._roles):
                known.forget()
        elif changed is not None:
            said.append(_not_reloaded(str(changed), batch.now))
        if len(batch.transactions):
            said += self._edges(batch) if self.allowed.names_edges else []
            said += self._by_role(batch) if self.allowed.names_roles else []
        if len(batch.flows) and self.allowed.names_edges:
            said += self._other_flows(batch)
        return said

    def _edges(self, batch: Batch) -> list[Detection]:
        assert self.allowed is not None
        rows = batch.transactions
        keys = self._calls.keys(*(rows[name] for name in _CALL), *(self._hashes(rows, name) for name in _TEXTS))
        refused: dict[tuple[str, bool], list[int]] = {}
        for row, call in self._fresh(self._calls, keys, batch):
            if self.allowed.allows(call):
                self._calls.note(keys[row])
            else:
                granted = 200 <= int(rows["status_code"][row]) < 400
                target = f"{call.host or server_name(rows[row])} {call.endpoint}"
                refused.setdefault((f"{call.client} -> {target}", granted), []).append(row)
        said = []
        for (edge, granted), numbers in refused.items():
            key = f"{edge} {'granted' if granted else 'refused'}"
            for case in self._cases.note(EDGE, key, rows, np.array(numbers, np.int64)):
                entity = Entity("client", address(rows[case.row], "client"))
                details = {"edge": edge, "granted": granted}
                severity = None if granted else Severity.LOW
                said.append(found(EDGE, entity, case, rows, self.strings, "requests", details, severity))
        return said

    def _fresh(self, known: KnownKeys, keys: npt.NDArray[np.uint64], batch: Batch) -> Iterator[tuple[int, Call]]:
        """Rows that need a look, with their call; those of one combination one after the other."""
        rows = batch.transactions
        for row in known.fresh(keys).tolist():
            one = rows[row]
            method, template = (self.strings.text(int(one[name])) for name in ("method", "endpoint"))
            yield row, Call(
                address(one, "client"), address(one, "server"), int(one["server_port"]),
                self.strings.text(int(one["host"])), f"{method} {template}",
            )  # fmt: skip

    def _hashes(self, rows: Table, name: str) -> npt.NDArray[np.uint64]:
        """Of a pooled text: its code may be another's later, its hash not."""
        hashes: npt.NDArray[np.uint64] = self.strings.tables.entries["hash"][rows[name]]
        return hashes

    def _by_role(self, batch: Batch) -> list[Detection]:
        assert self.allowed is not None
        rows, entities = batch.transactions, batch.entities
        keys = self._roles.keys(rows["role"], *(self._hashes(rows, name) for name in _TEXTS[:2]))
        said = []
        for row in self._roles.fresh(keys).tolist():
            one = rows[row]
            role = f"{one['role']:016x}"
            method, template = (self.strings.text(int(one[name])) for name in ("method", "endpoint"))
            if not one["role"] or self.allowed.role_may(role, f"{method} {template}"):
                self._roles.note(keys[row])
                continue
            granted = 200 <= int(one["status_code"]) < 400
            name = endpoint_name(one, self.strings)
            identity = identity_of(one, int(entities["identity_kind"][row]))
            key = f"{identity.value} {role} {name} {granted}"
            for case in self._cases.note(ROLE, key, rows, np.array([row], np.int64)):
                details = {"role": role, "endpoint": name, "granted": granted}
                severity = None if granted else Severity.LOW
                said.append(found(ROLE, identity, case, rows, self.strings, "requests", details, severity))
        return said

    def _other_flows(self, batch: Batch) -> list[Detection]:
        """Flows that are not HTTP and were answered."""
        assert self.allowed is not None
        said: list[Detection] = []
        flows = batch.flows[batch.flows["flags"] & FlowFlag.MIDSTREAM == 0]  # who opened the others is not known
        keys = self._flows.keys(*(flows[name] for name in _ENDS), flows["service"], flows["conn_state"])
        for row in self._flows.fresh(keys).tolist():
            one = flows[row]
            call = Call(address(one, "orig"), address(one, "resp"), int(one["resp_port"]))
            if one["service"] == Service.HTTP or one["conn_state"] in _UNANSWERED or self.allowed.allows(call):
                self._flows.note(keys[row])
                continue
            edge = f"{call.client} -> {call.server}:{call.port}"
            times = np.array([(one["start_ts"], one["end_now"])], _ROW)
            for case in self._cases.note(EDGE, edge, times, np.zeros(1, np.int64)):
                said.append(Detection(
                    now=int(one["end_now"]), rule=EDGE, entity=Entity("client", call.client),
                    numbers=Numbers(observed=float(case.times), threshold=1.0, unit="flows", window_seconds=0.0),
                    count=case.times, run=f"{edge}@{case.first_ts}", first_ts=case.first_ts,
                    last_ts=max(int(one["start_ts"]), case.first_ts), client_ip=call.client,
                    client_port=int(one["orig_port"]), server_ip=call.server, server_port=call.port,
                    community_id=community_id(one, "orig", "resp"), details={"edge": edge},
                ))  # fmt: skip
        return said


def _not_reloaded(problem: str, now: int) -> Detection:
    return Detection(
        now=now, rule=FAULT, entity=Entity("sensor", "edges"),
        numbers=Numbers(observed=1.0, threshold=0.0, unit="faults", window_seconds=0.0), count=1, run=problem,
        first_ts=now, last_ts=now, details={"problem": problem},
    )  # fmt: skip


