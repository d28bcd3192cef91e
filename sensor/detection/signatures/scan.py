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

Found = dict[int, set[tuple[int, bool]]]
"""By row: numbers of what was found, and whether in a body."""
Pieces = npt.NDArray[np.void]
_BODY_KINDS = (PieceKind.BODY, PieceKind.RESPONSE_BODY)
_BODIES = ("http.request_body", "http.response_body", "file_data")
MATCHES_MAX = 200_000
_ENCODED = (b"%", b"\\", b"//", b"/.")
"""A start line that holds one of these is searched normalised too."""
_RESPONSE = tuple(sorted(ONLY_RESPONSE))


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
        kinds: set[PieceKind] = set()
        for signature in rules.signatures:
            text = needle(signature.fast[1]) if signature.fast else b""
            if signature.fast and len(text) >= 2:
                groups.setdefault(text, []).append(signature)
                kinds |= _kinds(signature.fast[0], signature.direction)
            elif found := pattern(signature):
                patterns.append((found[1], signature))
                kinds |= _kinds(found[0], signature.direction)
            else:
                self.unconditional.append(signature)
        self.kinds = sorted(kinds)
        self._literals = list(groups)
        self.by_number = [*groups.values(), *([signature] for _, signature in patterns)]
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
                for number, in_body in sorted(found[row])
                for signature in self.by_number[number]
                if in_body or not _is_of_body(signature)
            ]
        rows = {row: signatures for row, signatures in rows.items() if signatures}
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
                    kind = pieces["kind"][place]
                    if base or number < len(self._literals):
                        hits[place] = 1
                        found.setdefault(int(pieces["row"][place]), set()).add((base + number, kind in _BODY_KINDS))
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
                if base or number < len(self._literals):
                    hits[place] = 1
                    found.setdefault(int(piece["row"]), set()).add((base + number, False))


def _is_of_body(signature: Signature) -> bool:
    """Whether its literal is looked for in bodies alone."""
    return signature.fast is not None and signature.fast[0] in _BODIES


def _kinds(buffer: str, direction: str) -> set[PieceKind]:
    """In which pieces a literal of this buffer is looked for."""
    kinds: set[PieceKind] = set()
    body = buffer in (*_BODIES, "payload")
    head = buffer not in _BODIES
    if direction != "to_client" and buffer not in _RESPONSE:
        kinds |= ({PieceKind.LINE, PieceKind.HEADER} if head else set()) | ({PieceKind.BODY} if body else set())
    if direction != "to_server" or buffer in _RESPONSE:
        kinds |= {PieceKind.RESPONSE_LINE, PieceKind.RESPONSE_HEADER} if head else set()
        kinds |= {PieceKind.RESPONSE_BODY} if body else set()
    return kinds
