"""Probing for accounts: in: transactions; out: detections of clients that try which accounts there are.

Asked are endpoints that say so by their words: a forgotten password, a new account, is this name free. Names are the
account that a body gives, or the whole target of a GET. What tells is that answers differ. Where they are all alike the
time that they take may tell, or people are to get mails that they did not ask for: of who shows no credential twice as
many names count then. The one law: an office or a gateway asks for much else, and who types a name letter by letter
asks about one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import AccountProbingSettings
from sensor.detection.by_code import ByCode, each
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.suspects import Probing, Suspect, told
from sensor.schema import TransactionFlag

RULE = Rule(
    id="account-enumeration",
    version=1,
    title="One client tries which accounts exist",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API2:2023", "API6:2023"),
    attack=("T1087", "T1589.002"),
)
_ASKS = re.compile(
    r"forgot|recover|reset|regist|sign-?_?up|exist|availab|taken|username|passwor[td]|contrase|kennwort|senha|"
    r"mot[-_]?de[-_]?passe|inscri(ption|ver)|(check|validate|verify|lookup)[-_]?(user|e?mail|name|account|login|phone)",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"user|e-?mail|login|account|phone|msisdn|member|konto|compte|cuenta", re.IGNORECASE)
_HOUR_SECONDS, _DAY_SECONDS = 3_600.0, 86_400.0
_UNKNOWN = (404, 409, 410)
"""What a server answers of its own accord when a name is not there, or is taken."""
_DENIED = (401, 403, 429)
_UNKNOWN_SHARE, _COVERED, _CLASS_MIN = 0.3, 0.8, 3
_ALIKE_TIMES = 2
"""Times as many names where all answers are alike."""
_TYPED_NS, _TYPED_LETTERS = nanoseconds(3.0), 3


class AccountProbing(Probing):
    """See the file's head; settings: AccountProbingSettings."""

    rules = (RULE,)

    def __init__(self, settings: AccountProbingSettings, strings: Strings) -> None:
        super().__init__(settings.clients_max, _DAY_SECONDS, settings.names_min // 2)
        self.settings, self.strings = settings, strings
        self._asks = ByCode(strings, each(lambda text: _ASKS.search(text) is not None))

    def look(self, batch: Batch) -> Iterator[Detection]:
        for place in self._asks.passing(batch.transactions["endpoint"]).tolist():
            row = batch.transactions[place]
            what, target = self._name(row)
            if what and row["status_code"] not in (0, *_DENIED):
                suspect = self.suspects.note(place, what, (_answer(row), self._typed(row, target)))
                yield from self._judge(suspect, row) if suspect else ()

    def _name(self, row: Any) -> tuple[int, str]:
        """What stands for the account that is asked about, 0 when none is, and the target when it says so."""
        if row["flags"] & TransactionFlag.LOGIN:
            return 0, ""
        if row["account"]:
            return int(row["account"]), ""
        if self.strings.text(int(row["method"])) not in ("GET", "HEAD"):
            return 0, ""
        target = self.strings.text(int(row["uri"]))
        if _ABOUT.search(target) is None or ("?" not in target and "{" not in self.strings.text(int(row["endpoint"]))):
            return 0, ""
        return int(self.strings.tables.entries["hash"][row["uri"]]), target

    def _typed(self, row: Any, target: str) -> int:
        """A mark of the question, twice, and 1 more when it is the one just before and a letter or a few."""
        last = self.suspects.latest(row)
        soon = last is not None and int(row["now"]) - last[0] <= _TYPED_NS
        if target:
            text = target.encode(errors="replace")
            mark = crc32(text)
            before = [crc32(text[:-letters]) for letters in range(1, _TYPED_LETTERS + 1)]
        else:
            mark = int(row["request_body_len"])
            before = [mark - 1]
        return mark << 1 | int(soon and last is not None and last[2] >> 1 in before)

    def _judge(self, suspect: Suspect, row: Any) -> list[Detection]:
        now, tries = int(row["now"]), list(suspect.tries.values())
        recent = sum(each[0] > now - nanoseconds(_HOUR_SECONDS) for each in tries)
        tells = _tells(tries)
        if suspect.share < self.settings.share_min or not (tells or (row["user"] == 0 and row["account"])):
            return []
        least, day_least = (
            names if tells else _ALIKE_TIMES * names for names in (self.settings.names_min, self.settings.day_names_min)
        )
        by_hour = recent >= least
        if not by_hour and len(tries) < day_least:
            return []
        if 2 * sum(each[2] & 1 for each in tries) >= len(tries):
            return []
        numbers = Numbers(
            observed=float(recent if by_hour else len(tries)),
            threshold=float(least if by_hour else day_least),
            unit="names of accounts", window_seconds=_HOUR_SECONDS if by_hour else _DAY_SECONDS,
        )  # fmt: skip
        unknown = sum(each[1] >> 32 in _UNKNOWN for each in tries)
        details = {
            "answered_unknown_or_taken": unknown, "answers_all_alike": not tells,
            "share_of_requests": round(suspect.share, 2),
        }  # fmt: skip
        return told(suspect, row, self.strings, RULE, numbers, details, confidence=0.8 if tells else 0.6)


def _answer(row: Any) -> int:
    """Status and length of an answer as one figure."""
    return int(row["status_code"]) << 32 | max(int(row["response_body_len"]), 0) & 0xFFFFFFFF


def _tells(tries: list[tuple[int, int, int]]) -> bool:
    """Whether the answers tell one name from another: many are not there, or there are few kinds of answer."""
    kinds = Counter(each[1] for each in tries)
    if sum(count for kind, count in kinds.items() if kind >> 32 in _UNKNOWN) >= _UNKNOWN_SHARE * len(tries):
        return True
    often = [count for count in kinds.values() if count >= _CLASS_MIN]
    return len(often) >= 2 and sum(often) >= _COVERED * len(tries)
