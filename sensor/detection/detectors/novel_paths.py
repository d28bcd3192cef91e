"""Paths that nobody asked for before: in: transactions; out: detections of clients that try such paths and get one
answer to all, and of identities that open one thing after the other by its name.

A server that answers everything with its front page, or sends it to the login, gives no 404 by which web_scan would
know; where it does so to several others as well, that is how it is used. Things with names instead of ids
(`/profiles/anna.meier`) are no objects to object_enumeration: here who opens them first counts, against others of its
role. The one law: a path counts once, for who asked for it first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import NovelPathsSettings
from sensor.detection.allowance import Allowance, Saved
from sensor.detection.by_code import ByCode, each
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds, worth_saying
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.suspects import Probing, Suspect, told
from sensor.structures.entity_tables import IdentityKind

PATHS = Rule(
    id="path-probing",
    version=1,
    title="One client asks for many paths that nobody else asks for, and gets the same answer to all",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API9:2023",),
    attack=("T1595.003",),
)
NAMES = Rule(
    id="names-opened",
    version=1,
    title="One identity opens far more things by their names than others of its role",
    category="authorisation",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API1:2023",),
    attack=("T1213", "T1087"),
)
_CRAWLER = re.compile(r"bot\b|crawl|spider|slurp|preview", re.IGNORECASE)
_ALIKE = 0.9
_PAGE, _ELSEWHERE = (200, 203), (301, 302, 303, 307, 308)
_IDENTITIES_MAX = 1_024


class _Opened(NamedTuple):
    """What an identity was the first to open at a place: how many things, since when, and when it was told."""

    things: int
    first_ts: int
    told_now: int
    told_count: int


Places = dict[int, dict[int, _Opened]]


class _Words(NamedTuple):
    began: int
    paths: list[int]
    places: Places
    looks: Saved


class NovelPaths(Probing):
    """See the file's head; settings: NovelPathsSettings."""

    rules = (PATHS, NAMES)

    def __init__(self, settings: NovelPathsSettings, strings: Strings) -> None:
        super().__init__(settings.clients_max, settings.window_seconds, settings.paths_min // 2)
        self.settings, self.strings = settings, strings
        self._crawlers = ByCode(strings, each(lambda text: _CRAWLER.search(text) is not None))
        self._hashes = np.zeros(len(strings.tables.entries), np.uint64)  # of the path that a code was last
        self._allowance = Allowance()
        self._began = self._gone = 0
        self._paths: dict[int, None] = {}
        self._places: Places = {}

    @property
    def evicted(self) -> int:
        return super().evicted + self._gone + self._allowance.refused

    def state(self) -> dict[str, npt.NDArray[Any]]:
        words = _Words(self._began, list(self._paths), self._places, self._allowance.state())
        return {**super().state(), "paths": packed(words)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "paths", _Words)
        if words is None or not super().restore(saved):
            return False
        self._began, self._places = words.began, words.places
        self._paths = dict.fromkeys(words.paths)
        self._allowance.restore(words.looks)
        return True

    def look(self, batch: Batch) -> Iterator[Detection]:
        rows = batch.transactions
        if not len(rows):
            return
        self._began = self._began or int(rows["now"][0])
        for place, path, crawls in self._fresh(batch):
            if path not in self._paths:
                yield from self._new(batch, place, path, crawls)
        self._allowance.passed(len(rows))

    def _fresh(self, batch: Batch) -> list[tuple[int, int, bool]]:
        """Where a path that its code did not stand for before is served first, in order: the row, the path, and whether
        a crawler asks. Of a flood of such only as many as can be looked at.
        """
        rows, hashes = batch.transactions, self.strings.tables.entries["hash"]
        codes = np.ascontiguousarray(rows["endpoint"])
        new = np.flatnonzero(self._hashes[codes] != hashes[codes])
        if not len(new):
            return []
        new = new[np.sort(np.unique(codes[new], return_index=True)[1])]
        paths = hashes[codes[new]]
        self._hashes[codes[new]] = paths
        served = (batch.status[new] >= 200) & (batch.status[new] < 400)
        new, paths = new[served], paths[served]
        if not len(new):
            return []
        looked = self._allowance.afforded(new, rows["now"][new])
        crawlers = set(new[self._crawlers.passing(rows["user_agent"][new])].tolist())
        known = dict(zip(new.tolist(), paths.tolist(), strict=True))
        return [(place, known[place], place in crawlers) for place in looked]

    def _new(self, batch: Batch, place: int, path: int, crawls: bool) -> list[Detection]:
        """Somebody is served at a path that nobody asked for before."""
        if len(self._paths) >= self.settings.paths_max:
            del self._paths[next(iter(self._paths))]
            self._gone += 1
        self._paths[path] = None
        row = batch.transactions[place]
        detections: list[Detection] = []
        learned = int(row["now"]) - self._began < nanoseconds(self.settings.known_seconds)
        status = int(row["status_code"])
        reads = self.strings.text(int(row["method"])) == "GET"
        if reads and not crawls and not learned and status in (*_PAGE, *_ELSEWHERE):
            answer = status << 32 | (max(int(row["response_body_len"]), 0) & 0xFFFFFFFF if status in _PAGE else 0)
            suspect = self.suspects.note(place, path, (answer, 0))
            detections += self._judge(suspect, row) if suspect else []
        kind = int(batch.entities["identity_kind"][place])
        if reads and status < 300 and kind != IdentityKind.CLIENT:
            opened = self._opened(row, kind)
            detections += [] if learned else opened
        return detections

    def _judge(self, suspect: Suspect, row: Any) -> list[Detection]:
        tried = len(suspect.tries)
        if tried < self.settings.paths_min or suspect.share < self.settings.share_min:
            return []
        answer, alike = Counter(each[1] for each in suspect.tries.values()).most_common(1)[0]
        if alike < _ALIKE * tried or self.suspects.is_common(suspect, int(row["now"]), answer):
            return []
        numbers = Numbers(
            observed=float(tried), threshold=float(self.settings.paths_min), unit="new paths with the same answer",
            window_seconds=self.settings.window_seconds,
        )  # fmt: skip
        details = {"answered_alike": alike, "share_of_requests": round(suspect.share, 2)}
        return told(suspect, row, self.strings, PATHS, numbers, details, confidence=0.7)

    def _opened(self, row: Any, kind: int) -> list[Detection]:
        """An identity is the first to open something, below the rest of its path."""
        parent, _, name = self.strings.text(int(row["endpoint"])).rpartition("/")
        if not parent or not name or "json" not in self.strings.text(int(row["response_content_type"])):
            return []
        place = crc32(parent.encode(errors="replace")) ^ int(row["role"])
        openers = self._places.pop(place, {})
        if len(self._places) >= self.settings.clients_max:
            del self._places[next(iter(self._places))]
            self._gone += 1
        self._places[place] = openers
        who, now = int(row["subject"] or row["user"]), int(row["now"])
        before = openers.pop(who, _Opened(0, int(row["ts"]), 0, 0))
        mine = openers[who] = before._replace(things=before.things + 1)
        if len(openers) > _IDENTITIES_MAX:
            del openers[next(iter(openers))]
        if mine.things < self.settings.names_min or not worth_saying(now, mine.things, mine.told_now, mine.told_count):
            return []
        others = sorted(each.things for key, each in openers.items() if key != who)
        if len(others) < self.settings.peers_min:
            return []
        usual = others[(len(others) * 9) // 10]
        threshold = max(float(self.settings.names_min), self.settings.ratio_min * usual)
        if mine.things < threshold:
            return []
        openers[who] = mine._replace(told_now=now, told_count=mine.things)
        numbers = Numbers(
            observed=float(mine.things), threshold=threshold, unit="things that nobody opened before",
            window_seconds=(now - mine.first_ts) / 1e9, baseline=float(usual),
        )  # fmt: skip
        entity = identity_of(row, kind)
        return [
            detection_of(
                row, self.strings, NAMES, entity, numbers, count=mine.things, run=f"{entity.value} {parent}",
                first_ts=mine.first_ts, confidence=0.7, details={"path": parent, "peers": len(others)},
            )
        ]  # fmt: skip
