"""From a batch's bytes to the requests that hold an attack: in: contents, arena; out: findings by row.

What is new and not plain data is searched all at once; where something was found, the request's values are read and
judged. What was judged clean is remembered. The one law: judging has a budget of packet time and of transactions; what
goes beyond it is counted, never silently left out.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.counters import Counters
from sensor.detection.injection.decode import text_of, unescape, unpercent
from sensor.detection.injection.finding import WEAK, Finding
from sensor.detection.injection.judge import judge
from sensor.detection.injection.plain import byte_classes, word_table
from sensor.detection.injection.plain_kernel import choose
from sensor.detection.injection.prefilter import RAW, has_raw_trigger, needs_decoding, needs_whole
from sensor.detection.injection.protocol import judge_protocol
from sensor.detection.injection.targets import judge_target
from sensor.detection.injection.values import QUIET_HEADERS, Value, request_values
from sensor.detection.unseen import Text, Unseen, target
from sensor.detection.unseen_kernel import PieceKind

Best = dict[str, tuple[Finding, Value]]
Verdicts = tuple[tuple[Finding, Value], ...]
Octets = npt.NDArray[np.uint8]
KNOWN_MAX = 8_192
"""Pieces whose verdict is remembered."""
KEPT_CHARACTERS = 2_048
"""Of a value in which something was found: enough to see it again in the answer."""
MATCHES_MAX = 200_000
"""Matches of one search of a text: beyond it the rest of the text counts as suspicious."""
CREDITS_MAX = 6_000.0
CREDITS_PER_TRANSACTION = 1 / 24
HEADER_PRICE = 5
"""What a header line that is not plain costs of the budget, besides being judged: most are new names of software."""
HEADERS_SHARE = 0.5
"""Of the budget, below which no new header line is looked at: a flood of them takes no time from targets and bodies."""


class Count(IntEnum):
    PIECES = 0      # pieces of messages that were searched: new, and not plain data
    SUSPICIOUS = 1  # in which something was found
    JUDGED = 2      # of which the values were judged
    SHED = 3        # that were not, because the budget was spent


class Hit(NamedTuple):
    """An attack in row `row`: the best finding of its kind, and in which value."""

    row: int
    finding: Finding
    value: Value


class Search:
    """`counters` says what it cost; one object for a run, in which `judged_per_second` may change."""

    def __init__(self, unseen: Unseen, judged_per_second: int) -> None:
        self.judged_per_second = judged_per_second
        self.counters = Counters(Count)
        self._reader = unseen.reader("injection", (PieceKind.LINE, PieceKind.HEADER, PieceKind.BODY))
        self._classes, (self._hashes, self._kinds) = byte_classes(), word_table()
        self._known: OrderedDict[tuple[int, bytes], Verdicts] = OrderedDict()
        self._credits = CREDITS_MAX
        self._now = 0
        self._row = 0

    def search(
        self, contents: npt.NDArray[np.void], arena: npt.NDArray[np.uint8], nows: npt.NDArray[np.int64]
    ) -> list[Hit]:
        """Hits of one batch in the order of its rows; `nows` int64[n], packet time of each row."""
        hits = []
        self._row = 0
        pieces = self._reader.pieces(contents, arena)
        suspicious = np.zeros(len(pieces), np.uint8)
        wants, bit = self._reader.wants, self._reader.bit
        choose(pieces, arena, wants, bit, self._classes, self._hashes, self._kinds, suspicious)
        if suspicious.any():
            for text in self._reader.texts(pieces, arena, suspicious, targets=True):
                suspicious[text.numbers] = self._suspicious(text)
            numbers = np.flatnonzero(suspicious)
            if numbers.size:
                hits = self._judge_rows(numbers, pieces, suspicious, contents, arena, nows)
        self._reader.note_clean(pieces, suspicious)
        self._earn(len(contents) - self._row, int(nows[-1]) if len(nows) else self._now)
        return hits

    def _suspicious(self, text: Text) -> Octets:
        """1 for each piece of the text in which something was found."""
        flags = np.zeros(len(text.numbers), np.uint8)
        found = RAW.positions(text.octets.tobytes(), MATCHES_MAX)
        if found:
            ends = np.array([end for _, end in found], np.int64)
            flags[np.searchsorted(text.starts, ends - 1, side="right") - 1] = 1
            if len(found) >= MATCHES_MAX:
                flags[int(np.searchsorted(text.starts, ends[-1], side="right")) - 1 :] = 1
        self.counters.values[Count.PIECES] += len(flags)
        self.counters.values[Count.SUSPICIOUS] += int(flags.sum())
        return flags

    def _judge_rows(
        self,
        numbers: npt.NDArray[np.int64],
        pieces: npt.NDArray[np.void],
        suspicious: Octets,
        contents: npt.NDArray[np.void],
        arena: npt.NDArray[np.uint8],
        nows: npt.NDArray[np.int64],
    ) -> list[Hit]:
        """Judge the suspicious pieces row by row; what turns out to be clean is no longer suspicious."""
        hits: list[Hit] = []
        some = pieces[numbers]
        rows, kinds, hashes = (some[name].tolist() for name in ("row", "kind", "hash"))
        known, reserve = self._known, HEADERS_SHARE * CREDITS_MAX
        found: Best = {}
        before = rows[0]
        for number, row, kind, hashed in zip(numbers.tolist(), rows, kinds, hashes, strict=True):
            if row != before and found:
                hits += _hits(before, found)
                found = {}
            before = row
            if row != self._row:
                self._earn(row - self._row, int(nows[row]))
                self._row = row
            if self._credits < reserve and kind == PieceKind.HEADER and (hashed, b"") not in known:
                self.counters.values[Count.SHED] += 1
                continue
            verdict = self._verdict(pieces[number], contents[row], arena)
            if verdict:
                _merge(found, verdict)
            elif verdict is not None:
                suspicious[number] = 0
        return [*hits, *_hits(before, found)]

    def _verdict(self, piece: np.void, content: np.void, arena: Octets) -> Verdicts | None:
        """What was found in a piece, from memory when it was judged before; None when the budget is spent."""
        kind = int(piece["kind"])
        context = _content_type(_bytes_of(content, arena, "request_head")) if kind == PieceKind.BODY else b""
        key = int(piece["hash"]), context
        known = self._known.get(key)
        if known == ():
            return known
        if known is None and kind == PieceKind.HEADER:
            self._credits -= HEADER_PRICE
        start, length = int(piece["start"]), int(piece["length"])
        if kind == PieceKind.LINE:
            start, length = target(arena, start, length)
        octets = arena[start : start + length].tobytes()
        whole = needs_whole(octets)
        if known is None and not whole and not self._is_doubtful(octets, kind, context):
            known = ()
            self._remember(key, known)
        if known is None:
            if self._credits < 1:
                self.counters.values[Count.SHED] += 1
                return None
            self._credits -= 1
            self.counters.values[Count.JUDGED] += 1
            known = tuple(judge_piece(octets, kind, context))
            self._remember(key, known + _UNDECIDED if whole else known)
        if not whole:
            return known
        head, body = (_bytes_of(content, arena, name) for name in ("request_head", "request_body"))
        return (*known, *judge_protocol(head, body), *_UNDECIDED)

    def _remember(self, key: tuple[int, bytes], verdicts: Verdicts) -> None:
        self._known[key] = verdicts
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def _is_doubtful(self, octets: bytes, kind: int, context: bytes) -> bool:
        """Whether the piece, decoded, still holds what a judge could find something in."""
        if kind == PieceKind.HEADER and b"\n" not in octets and octets.partition(b":")[0].strip().lower() in QUIET_HEADERS:
            return False
        if kind == PieceKind.BODY and context.startswith(_BINARY):
            return False
        if has_raw_trigger(octets):
            return True
        if not needs_decoding(octets):
            return False
        plain = unescape(unpercent(unpercent(text_of(octets).replace("+", " "))))
        return "&#" in plain or "&lt" in plain or needs_decoding(plain.encode()) or has_raw_trigger(plain.encode())

    def _earn(self, rows: int, now: int) -> None:
        """More budget for packet time and transactions that went by."""
        seconds = max(now - self._now, 0) / 1e9 if self._now else 0.0
        self._now = max(self._now, now)
        earned = seconds * self.judged_per_second + max(rows, 0) * CREDITS_PER_TRANSACTION
        self._credits = min(self._credits + earned, CREDITS_MAX)


_UNDECIDED = ((Finding("", 0, ""), Value("", "", "")),)
"""Keeps a piece suspicious whose meaning lies in the rest of its request."""
_BINARY = (b"image/", b"video/", b"audio/", b"application/octet-stream", b"application/grpc", b"application/zip",
           b"application/pdf", b"font/")  # fmt: skip
_TYPE = re.compile(rb"\ncontent-type:[ \t]*([^\r\n]{0,200})", re.I)


def _content_type(head: bytes) -> bytes:
    found = _TYPE.search(head)
    return found.group(1).lower() if found else b""


_OF_DOCUMENTS = ("xxe", "ssi", "evasion", "deserialisation")
"""What XML as a whole can be; its texts are judged one by one."""


def judge_piece(octets: bytes, kind: int, content_type: bytes) -> Iterator[tuple[Finding, Value]]:
    """The best finding of each kind in a target, a header line or a body, with its value."""
    head, body = b"GET / HTTP/1.1\n", b""
    if kind == PieceKind.LINE:
        head = b"GET " + octets + b" HTTP/1.1\n"
    elif kind == PieceKind.HEADER:
        head += octets + b"\n"
    else:
        head, body = head + b"Content-Type: " + content_type + b"\n", octets
    best: Best = {}
    for value in request_values(head, body):
        if kind == PieceKind.BODY and value.place in ("header", "path"):
            continue
        found = judge(value.text, value.form)
        if value.name == "document" and value.place == "xml":
            found = [finding for finding in found if finding.kind in _OF_DOCUMENTS]
        if value.place == "path":
            found += judge_target(value.text)
        if found:
            kept = value._replace(text=value.text[:KEPT_CHARACTERS])
            _merge(best, [(finding, kept) for finding in found])
    yield from best.values()


def _merge(best: Best, found: Iterable[tuple[Finding, Value]]) -> None:
    for finding, value in found:
        if finding.kind not in best or finding.points > best[finding.kind][0].points:
            best[finding.kind] = finding, value


def _hits(row: int, best: Best) -> Iterator[Hit]:
    """What is strong enough by itself and beside the strongest."""
    worst = max((finding.points for finding, _ in best.values()), default=0)
    for finding, value in best.values():
        if finding.points >= WEAK and 2 * finding.points >= worst:
            yield Hit(row, finding, value)


def _bytes_of(content: np.void, arena: npt.NDArray[np.uint8], name: str) -> bytes:
    start, length = int(content[f"{name}_offset"]), int(content[f"{name}_len"])
    return arena[start : start + length].tobytes()


