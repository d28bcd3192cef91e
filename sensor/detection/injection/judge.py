"""All judges over one value: in: a value as sent; out: per class the points and the evidence.

Every reading of the value is searched for all written patterns at once, cut into SQL tokens when it has a mark of SQL,
and searched for paths. In prose (many plain words) patterns that prose may hold count half, and what stands between
code marks is left out. The one law: the same value always gives the same findings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sensor.detection.injection.decode import readings
from sensor.detection.injection.finding import Finding
from sensor.detection.injection.paths import judge_path
from sensor.detection.injection.pattern import Pattern
from sensor.detection.injection.patterns_browser import BROWSER
from sensor.detection.injection.patterns_code import CODE
from sensor.detection.injection.patterns_query import QUERY
from sensor.detection.injection.patterns_shell import SHELL
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
_CODE_MARKS = re.compile(r"```.*?(?:```|\Z)|``[^`]+``|`[^`\n]{1,200}`|<(pre|code)>.*?</\1>", re.S | re.I)
_WORD = re.compile(r"(?<![^\s(\"'“„«¿¡])[^\W\d_]{2,}(?=[\s,.;:!?)\"'”“»…]|\Z)")
_OF_CODES = ("path", "evasion")
"""What a value can be before anything of it is decoded."""
PROSE_WORDS = 8


def without_code(text: str) -> tuple[str, bool]:
    """The text without what stands between code marks, and whether it is prose."""
    if len(text) < 40 or " " not in text:
        return text, False
    plain = _CODE_MARKS.sub(" ", text) if "`" in text or "<pre" in text or "<code" in text else text
    prose = len(_WORD.findall(plain)) >= PROSE_WORDS
    return (plain, True) if prose else (text, False)


def judge_reading(text: str) -> list[Finding]:
    """Findings in one reading."""
    text, prose = without_code(text)
    points: dict[str, int] = {}
    evidence: dict[str, list[str]] = {}
    octets = text.encode("utf-8", "surrogatepass")
    for table, scanner in _SCANNERS:
        for number in scanner.matches(octets):
            pattern = table[number]
            worth = pattern.points if pattern.plain or not prose else pattern.points // 2
            points[pattern.kind] = points.get(pattern.kind, 0) + worth
            evidence.setdefault(pattern.kind, []).append(pattern.evidence)
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
