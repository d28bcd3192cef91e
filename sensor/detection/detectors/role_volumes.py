"""Volumes by role: in: transactions; out: detections of accounts that take far more in a minute than others of their
role ever do, whatever the endpoint.

The role is what a token says (role, roles, scope ...). Usual is what 99 of 100 minutes of the role's accounts stay
below. The one law: a minute that is told becomes no part of what is usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Numbers, Rule, Severity
from sensor.config import RoleVolumesSettings
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.detectors.role_volumes_kernel import ROLES, TAKEN, add_taken
from sensor.detection.evidence import address, http_of, identity_of
from sensor.detection.ticking import Part, Ticks

RULE = Rule(
    id="bulk-above-role",
    version=1,
    title="An account takes far more in a minute than others of its role",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API6:2023", "API5:2023"),
    attack=("T1213", "T1119"),
)
_MINUTE = nanoseconds(60)
_AMOUNTS = ("bytes", "records")
_NO_ROWS = np.zeros(0, np.int32)
UNITS = ("response bytes a minute", "records a minute")
_BINS, _TO_A_DOUBLING = 192, 4
_USUAL_PART = 0.99
_MEMBERS_MAX = 1 << 20
"""Minutes of a role that are remembered; beyond it all weigh half."""


class _Name(NamedTuple):
    """How an alert names an identity: after the request that made it much."""

    entity: Entity
    client_ip: str
    server_ip: str
    ts: int
    http: Http


def _bins(amounts: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    bins: npt.NDArray[Any] = np.minimum(np.log2(amounts.astype(np.float64) + 1) * _TO_A_DOUBLING, _BINS - 1)
    return bins.astype(np.intp)


def _below(counts: npt.NDArray[np.int64]) -> float:
    """What `_USUAL_PART` of the amounts stay below."""
    place = int(np.searchsorted(np.cumsum(counts), _USUAL_PART * counts.sum()))
    return float(2 ** ((place + 1) / _TO_A_DOUBLING) - 1)


class RoleVolumes:
    """See the file's head; settings: RoleVolumesSettings."""

    rules = (RULE,)
    faults = 0
    evicted = 0

    def __init__(self, settings: RoleVolumesSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.ticks = Ticks(_MINUTE, 1)
        self.roles = np.zeros(ROLES, np.uint64)
        self.usual = np.zeros((ROLES, 2, _BINS), np.int64)
        self.holders = np.zeros(ROLES, np.int64)  # the most that were active in one minute
        self.taken = np.zeros(0, TAKEN)
        self.names: dict[int, _Name] = {}
        self._room = np.zeros(0, np.int64)
        self._number = 0
        self._saved: dict[str, npt.NDArray[Any]] | None = None

    def state(self) -> dict[str, npt.NDArray[Any]]:
        rows = np.flatnonzero(self.taken["role"])
        minute = {"rows": rows, "taken": self.taken[rows], "names": packed(self.names)}
        return self._usual() | (minute if self._saved is None else self._saved)

    def _usual(self) -> dict[str, npt.NDArray[Any]]:
        return {"roles": self.roles, "usual": self.usual, "holders": self.holders, "ticks": self.ticks.current}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        usual = self._usual()
        if any(name not in saved or saved[name].shape != array.shape for name, array in usual.items()):
            return False
        for name, array in usual.items():
            array[...] = saved[name]
        self._saved = {name: saved[name] for name in ("rows", "taken", "names") if name in saved}
        return True

    def _recall(self) -> None:
        """What was taken in the minute in which the run before ended."""
        saved, self._saved = self._saved or {}, None
        if len(saved) == 3 and saved["taken"].dtype == TAKEN and saved["rows"].max(initial=0) < len(self.taken):
            self.taken[saved["rows"]] = saved["taken"]
            self.names = unpacked(saved, "names", dict[int, _Name]) or {}

    def process(self, batch: Batch) -> list[Detection]:
        self._clear(batch)
        detections: list[Detection] = []
        for part in self.ticks.parts(batch.transactions["now"], batch.now):
            if part.tick:
                detections += self._minute(part.tick)
            else:
                self._add(batch, part)
        return detections

    def _clear(self, batch: Batch) -> None:
        """Rows that are somebody else's now have taken nothing yet."""
        if not len(self.taken):
            self.taken = np.zeros(batch.tables.identity.rows, TAKEN)
            self._number = batch.changed.number
            self._recall()
            return
        follows = batch.changed.number == self._number + 1
        changed = batch.changed.rows.get("identity", _NO_ROWS) if follows else np.flatnonzero(self.taken["role"])
        self._number = batch.changed.number
        if len(changed):
            self.taken[changed] = np.zeros(1, TAKEN)
            for row in changed.tolist() if self.names else ():
                self.names.pop(row, None)

    def _add(self, batch: Batch, part: Part) -> None:
        """Count a part of the rows; an identity is named after the request that made it much."""
        if len(self._room) < len(batch.transactions):
            self._room = np.zeros(2 * len(batch.transactions), np.int64)
        settings = self.settings
        found = add_taken(
            batch.transactions, batch.entities, part.start, part.stop, self.roles, self.taken,
            settings.bytes_per_minute_min, settings.records_per_minute_min, self._room,
        )  # fmt: skip
        for place in self._room[:found].tolist():
            row, entity = batch.transactions[place], batch.entities[place]
            self.names[int(entity["identity"])] = _Name(
                identity_of(row, int(entity["identity_kind"])), address(row, "client"), address(row, "server"),
                int(row["ts"]), http_of(row, self.strings),
            )  # fmt: skip

    def _minute(self, tick: int) -> list[Detection]:
        """At its end: who is far above what is usual for the role; the others become part of that."""
        active = np.flatnonzero(self.taken["role"])
        if not len(active):
            return []
        detections = []
        roles, amounts = self.taken["role"][active] - 1, np.stack([self.taken[name][active] for name in _AMOUNTS])
        much = np.isin(active, list(self.names))
        for role in np.unique(roles).tolist():
            few = (roles == role) & ~much
            self._learn(role, amounts[:, few])
            for place in np.flatnonzero((roles == role) & much).tolist():
                told = self._judge(role, amounts[:, place], self.names[int(active[place])], tick)
                detections += told
                if not told:
                    self._learn(role, amounts[:, [place]])
        self.taken[active] = np.zeros(1, TAKEN)
        self.names.clear()
        return detections

    def _learn(self, role: int, amounts: npt.NDArray[Any]) -> None:
        self.holders[role] = max(self.holders[role], amounts.shape[1])
        for kind, counts in enumerate(self.usual[role]):
            np.add.at(counts, _bins(amounts[kind]), 1)
            if counts.sum() > _MEMBERS_MAX:
                counts[:] = counts // 2

    def _judge(self, role: int, amounts: npt.NDArray[Any], name: _Name, tick: int) -> list[Detection]:
        """What is said of a minute with these amounts: the first of them that is too much."""
        settings = self.settings
        if self.holders[role] < settings.holders_min:
            return []
        for kind, least in enumerate((settings.bytes_per_minute_min, settings.records_per_minute_min)):
            usual, amount = _below(self.usual[role, kind]), float(amounts[kind])
            threshold = max(float(least), settings.ratio_min * usual)
            if amount < threshold:
                continue
            numbers = Numbers(
                observed=amount, threshold=round(threshold), unit=UNITS[kind], window_seconds=60.0,
                baseline=round(usual),
            )  # fmt: skip
            return [
                Detection(
                    now=tick, rule=RULE, entity=name.entity, numbers=numbers, count=1,
                    run=f"{name.entity.value}@{tick // nanoseconds(3_600)}", first_ts=min(name.ts, tick), last_ts=tick,
                    confidence=0.6, client_ip=name.client_ip, server_ip=name.server_ip, http=name.http,
                    details={"others_of_the_role": int(self.holders[role])},
                )
            ]  # fmt: skip
        return []
