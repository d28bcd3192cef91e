"""Guessed tokens: in: transactions; out: detections of clients that try many credentials which are all refused.

Counted are different credentials that are answered with 401 (API keys: or 403) or sent to the login, and were never
served nor handed out by a server, however many requests each. The one law: an address with more credentials that are
served than refused is an office whose tokens ran out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import TokenGuessingSettings
from sensor.detection.by_code import ByCode, each
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds, worth_saying
from sensor.detection.evidence import address, detection_of
from sensor.schema import TransactionFlag

RULE = Rule(
    id="token-guessing",
    version=1,
    title="One client tries many tokens that are all refused",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API2:2023",),
    attack=("T1110", "T1606.001"),
)
_REFUSED, _KEY_REFUSED = 401, 403
_PLACES = 1 << 20
_KEPT = 256
"""Credentials of a client that are remembered, the latest."""


class Client(msgspec.Struct):
    """Credentials by the packet time at which they were refused, or served, last; when it was told, of how many."""

    refused: dict[int, int] = msgspec.field(default_factory=dict)
    served: dict[int, int] = msgspec.field(default_factory=dict)
    first_ts: int = 0
    told_now: int = 0
    told_count: int = 0


def _note(credentials: dict[int, int], user: int, now: int, since: int) -> None:
    credentials.pop(user, None)
    credentials[user] = now
    while credentials and (next(iter(credentials.values())) < since or len(credentials) > _KEPT):
        del credentials[next(iter(credentials))]


class TokenGuessing:
    """See the file's head; settings: TokenGuessingSettings."""

    rules = (RULE,)
    faults = 0

    def __init__(self, settings: TokenGuessingSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.evicted = 0
        self._clients: dict[str, Client] = {}
        self._keys = ByCode(strings, each(lambda text: text == "api-key"))
        self._served = np.zeros(_PLACES, np.bool_)  # places of credentials that were ever served

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"clients": packed(self._clients), "served": np.packbits(self._served)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        clients = unpacked(saved, "clients", dict[str, Client])
        if clients is None or "served" not in saved or len(saved["served"]) != _PLACES // 8:
            return False
        self._clients = clients
        self._served[:] = np.unpackbits(saved["served"])
        return True

    def process(self, batch: Batch) -> list[Detection]:
        rows, failed = batch.transactions, batch.failed
        if not len(rows):
            return []
        users = np.ascontiguousarray(rows["user"])
        served = (users != 0) & (batch.status >= 200) & (batch.status < 400)
        named = failed[users[failed] != 0]
        status = batch.status[named]
        denied = status == _REFUSED
        forbidden = np.flatnonzero(status == _KEY_REFUSED)
        denied[forbidden[self._keys.passing(rows["auth_scheme"][named[forbidden]])]] = True
        away = batch.turned_away
        served[away] = False
        refused = np.union1d(named[denied], away[users[away] != 0])
        refused = refused[~self._served[(users[refused] % np.uint64(_PLACES)).astype(np.intp)]]  # these ran out
        detections: list[Detection] = []
        self._forget(batch)
        issued = np.ascontiguousarray(rows["issued"])
        if len(refused) or self._clients:
            telling = served & (np.isin(users, users[refused]) | self._is_of_suspects(rows, rows[refused]))
            telling |= (issued != 0) & np.isin(issued, users[refused])
            for place in np.union1d(refused, np.flatnonzero(telling)).tolist():
                detections += self._look(rows[place]) if users[place] else ()
                if issued[place]:
                    self._served[int(issued[place]) % _PLACES] = True
        for given in (users[served], issued[issued != 0]):
            self._served[(given % np.uint64(_PLACES)).astype(np.intp)] = True
        return detections

    def _forget(self, batch: Batch) -> None:
        """Clients whose refusals were all over before this batch began."""
        if self._clients and len(batch.transactions):
            since = int(batch.transactions["now"][0]) - nanoseconds(self.settings.window_seconds)
            old = [key for key, each in self._clients.items() if max(each.refused.values(), default=0) < since]
            for key in old:
                del self._clients[key]

    def _is_of_suspects(self, rows: Any, refused: Any) -> npt.NDArray[np.bool_]:
        """Whether rows may be those of clients that were refused, now or before."""
        known = [int(key.split()[1]) for key in self._clients]
        return np.isin(rows["client_lo"], np.append(refused["client_lo"], np.array(known, np.uint64)))

    def _look(self, row: Any) -> list[Detection]:
        key, now, user = f"{int(row['client_hi'])} {int(row['client_lo'])}", int(row["now"]), int(row["user"])
        since = now - nanoseconds(self.settings.window_seconds)
        is_refused = row["status_code"] >= 400 or row["flags"] & TransactionFlag.LOGIN_FAILED != 0
        place = user % _PLACES
        if is_refused and (self._served[place] or row["flags"] & TransactionFlag.LOGIN):
            return []
        client = self._clients.pop(key, None)
        if client is None:
            if not is_refused:
                self._served[place] = True
                return []
            if len(self._clients) >= self.settings.clients_max:
                del self._clients[next(iter(self._clients))]
                self.evicted += 1
            client = Client()
        self._clients[key] = client
        if not is_refused:
            self._served[place] = True
            client.refused.pop(user, None)
            _note(client.served, user, now, since)
            return []
        if not client.refused:
            client.first_ts = int(row["ts"])
        _note(client.refused, user, now, since)
        tried = len(client.refused)
        if tried < self.settings.tokens_min or len(client.served) >= tried:
            return []
        if not worth_saying(now, tried, client.told_now, client.told_count):
            return []
        client.told_now, client.told_count = now, tried
        return [self._detection(row, client, tried)]

    def _detection(self, row: Any, client: Client, tried: int) -> Detection:
        who = address(row, "client")
        numbers = Numbers(
            observed=float(tried), threshold=float(self.settings.tokens_min), unit="refused tokens",
            window_seconds=self.settings.window_seconds,
        )  # fmt: skip
        return detection_of(
            row, self.strings, RULE, Entity("client", who), numbers, count=tried, run=str(client.first_ts),
            first_ts=client.first_ts, confidence=0.8, details={"tokens_served": len(client.served)},
        )  # fmt: skip
