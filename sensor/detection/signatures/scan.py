"""Which signatures may match which transactions: in: a batch's bytes; out: rows with candidates.

All literals are searched at once in what has not been found clean before: lines of heads, bodies. Targets that are
encoded are searched decoded too. The one law: a signature that could match is among the candidates of its row.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from sensor.detection.scan import Scanner
from sensor.detection.signatures.buffers import ONLY_RESPONSE, normalised_uri
from sensor.detection.signatures.rule import Content, Pcre, Signature
from sensor.detection.signatures.ruleset import RuleSet
from sensor.detection.unseen import Octets, Unseen
from sensor.detection.unseen_kernel import PieceKind

Found = dict[int, set[tuple[int, int]]]
"""By row: numbers of what was found, and in which kind of piece."""
Pieces = npt.NDArray[np.void]
_BODIES = ("http.request_body", "http.response_body", "file_data")
MATCHES_MAX = 200_000
_ENCODED = (b"%", b"\\", b"//", b"/.")
"""A start line that holds one of these is searched normalised too."""
_RESPONSE = tuple(sorted(ONLY_RESPONSE))
_LINES = frozenset((
    "http.uri", "http.uri.raw", "http.method", "http.protocol", "http.request_line", "http.response_line",
    "http.stat_code", "http.stat_msg",
))  # fmt: skip
_EVERYWHERE = frozenset(("payload", "http.start"))
"""Buffers in start lines alone, and those in lines and headers alike."""


def needle(content: Content) -> bytes:
    """What of a content is searched: its longest part within one line, in lower case."""
    return max((part.strip(b"\r") for part in content.octets.lower().split(b"\n")), key=len)


_ANCHORS = re.compile(rb"(\\[^AZzbB]|\[\^?\]?(?:\\.|[^\]\\])*\])|\\[AZzbB]|[\^$]", re.S)


def pattern(signature: Signature) -> tuple[str, bytes] | None:
    """For a rule without contents: an expression, and its buffer, without which the rule cannot match."""
    for part in signature.parts:
        for test in part.tests:
            if isinstance(test, Pcre) and not test.negated and not part.transforms:
                expression = _ANCHORS.sub(lambda match: match.group(1) or b"", test.expression.pattern)
                if Scanner([expression], loose=True).compiles():
                    return part.buffer, expression
    return None


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
        self._kinds_of = [set().union(*(self._kinds[one.sid] for one in group)) for group in self.by_number]
        self._scanners = (
            (0, Scanner([*self._literals, *_ENCODED], literals=True)),
            (len(self._literals), Scanner([expression for expression, _ in patterns], loose=True)),
        )
        self.shed = False
        self._reader = unseen.reader("signatures", self.kinds)

    def find(self, contents: npt.NDArray[np.void], arena: npt.NDArray[np.uint8]) -> dict[int, list[Signature]]:
        """Signatures by row of the batch, rows in order."""
        found: Found = {}
        if self.by_number:
            pieces = self._reader.pieces(contents, arena)
            hits = np.zeros(len(pieces), np.uint8)
            self._scan(pieces, arena, hits, found)
            self._reader.note_clean(pieces, hits)
        rows: dict[int, list[Signature]] = {}
        for row in sorted(found):
            rows[row] = [
                signature
                for number, kind in sorted(found[row])
                for signature in self.by_number[number]
                if kind in self._kinds[signature.sid]
            ]
        for row in range(len(contents)) if self.unconditional else ():
            rows[row] = rows.get(row, []) + self.unconditional
        return dict(sorted(rows.items()))

    def _scan(self, pieces: Pieces, arena: Octets, hits: Octets, found: Found) -> None:
        """Search what is new; 1 in `hits` for each piece in which something was found."""
        encoded: set[int] = set()
        for text in self._reader.texts(pieces, arena, self._reader.new(pieces)):
            octets = text.octets.tobytes()
            for base, scanner in self._scanners:
                matches = scanner.positions(octets, MATCHES_MAX)
                if not matches:
                    continue
                self.shed |= len(matches) >= MATCHES_MAX
                table = np.array(matches, np.int64)
                pairs = np.unique(np.stack([table[:, 0], text.pieces_at(table[:, 1])], axis=1), axis=0)
                for number, place in pairs.tolist():
                    kind = int(pieces["kind"][place])
                    if base or number < len(self._literals):
                        if kind in self._kinds_of[base + number]:
                            hits[place] = 1
                            found.setdefault(int(pieces["row"][place]), set()).add((base + number, kind))
                    elif kind == PieceKind.LINE:
                        encoded.add(place)
        for place in sorted(encoded):
            self._scan_normalised(place, pieces, arena, hits, found)

    def _scan_normalised(self, place: int, pieces: Pieces, arena: Octets, hits: Octets, found: Found) -> None:
        """Search the target of one start line as http.uri has it."""
        piece = pieces[place]
        line = arena[int(piece["start"]) : int(piece["start"]) + int(piece["length"])].tobytes()
        target = normalised_uri(line.partition(b" ")[2].rpartition(b" ")[0] or line)
        for base, scanner in self._scanners:
            for number in scanner.matches(target):
                if (base or number < len(self._literals)) and PieceKind.LINE in self._kinds_of[base + number]:
                    hits[place] = 1
                    found.setdefault(int(piece["row"]), set()).add((base + number, int(PieceKind.LINE)))


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
