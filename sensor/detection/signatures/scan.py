"""Which signatures may match which transactions: in: a batch's bytes; out: rows with candidates.

All literals are searched at once in what has not been found clean before: lines of heads, bodies. Targets that are
encoded are searched decoded too. The one law: a signature that could match is among the candidates of its row.
"""

from __future__ import annotations

import re
import secrets

import numpy as np
import numpy.typing as npt

from sensor.detection.injection.gather_kernel import PIECE, Part, PieceKind, Progress, gather, note_clean
from sensor.detection.scan import Scanner
from sensor.detection.signatures.buffers import ONLY_RESPONSE, normalised_uri
from sensor.detection.signatures.rule import Content, Pcre, Signature
from sensor.detection.signatures.ruleset import RuleSet

Found = dict[int, set[tuple[int, bool]]]
"""By row: numbers of what was found, and whether in a body."""
_BODIES = ("http.request_body", "http.response_body", "file_data")
TEXT_BYTES = 4 << 20
PIECES_MAX = 1 << 15
CLEAN_SLOTS = 1 << 15
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
    """Of one set of signatures; `wants_answers` says whether bytes of responses are needed to find them."""

    def __init__(self, rules: RuleSet) -> None:
        self.unconditional: list[Signature] = []
        groups: dict[bytes, list[Signature]] = {}
        patterns: list[tuple[bytes, Signature]] = []
        parts = 0
        for signature in rules.signatures:
            text = needle(signature.fast[1]) if signature.fast else b""
            if signature.fast and len(text) >= 2:
                groups.setdefault(text, []).append(signature)
                parts |= _parts(signature.fast[0], signature.direction)
            elif found := pattern(signature):
                patterns.append((found[1], signature))
                parts |= _parts(found[0], signature.direction)
            else:
                self.unconditional.append(signature)
        self.parts = parts
        self._literals = list(groups)
        self.by_number = [*groups.values(), *([signature] for _, signature in patterns)]
        self._scanners = (
            (0, Scanner([*self._literals, *_ENCODED], literals=True)),
            (len(self._literals), Scanner([expression for expression, _ in patterns], loose=True)),
        )
        self.shed = False
        self._text = np.zeros(TEXT_BYTES, np.uint8)
        self._pieces = np.zeros(PIECES_MAX, PIECE)
        self._clean = np.zeros(CLEAN_SLOTS, np.uint64)
        self._progress = np.zeros(len(Progress), np.int64)
        self._progress[Progress.SEED] = secrets.randbits(62)

    def find(self, contents: npt.NDArray[np.void], arena: npt.NDArray[np.uint8]) -> dict[int, list[Signature]]:
        """Signatures by row of the batch, rows in order."""
        found: Found = {}
        start = 0
        while self.by_number and start < len(contents):
            start = gather(contents, arena, start, self.parts, self._clean, self._text, self._pieces, self._progress)
            count = int(self._progress[Progress.PIECES])
            if count:
                hits = self._scan(count, int(self._progress[Progress.BYTES]), found)
                note_clean(self._pieces, count, hits, self._clean)
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

    def _scan(self, count: int, used: int, found: Found) -> npt.NDArray[np.uint8]:
        hits = np.zeros(count, np.uint8)
        text = self._text[:used].tobytes()
        encoded: set[int] = set()
        for base, scanner in self._scanners:
            matches = scanner.positions(text, MATCHES_MAX)
            if not matches:
                continue
            self.shed |= len(matches) >= MATCHES_MAX
            table = np.array(matches, np.int64)
            places = np.searchsorted(self._pieces["start"][:count], table[:, 1] - 1, side="right") - 1
            pairs = np.unique(np.stack([table[:, 0], places], axis=1), axis=0)
            for number, place in pairs.tolist():
                if base or number < len(self._literals):
                    hits[place] = 1
                    in_body = bool(self._pieces["kind"][place] == PieceKind.BODY)
                    found.setdefault(int(self._pieces["row"][place]), set()).add((base + number, in_body))
                elif self._pieces["kind"][place] == PieceKind.LINE:
                    encoded.add(place)
        for place in sorted(encoded):
            self._scan_normalised(place, hits, found)
        return hits

    def _scan_normalised(self, place: int, hits: npt.NDArray[np.uint8], found: Found) -> None:
        """Search the target of one start line as http.uri has it."""
        piece = self._pieces[place]
        line = self._text[int(piece["start"]) : int(piece["start"]) + int(piece["length"])].tobytes()
        target = normalised_uri(line.partition(b" ")[2].rpartition(b" ")[0] or line)
        for base, scanner in self._scanners:
            for number in scanner.matches(target):
                if base or number < len(self._literals):
                    hits[place] = 1
                    found.setdefault(int(piece["row"]), set()).add((base + number, False))


def _is_of_body(signature: Signature) -> bool:
    """Whether its literal is looked for in bodies alone."""
    return signature.fast is not None and signature.fast[0] in _BODIES


def _parts(buffer: str, direction: str) -> int:
    """Which pieces have to be gathered to find a literal of this buffer."""
    request = direction != "to_client" and buffer not in _RESPONSE
    response = direction != "to_server" or buffer in _RESPONSE
    body = buffer in ("http.request_body", "http.response_body", "file_data", "payload")
    head = buffer not in ("http.request_body", "http.response_body", "file_data")
    parts = 0
    if request:
        parts |= (Part.LINE | Part.HEADERS if head else 0) | (Part.BODY if body else 0)
    if response:
        parts |= (Part.RESPONSE_HEAD if head else 0) | (Part.RESPONSE_BODY if body else 0)
    return parts
