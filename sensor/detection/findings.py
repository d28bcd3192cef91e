"""Findings that stay: in: rows on which something was noticed, of whom; out: those at which it is worth saying.

A weakness is said when it is first seen, when it has doubled, and once a day. The one law: at which rows it is said
does not depend on how they were cut into batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Numbers, Rule, Severity
from sensor.detection.detector import REPORT_SECONDS, Strings, Table, nanoseconds
from sensor.detection.evidence import address, community_id, http_of

REMIND_SECONDS = 86_400
_KEY_BYTES = 240


class Case(NamedTuple):
    """`times` rows of one entity so far, the first at `first_ts`; `row` is the one at which it is said."""

    row: int
    times: int
    first_ts: int


class Findings:
    """The cases of one rule by a text that names their entity; the one not seen for longest gives way (`evicted`)."""

    def __init__(self, entities_max: int) -> None:
        self.evicted = 0
        self._most = entities_max
        self._cases: dict[str, list[int]] = {}  # count, first ts, count and time when it was said last

    def note(self, key: str, rows: Table, numbers: npt.NDArray[np.int64]) -> list[Case]:
        """Add transactions rows[numbers], in order; the cases at which it is worth saying."""
        case = self._cases.pop(key, None)
        if case is None:
            if len(self._cases) >= self._most:
                del self._cases[next(iter(self._cases))]
                self.evicted += 1
            case = [0, int(rows["ts"][numbers[0]]), 0, 0]
        self._cases[key] = case
        said, now = [], rows["now"][numbers]
        place = 0
        while place < len(numbers):
            waited = now[place:] - case[3]
            counts = case[0] + 1 + np.arange(len(numbers) - place)
            due = (counts >= 2 * case[2]) & (waited >= nanoseconds(REPORT_SECONDS))
            due |= waited >= nanoseconds(REMIND_SECONDS)
            if not due.any():
                case[0] += len(numbers) - place
                break
            step = int(np.argmax(due)) + 1
            case[0] += step
            place += step
            case[2], case[3] = case[0], int(now[place - 1])
            said.append(Case(int(numbers[place - 1]), case[0], case[1]))
        return said

    def state(self) -> dict[str, npt.NDArray[Any]]:
        keys = np.zeros((len(self._cases), _KEY_BYTES), np.uint8)
        for row, key in enumerate(self._cases):
            text = key.encode()[:_KEY_BYTES]
            keys[row, : len(text)] = np.frombuffer(text, np.uint8)
        return {"keys": keys, "cases": np.array(list(self._cases.values()), np.int64).reshape(-1, 4)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        keys, cases = saved.get("keys"), saved.get("cases")
        fits = keys is not None and cases is not None and keys.ndim == 2 and cases.shape == (len(keys), 4)
        if not fits or keys is None or cases is None:
            return False
        texts = [bytes(key).rstrip(b"\0").decode(errors="replace") for key in keys]
        self._cases = dict(list(zip(texts, cases.tolist(), strict=True))[-self._most :])
        return True


class Cases:
    """The findings of several rules, by rule id: their memory is one."""

    def __init__(self, rules: tuple[Rule, ...], entities_max: int) -> None:
        self._findings = {rule.id: Findings(entities_max) for rule in rules}

    @property
    def evicted(self) -> int:
        return sum(findings.evicted for findings in self._findings.values())

    def note(self, rule: Rule, key: str, rows: Table, numbers: npt.NDArray[np.int64]) -> list[Case]:
        return self._findings[rule.id].note(key, rows, numbers)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {
            f"{rule}/{name}": array
            for rule, findings in self._findings.items()
            for name, array in findings.state().items()
        }

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        done = True
        for rule, findings in self._findings.items():
            own = {name.rpartition("/")[2]: array for name, array in saved.items() if name.startswith(f"{rule}/")}
            done &= findings.restore(own)
        return done


def found(
    rule: Rule, entity: Entity, case: Case, rows: Table, strings: Strings, unit: str, details: dict[str, Any],
    severity: Severity | None = None, observed: float | None = None, threshold: float = 1.0,
) -> Detection:  # fmt: skip
    """The detection of a case: so many `unit`, of which one is too many. What a server or an endpoint shows is nobody's
    doing: then no client is named.
    """
    transaction = rows[case.row]
    is_clients = entity.kind == "client"
    return Detection(
        now=int(transaction["now"]),
        rule=rule,
        entity=entity,
        numbers=Numbers(
            observed=float(case.times) if observed is None else observed, threshold=threshold, unit=unit,
            window_seconds=float(REMIND_SECONDS),
        ),
        count=case.times,
        run=f"{entity.value}@{case.first_ts}",
        first_ts=case.first_ts,
        last_ts=int(transaction["ts"]),
        client_ip=address(transaction, "client") if is_clients else None,
        client_port=int(transaction["client_port"]) if is_clients else None,
        server_ip=address(transaction, "server"),
        server_port=int(transaction["server_port"]),
        community_id=community_id(transaction, "client", "server"),
        http=http_of(transaction, strings),
        severity=severity,
        details=details,
    )  # fmt: skip


def server_name(transaction: Any) -> str:
    """A server as findings name it: address and port."""
    return server_text(address(transaction, "server"), int(transaction["server_port"]))


def server_text(host: str, port: int) -> str:
    """The same of an address and a port."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoint_name(transaction: Any, strings: Strings) -> str:
    """An endpoint as findings name it: method, host (or server) and template."""
    host = strings.text(int(transaction["host"])) or server_name(transaction)
    method, path = (strings.text(int(transaction[column])) for column in ("method", "endpoint"))
    return f"{method or '(request not seen)'} {host}{path}"
