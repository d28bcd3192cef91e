"""Which signatures may match which transactions: in: a batch's bytes; out: rows with candidates.

All literals are searched at once in what has not been found clean before: lines of heads, bodies. Targets that are
encoded are searched decoded too. The one law: a signature that could match is among the candidates of its row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sensor.detection.scan import Scanner
from sensor.detection.signatures.buffers import ONLY_RESPONSE, normalised_uri
from sensor.detection.signatures.rule import Content, Pcre, Signature
from sensor.detection.signatures.ruleset import RuleSet
from sensor.detection.unseen import Octets, Unseen
from sensor.detection.unseen_kernel import PieceKind

Found = npt.NDArray[np.int64]
"""(row, number of what was found, kind of the piece), int64[n, 3]."""
_NOTHING: Found = np.zeros((0, 3), np.int64)
Pieces = npt.NDArray[np.void]
Signatures = list[Signature]
_BODIES = ("http.request_body", "http.response_body", "file_data")
MATCHES_MAX = 200_000
_ENCODED = (b"%", b"\\", b"//", b"/.")
"""A start line that holds one of these is searched normalised too."""
_RESPONSE = tuple(sorted(ONLY_RESPONSE))
_LINES = frozenset((
    "http.uri", "http.uri.raw", "http.method", "http.protocol", "http.request_line", "http.response_line",
    "http.stat_code", "http.stat_msg",
))  # fmt: skip
_OF_LINES = frozenset(("http.header", "http.header.raw", "http.header_names", "http.start", "http.cookie", "payload"))
_LINE_END = re.compile(rb"\\[rnsRvWDN]|\\x0[adAD]|\[\^|\\01[25]")
_EVERYWHERE = frozenset(("payload", "http.start", "http.host", "http.host.raw"))
"""Buffers in start lines alone, and those in lines and headers alike (an absolute target names the host)."""


def needle(content: Content) -> bytes:
    """What of a content is searched: its longest part within one line and without a null byte, in lower case.

    Hyperscan's Python takes a null byte for the end of a literal."""
    return max((part.strip(b"\r") for part in re.split(rb"[\n\x00]", content.octets.lower())), key=len)


_ANCHORS = re.compile(rb"(\\[^AZzbB]|\[\^?\]?(?:\\.|[^\]\\])*\])|\\[AZzbB]|[\^$]", re.S)


def pattern(signature: Signature) -> tuple[str, bytes] | None:
    """For a rule without contents: an expression, and its buffer, without which the rule cannot match."""
    for part in signature.parts:
        for test in part.tests:
            if not isinstance(test, Pcre) or test.negated or part.transforms:
                continue
            if not _spans_lines(part.buffer, test):
                expression = _ANCHORS.sub(lambda match: match.group(1) or b"", test.expression.pattern)
                if Scanner([expression], loose=True).compiles():
                    return part.buffer, expression
    return None


def _spans_lines(buffer: str, test: Pcre) -> bool:
    """Whether a match may lie in several lines of a head, which are looked at one by one."""
    return buffer in _OF_LINES and bool(_LINE_END.search(test.expression.pattern) or test.expression.flags & re.S)


class Candidates:
    """Of one set of signatures; `kinds` are the pieces of messages in which they are looked for."""

    def __init__(self, rules: RuleSet, unseen: Unseen) -> None:
        self.unconditional: list[Signature] = []
        groups: dict[bytes, list[Signature]] = {}
        patterns: list[tuple[bytes, Signature]] = []
        self._kinds: dict[int, set[PieceKind]] = {}
        for signature in rules.signatures:
            text = needle(signature.fast[1]) if signature.fast else b""
            if signature.fast and len(text) >= 2:
                groups.setdefault(text, []).append(signature)
                self._kinds[signature.sid] = kinds_of(signature.fast[0], signature.direction)
            elif found := pattern(signature):
                patterns.append((found[1], signature))
                self._kinds[signature.sid] = kinds_of(found[0], signature.direction)
            else:
                self.unconditional.append(signature)
        self.kinds: list[PieceKind] = sorted(set().union(*self._kinds.values()))
        self._literals = list(groups)
        self.by_number = [*groups.values(), *([signature] for _, signature in patterns)]
        self._sizes = np.array([len(group) for group in self.by_number], np.int64)
        self._useful = np.zeros((len(self.by_number), len(PieceKind)), np.bool_)
        for number, group in enumerate(self.by_number):
            self._useful[number, sorted(set().union(*(self._kinds[one.sid] for one in group)))] = True
        self._scanners = (
            (0, Scanner([*self._literals, *_ENCODED], literals=True)),
            (len(self._literals), Scanner([expression for expression, _ in patterns], loose=True)),
        )
        self.shed = 0  # searches that were broken off, because too much was found
        self.found = _NOTHING
        self._reader = unseen.reader("signatures", self.kinds)

    def find(
        self, contents: npt.NDArray[np.void], arena: Octets
    ) -> Iterator[tuple[int, int, slice]]:
        """(row, how many signatures may match it, which of `found` they are) of the batch, rows in order."""
        found = self.found = self._found(contents, arena) if self.by_number else _NOTHING
        if not len(found) and not self.unconditional:
            return
        rows, starts = np.unique(found[:, 0], return_index=True)
        stops = np.append(starts[1:], len(found))[: len(rows)]
        sums = np.append(0, np.cumsum(self._sizes[found[:, 1]]))
        counts = sums[stops] - sums[starts]
        spans = {row: span for row, *span in np.stack([rows, starts, stops, counts], axis=1).tolist()}
        for row in range(len(contents)) if self.unconditional else rows.tolist():
            first, last, count = spans.get(row, (0, 0, 0))
            yield row, count + len(self.unconditional), slice(first, last)

    def of(self, span: slice) -> Signatures:
        """The signatures that one row's findings may be of, until the next batch."""
        named = [
            signature
            for _, number, kind in self.found[span].tolist()
            for signature in self.by_number[number]
            if kind in self._kinds[signature.sid]
        ]
        return named + self.unconditional

    def _found(self, contents: npt.NDArray[np.void], arena: Octets) -> Found:
        """What was found, ordered by row; what has nothing of use is noted as clean."""
        pieces = self._reader.pieces(contents, arena)
        parts = list(self._scan(pieces, arena))
        if not parts:
            self._reader.note_clean(pieces, np.zeros(len(pieces), np.uint8))
            return _NOTHING
        pairs = np.concatenate(parts)
        numbers, places = pairs[:, 0], pairs[:, 1]
        kinds = pieces["kind"][places].astype(np.int64)
        useful = self._useful[numbers, kinds]
        hits = np.zeros(len(pieces), np.uint8)
        hits[places[useful]] = 1
        self._reader.note_clean(pieces, hits)
        found = np.stack([pieces["row"][places], numbers, kinds], axis=1)[useful]
        return np.unique(found, axis=0)

    def _scan(self, pieces: Pieces, arena: Octets) -> Iterator[npt.NDArray[np.int64]]:
        """(number, piece) of what is found in what is new, int64[n, 2]."""
        for text in self._reader.texts(pieces, arena, self._reader.new(pieces)):
            octets = text.octets.tobytes()
            for base, scanner in self._scanners:
                matches = scanner.positions(octets, MATCHES_MAX)
                if not matches:
                    continue
                self.shed += len(matches) >= MATCHES_MAX
                table = np.array(matches, np.int64)
                places = text.pieces_at(table[:, 1])
                signs = np.zeros(len(table), np.bool_) if base else table[:, 0] >= len(self._literals)
                yield np.stack([table[~signs, 0] + base, places[~signs]], axis=1)
                lines = np.unique(places[signs & (pieces["kind"][places] == PieceKind.LINE)])
                yield from (self._normalised(place, pieces, arena) for place in lines.tolist())

    def _normalised(self, place: int, pieces: Pieces, arena: Octets) -> npt.NDArray[np.int64]:
        """Search the target of one start line as http.uri has it."""
        piece = pieces[place]
        line = arena[int(piece["start"]) : int(piece["start"]) + int(piece["length"])].tobytes()
        target = normalised_uri(line.partition(b" ")[2].rpartition(b" ")[0] or line)
        found = [
            (base + number, place)
            for base, scanner in self._scanners
            for number in scanner.matches(target)
            if base or number < len(self._literals)
        ]
        return np.array(found, np.int64).reshape(-1, 2)


def kinds_of(buffer: str, direction: str) -> set[PieceKind]:
    """The pieces in which a literal of this buffer can be."""
    kinds: set[PieceKind] = set()
    line, header = buffer in _LINES or buffer in _EVERYWHERE, buffer not in _LINES and buffer not in _BODIES
    body = buffer in _BODIES or buffer == "payload"
    if direction != "to_client" and buffer not in _RESPONSE:
        kinds |= {kind for kind, wanted in zip(tuple(PieceKind)[:3], (line, header, body), strict=True) if wanted}
    if direction != "to_server" or buffer in _RESPONSE:
        kinds |= {kind for kind, wanted in zip(tuple(PieceKind)[3:], (line, header, body), strict=True) if wanted}
    return kinds
