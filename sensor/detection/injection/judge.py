"""All judges over one value: in: a value as sent; out: per class the points and the evidence.

Every reading of the value is searched for all written patterns at once, cut into SQL tokens when it has a mark of SQL,
and searched for paths. In prose (many plain words) patterns that prose may hold count half, and what stands between
code marks is left out. The one law: the same value always gives the same findings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from sensor.detection.injection.decode import readings
from sensor.detection.injection.finding import STRONG, Finding
from sensor.detection.injection.paths import judge_path
from sensor.detection.injection.pattern import Pattern
from sensor.detection.injection.patterns_browser import BROWSER
from sensor.detection.injection.patterns_code import CODE
from sensor.detection.injection.patterns_query import QUERY
from sensor.detection.injection.patterns_shell import RARE, SHELL
from sensor.detection.injection.prefilter import has_trigger
from sensor.detection.injection.sql import judge_sql
from sensor.detection.scan import Scanner

TABLES: tuple[list[Pattern], ...] = (BROWSER, SHELL, CODE, QUERY)
"""Each is a database of its own: together they would take twice as long to compile."""
_SCANNERS = [(table, Scanner([pattern.expression for pattern in table], single=True)) for table in TABLES]
_SQL_MARKS = re.compile(
    r"['\"`;#@()=<>]|--|/\*|\b(?:select|union|insert|update|delete|drop|exec|declare|waitfor|or|and|having|order\s+by|group\s+by"
    r"|like|rlike|limit|procedure|into|from|where|xp_|sp_|table|null|between|case|information_schema|xor|glob|is\s+not|regexp|utl_|dbms_|tempdb|msys|sysobjects|v\$|rdb\$)",
    re.I,
)
_PATH_MARKS = re.compile(r"\.\.|[/\\%?\x00]|\.(?:ini|conf|log|env|git|ht|bash|ssh|xml|php|ya?ml|py)|passwd|(.)\1{99}", re.I)
_CODE_MARKS = re.compile(r"```.*?(?:```|\Z)|``[^`]+``|`[^`\n]{1,200}`|(?<![^\s(])`(?!\s)[^`'\n]{1,80}'(?=[\s,.;:)])|<(pre|code)>.*?</\1>", re.S | re.I)
_WORD = re.compile(r"(?<![^\s(\"'“„«¿¡])[^\W\d_]{2,}(?:[-'’][^\W\d_]+)*(?=[.:](?:\s|\Z)|[\s,;!?)\"'”“»…]|\Z)")
_LINK = re.compile(r"!?\[([^\]\n]{0,80})\]\((?:https?://[a-z]|/\w|#|[a-z][\w-]*[./])[\w/#?=&%@~+-]*(?:\.[\w/#?=&%@~+-]+)*\)", re.I)
"""Of Markdown, to an ordinary address: its words count, its address does not."""
_VARIABLE = re.compile(r"\$\(([A-Z][A-Z_]+)\)")
"""Of a Makefile; no shell has commands in capitals."""
_OF_CODES = ("path", "evasion")
"""What a value can be before anything of it is decoded."""
PROSE_WORDS = 8
PHRASE_WORDS, PHRASE_SIGNS_MAX = 4, 2
"""So many words are prose in a short text too, when they are at least half of it and hardly a sign of code is there."""
_LEAD = re.compile(r"[\s\"'(*\[-]{0,4}(?:[^\W\d_]{2,}[,:]?\s+){2}[^\W\d_]{2,}(?=[\s,.;:!?)]|\Z)")
"""Three plain words before anything else."""
_REFERENCE = re.compile(r"`([^`<]{0,120})<https?://[^`>\s]{1,200}>`_{1,2}")
"""Of reStructuredText."""
_PIECE = re.compile(r"\S*[^\W\d_]\S*")
_SIGNS = re.compile(r"[{}<>=;|&$%\\+]")
_COMMAND = re.compile(r"\W{0,6}(?:" + RARE + r"|net|ping|echo|time|alias)[\s;|&]|\W{0,6}if\s+(?:not\b|exist\b|defined\b|errorlevel\b|[\W\d])", re.I)
_COMMAND_LINE = re.compile(r"\s*(?:[A-Z_]+=\S*\s+|sudo\s+)*" + RARE + r"\s", re.I)
"""What begins with a command is what people ask about and paste; what is injected stands behind a break-out."""
_PRODUCT = re.compile(
    r"\W{0,6}(?:python|perl|ruby|lua|php|git|mysql|bash|expect|wish|fish|dash|nano|puppet|gimp|emacs)\s+[^\W\d_]{2,}\s", re.I
)
"""A name of a program with which a sentence may begin."""
_SHOWN = re.compile(r"\A\s*[*-]\s+`[^`]+`\s|\A\s*\$\s+[a-z./~]|(?:\A|\s)```[a-z]{0,12}\s", re.I)
"""Code that is shown as code: behind a prompt or a fence."""


class Weight(IntEnum):
    """What a pattern that prose may hold too is worth in a text."""

    WHOLE = 0      # all its points
    HALF = 1       # half of them; they add up
    BEST_HALF = 2  # half of the best one's: nothing adds up


class Reading(NamedTuple):
    """`text` without what stands between code marks of prose; `weight`: what evidence that prose may hold is worth."""

    text: str
    weight: Weight


def weighed(text: str) -> Reading:
    """How much of a text is prose."""
    if " " not in text:
        return Reading(text, Weight.WHOLE)
    text = _LINK.sub(r"\1 ", text) if "](" in text else text
    text = _REFERENCE.sub(r"\1", text) if ">`_" in text else text
    plain = _CODE_MARKS.sub(" ", text) if "`" in text or "<pre" in text or "<code" in text else text
    words, pieces = len(_WORD.findall(plain)), len(_PIECE.findall(plain))
    if words >= PROSE_WORDS:
        return Reading(plain, Weight.BEST_HALF if 5 * words >= 3 * pieces else Weight.HALF)
    if _SHOWN.search(text):
        return Reading(text, Weight.BEST_HALF)
    if _COMMAND.match(plain) and not _PRODUCT.match(plain):
        return Reading(text, Weight.WHOLE)
    signs = len(_SIGNS.findall(plain))
    enough = PHRASE_WORDS if signs or not plain.lstrip("*- ")[:1].isalpha() else PHRASE_WORDS - 1
    mostly = words >= enough and 2 * words >= pieces
    if (mostly or _LEAD.match(plain)) and signs <= PHRASE_SIGNS_MAX:
        return Reading(text, Weight.BEST_HALF)
    return Reading(text, Weight.WHOLE)


def judge_reading(text: str) -> list[Finding]:
    """Findings in one reading."""
    text, weight = weighed(text)
    points: dict[str, int] = {}
    evidence: dict[str, list[str]] = {}
    plainly = False
    octets = (_VARIABLE.sub(r"\1", text) if "$(" in text else text).encode("utf-8", "surrogatepass")
    for table, scanner in _SCANNERS:
        for number in scanner.matches(octets):
            pattern = table[number]
            before = points.get(pattern.kind, 0)
            if pattern.plain or weight == Weight.WHOLE:
                points[pattern.kind] = before + pattern.points
            elif weight == Weight.HALF:
                points[pattern.kind] = before + pattern.points // 2
            else:
                points[pattern.kind] = max(before, pattern.points // 2)
            evidence.setdefault(pattern.kind, []).append(pattern.evidence)
            plainly |= pattern.plain and pattern.kind == "cmdi"
    if points.get("cmdi", 0) >= STRONG and not plainly and _COMMAND_LINE.match(text):
        points["cmdi"] = STRONG - 1
    found = [Finding(kind, worth, ", ".join(dict.fromkeys(evidence[kind]))) for kind, worth in points.items()]
    if _SQL_MARKS.search(text):
        found += judge_sql(text)
    if _PATH_MARKS.search(text):
        found += judge_path(text)
    return found


def judge(text: str, form: bool = False) -> list[Finding]:
    """The best finding of each class over all readings of a value, best first."""
    best: dict[str, Finding] = {}
    coded = form and ("%" in text or "+" in text)
    every = readings(text, form)
    for number, reading in enumerate(every):
        if not has_trigger(reading):
            continue
        for finding in judge_reading(reading):
            if coded and number == 0 and len(every) > 1 and finding.kind not in _OF_CODES:
                continue
            if finding.kind not in best or finding.points > best[finding.kind].points:
                best[finding.kind] = finding
    return sorted(best.values(), key=lambda finding: (-finding.points, finding.kind))


def worst(findings: Sequence[Finding]) -> int:
    """The most points of any class."""
    return max((finding.points for finding in findings), default=0)
