"""Continuous verification: in: transactions; out: identities whose risk score is high.

An identity is known by the client stacks, networks, user agents, roles and credentials that it showed. A request that
differs in one of them adds to its score once; one that differs in several, its software or role among them, adds again
with each request, until it is told or has gone on for a day. The score falls to half in an hour. The one law: a
combination that was met and accepted costs nothing but its look-up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import VerificationSettings
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.known_keys import KnownKeys
from sensor.structures.client_stack import differences
from sensor.structures.entity_tables import IdentityKind

RISK = Rule(
    id="identity-risk", version=1, title="An identity is used unlike before: software, network, role or credential",
    category="session", kind=Kind.BEHAVIOUR, severity=Severity.MEDIUM, owasp=("API2:2023",),
    attack=("T1550.001", "T1078"),
)  # fmt: skip
WEIGHTS = {"client stack": 1.0, "network": 1.0, "user agent": 2.0, "role": 3.0, "credential": 0.5}
TELLING = {"user agent", "role"}
"""One of these must be among several that differ: people move between networks and proxies all day."""
VALUES_MAX, COMBINATIONS_MAX = 16, 64


class Profile(msgspec.Struct):
    """What one identity is known by; times in ns. `accepted`: combinations, and their keys in this run (0 for none);
    `pending`: those not accepted yet, and since when.
    """

    first: int
    values: dict[str, list[int]] = {}
    accepted: dict[int, int] = {}
    pending: dict[int, int] = {}
    score: float = 0.0
    scored: int = 0
    told: float = 0.0       # score at which it was told last, 0 when it was not
    unlike: int = 0         # requests that added to it
    began: int = 0          # of the first of them


class Verification:
    """See the file's head; settings: VerificationSettings."""

    rules = (RISK,)
    faults = 0

    def __init__(self, settings: VerificationSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.evicted = 0
        self._known = KnownKeys()
        self._profiles: dict[int, Profile] = {}

    def process(self, batch: Batch) -> list[Detection]:
        rows = np.flatnonzero(batch.entities["identity_kind"] != IdentityKind.CLIENT)
        if not len(rows):
            return []
        chosen = batch.transactions[["subject", "user", "client_hi", "client_lo", "stack", "role", "user_agent"]][rows]
        identities = np.where(chosen["subject"] != 0, chosen["subject"], chosen["user"])
        shown = {
            "client stack": chosen["stack"],
            "network": _networks(chosen["client_hi"], chosen["client_lo"]),
            "user agent": chosen["user_agent"],
            "role": chosen["role"],
            "credential": chosen["user"],
        }
        agents = self.strings.tables.entries["hash"][chosen["user_agent"]]
        keys = self._known.keys(identities, agents, *(shown[name] for name in shown if name != "user agent"))
        said = []
        for place in self._known.fresh(keys).tolist():
            values = {name: int(column[place]) for name, column in shown.items() if column[place]}
            if "user agent" in values:
                values["user agent"] = _digest(self.strings.text(values["user agent"]))
            row = int(rows[place])
            told = self._look(int(identities[place]), int(keys[place]), values, batch, row)
            said += [told] if told else []
        return said

    def _look(self, identity: int, key: int, values: dict[str, int], batch: Batch, row: int) -> Detection | None:
        now = int(batch.transactions["now"][row])
        profile = self._profiles.get(identity)
        if profile is None:
            if len(self._profiles) >= self.settings.identities_max:
                del self._profiles[next(iter(self._profiles))]
                self.evicted += 1
            profile = self._profiles[identity] = Profile(first=now)
        combination = _digest(repr(sorted(values.items())))
        if combination in profile.accepted:
            profile.accepted[combination] = key
            self._known.note(key)
            return None
        unlike = [name for name, value in values.items() if _is_unlike(name, value, profile.values.get(name, []))]
        known = now - profile.first >= nanoseconds(self.settings.known_seconds)
        risky = known and len(unlike) > 1 and not TELLING.isdisjoint(unlike)
        since = profile.pending.setdefault(combination, now) if risky else now
        if known and unlike:
            self._add(profile, sum(WEIGHTS[name] for name in unlike), now)
        if not risky or now - since > nanoseconds(self.settings.adopt_seconds):
            self._accept(profile, combination, key, values)
        elif len(profile.pending) > COMBINATIONS_MAX:
            del profile.pending[next(iter(profile.pending))]
        if not unlike or profile.score < max(self.settings.score_min, 2 * profile.told):
            return None
        profile.told = profile.score
        return self._detection(profile, unlike, batch, row)

    def _add(self, profile: Profile, amount: float, now: int) -> None:
        gone = (now - profile.scored) / nanoseconds(self.settings.half_life_seconds)
        profile.score = profile.score * 0.5**gone + amount
        if profile.score < self.settings.score_min:
            profile.told = 0.0
        if profile.score <= 2 * amount:
            profile.unlike, profile.began = 0, now
        profile.scored, profile.unlike = now, profile.unlike + 1

    def _accept(self, profile: Profile, combination: int, key: int, values: dict[str, int]) -> None:
        for name, value in values.items():
            known = profile.values.setdefault(name, [])
            if value not in known:
                known.append(value)
                del known[:-VALUES_MAX]
        profile.pending.pop(combination, None)
        profile.accepted[combination] = key
        if len(profile.accepted) > COMBINATIONS_MAX:
            self._known.drop(profile.accepted.pop(next(iter(profile.accepted))))
        self._known.note(key)

    def _detection(self, profile: Profile, unlike: list[str], batch: Batch, row: int) -> Detection:
        one = batch.transactions[row]
        score, least = profile.score, self.settings.score_min
        moved = "credential" not in unlike  # a new credential is how somebody with a new device comes
        severe = Severity.HIGH if score >= 3 * least else Severity.MEDIUM
        return detection_of(
            one, self.strings, RISK, identity_of(one, int(batch.entities["identity_kind"][row])),
            Numbers(observed=round(score, 2), threshold=least, unit="risk",
                    window_seconds=self.settings.half_life_seconds, baseline=0.0),
            count=profile.unlike, run=str(profile.began), first_ts=min(profile.began, int(one["ts"])),
            severity=severe if moved else Severity.LOW, confidence=0.7 if moved else 0.5,
            details={"unlike": unlike, "known_seconds": round((int(one["now"]) - profile.first) / 1e9)},
        )  # fmt: skip

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"profiles": np.frombuffer(msgspec.msgpack.encode(self._profiles), np.uint8)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        try:
            self._profiles = msgspec.msgpack.decode(saved["profiles"].tobytes(), type=dict[int, Profile])
        except (KeyError, msgspec.DecodeError):
            return False
        return True


def _digest(text: str) -> int:
    """63 bits that are the same in every run."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def _is_unlike(name: str, value: int, known: list[int]) -> bool:
    if name == "client stack":  # of which parts may not have been seen
        return bool(known) and all(differences(value, other) for other in known)
    return bool(known) and value not in known


def _networks(hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """/24 of IPv4, /48 of IPv6."""
    return np.where(hi == 0, lo >> np.uint64(8), hi >> np.uint64(16))
