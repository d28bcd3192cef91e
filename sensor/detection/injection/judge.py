"""All judges over one value: in: a value as sent; out: per class the points and the evidence.

Every reading of the value is searched for all written patterns at once, cut into SQL tokens when it has a mark of SQL,
and searched for paths. In prose and documents much of it counts less (weigh.py). The one law: the same value always gives the same findings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from sensor.detection.injection import prefilter
from sensor.detection.injection.decode import is_coded, is_packed_object, readings
from sensor.detection.injection.finding import STRONG, WEAK, Finding
from sensor.detection.injection.markup import DECLARED, ENTITY, without_idle_markup
from sensor.detection.injection.orders import judge_order
from sensor.detection.injection.paths import judge_path
from sensor.detection.injection.pattern import Pattern
from sensor.detection.injection.patterns_browser import BROWSER
from sensor.detection.injection.patterns_code import CODE
from sensor.detection.injection.patterns_query import QUERY
from sensor.detection.injection.patterns_shell import COMMON, RARE, SHELL
from sensor.detection.injection.prefilter import has_trigger
from sensor.detection.injection.prompts import judge_prompt
from sensor.detection.injection.sql import judge_sql
from sensor.detection.injection.weigh import Reading, Weight, breaks_into_headers, weighed
from sensor.detection.scan import Scanner

TABLES: tuple[list[Pattern], ...] = (BROWSER, SHELL, CODE, QUERY)
"""Each is a database of its own: together they would take twice as long to compile."""
_SCANNERS = [(table, Scanner([pattern.expression for pattern in table], single=True)) for table in TABLES]
SCANNERS = (*prefilter.SCANNERS, *(scanner for _, scanner in _SCANNERS))
"""All that suspicious text is searched with. Their databases take 14 s of CPU to compile: once, then they are kept."""
_SQL_MARKS = re.compile(
    r"['\"`;#@()=<>]|--|/\*|\b(?:select|union|insert|update|delete|drop|exec|declare|waitfor|or|and|having|order\s+by|group\s+by"
    r"|like|rlike|limit|procedure|into|from|where|xp_|sp_|table|null|between|case|information_schema|xor|glob|is\s+not|regexp|utl_|dbms_|tempdb|msys|sysobjects|v\$|rdb\$)",
    re.I,
)
_PATH_MARKS = re.compile(r"\.\.|[/\\%?\x00]|\.(?:ini|conf|log|env|git|ht|bash|ssh|xml|php|ya?ml|py)|passwd|(.)\1{99}", re.I)
_ONE_LINE = frozenset(("ssrf", "open-redirect", "path", "ldap", "xpath", "crlf"))
"""What no document can be: it is an attack only as a whole value."""
_NEVER_TOLD = frozenset(("jndi", "deserialisation", "crlf", "prompt"))
"""What acts wherever it stands; other code in the midst of what people write is more often shown than meant, and is low."""
_OF_CODES = ("path", "evasion")
"""What a value can be before anything of it is decoded."""
_ODD_CODES = re.compile(r"%(?:25|c[01]|e0%80|f[08c]%80|u|%|00|[0-9a-f]?[^0-9a-f]|f[5-7])", re.I)
"""Codes that no client makes of a form: anything else is but its coding."""
_VARIABLE = re.compile(r"\$\(([A-Z][A-Z_]+)\)")
"""Of a Makefile; no shell has commands in capitals."""
_COMMAND_LINE = re.compile(r"\s*(?:[A-Z_]+=\S*\s+|sudo\s+)*(?:" + RARE + "|" + COMMON + r")\s", re.I)
"""What begins with a command is what people ask about and paste; what is injected stands behind a break-out."""
_ENDS_IN_A_WORD = frozenset(("command with an argument after a separator", "separator at the edge"))
_JOINT = r"(?:\s+[&|]\s+|\s*;\s+)"
_WORDS_JOINED = re.compile(
    rf"\s*[^\W\d_][\w'’.-]*(?:\s+[^\W\d_][\w'’.-]*){{0,8}}{_JOINT}(?:[^\W\d_][\w'’.-]*(?:{_JOINT}|\s+)){{0,8}}"
    r"(?!(?:id|env|who|w|dir|ip|ss|ver|vol|set|date|exit|reboot|shutdown|halt)\s*\Z)[^\W\d_]+\s*\Z",
    re.I,
)
"""Words, of which the last is a command that tells and does nothing without an argument: fish & chips | more."""
_PARAGRAPH = re.compile(rb"\n[ \t]*\r?\n[ \t]*|\n[ \t]{2,}")
"""An empty line, or one that is set in: no line end that a shell is to see is sent so."""
_GRAPHQL = re.compile(r"\s*(?:(?:query|mutation|subscription|fragment)\b[^{}]{0,256})?\{.*\}\s*\Z", re.DOTALL)
"""A whole document of GraphQL."""
_LISTING = re.compile(r"\s*(?:(?:" + RARE + "|" + COMMON + r")\s|[a-z_]\w*\s*\(\)\s*\{)")
"""The same of several lines, of any command."""
_PLACEHOLDERS = frozenset(("placeholder", "template expression", "template statement", "expression that calls"))
"""What templates are full of: what reaches for more than their own names is other evidence."""
_REACHES = re.compile(
    r"__|\b(?:config|self|requests?|session|app|application|os|system|exec\w*|eval|class|constructor|process|require|import|include|runtime|popen|files?|fs|read\w*|env\w*"
    r"|cycler|lipsum|joiner|namespace|get_?attr\w*|attr|mro|dump|debug\w*|settings|php\w*|passthru|shell\w*|java|javax|new|open|print\w*|range|url_for|settimeout|alert|global\w*|this)\b"
    r"|\{if\b|#with\b|evaluate|if\s+true|\d\s*[*+-]\s*'?\d|\{php\}|\?(?:new|api|interpret)|#(?:evaluate|include|parse|set|foreach|macro)|@(?:system|using|functions|inject)|<#|[\"']\s*[~*]",
    re.I,
)
"""What a template has no business with, or a sum: who tries templates begins with one."""
_DEVELOPER = re.compile(r"(?:https?|wss?)://localhost:[1-9]\d{3,4}(?:/(?!\S*(?:admin|actuator|metadata|latest|internal|console|manage|config|secret|flag|shutdown))[\w./#?=&-]*)?\Z", re.I)
"""Of a program that listens on the machine of who develops it: a redirect, a schema, a test."""


def judge_reading(text: str) -> list[Finding]:
    """Findings in one reading; of a document its first line is judged by itself too."""
    reading = weighed(without_idle_markup(text))
    found = _judged(reading)
    for begin in reading.begins:
        found += _judged(weighed(begin))
    return found


def _judged(reading: Reading) -> list[Finding]:
    text, weight = reading.text, reading.weight
    points: dict[str, int] = {}
    every: dict[str, int] = {}
    evidence: dict[str, list[str]] = {}
    plainly = False
    headed = weight == Weight.DOCUMENT and not breaks_into_headers(text)
    octets = (_VARIABLE.sub(r"\1", text) if "$(" in text else text).encode("utf-8", "surrogatepass")
    lines = _PARAGRAPH.sub(b" \x0b", octets) if b"\n" in octets else octets
    for table, scanner in _SCANNERS:
        for number in scanner.matches(lines if table is SHELL else octets):
            pattern = table[number]
            before = points.get(pattern.kind, 0)
            plain = pattern.plain and not (headed and pattern.kind in _ONE_LINE)
            points[pattern.kind] = weight.added(before, pattern.points, plain)
            every[pattern.kind] = every.get(pattern.kind, 0) + pattern.points
            evidence.setdefault(pattern.kind, []).append(pattern.evidence)
            plainly |= pattern.plain and pattern.kind == "cmdi"
    points = {kind: weight.of_all(worth, every[kind]) for kind, worth in points.items()}
    if points.get("cmdi", 0) >= STRONG and not plainly and (_COMMAND_LINE.match(text) or ("\n" in text.strip() and _LISTING.match(text))):
        points["cmdi"] = STRONG - 1
    if "cmdi" in points and _ENDS_IN_A_WORD.issuperset(evidence["cmdi"]) and _WORDS_JOINED.match(text):
        points["cmdi"] = 0
    if "ssti" in points and _PLACEHOLDERS.issuperset(evidence["ssti"]):
        points["ssti"] = min(points["ssti"], STRONG - 1 if _REACHES.search(text) else WEAK - 1)
    if evidence.get("nosql") == ["document cut short"] and _is_json(text):
        points["nosql"] = 0
    if evidence.get("xxe") == ["entity reference"] and DECLARED.issuperset(ENTITY.findall(text)):
        points["xxe"] = 0
    if "graphql" in points and _GRAPHQL.match(text):
        points["graphql"] = every["graphql"]  # words in it are names of fields, and no prose
    if "ssrf" in points and _DEVELOPER.match(text):
        points["ssrf"] = WEAK - 1
    if reading.told:
        points = {kind: worth if kind in _NEVER_TOLD else min(worth, STRONG - 1) for kind, worth in points.items()}
    found = [Finding(kind, worth, ", ".join(dict.fromkeys(evidence[kind]))) for kind, worth in points.items()]
    inside = []
    if _SQL_MARKS.search(text):
        inside += judge_sql(text)
    if _PATH_MARKS.search(text):
        inside += judge_path(text)
    found += judge_prompt(text) or judge_order(text)
    if weight != Weight.WHOLE:
        prose = weight >= Weight.PROSE
        inside = [
            finding._replace(points=weight.added(0, finding.points, False)) if prose or finding.kind == "path" else finding
            for finding in inside
        ]
    return found + inside


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def judge(text: str, form: bool = False) -> list[Finding]:
    """The best finding of each class over all readings of a value, best first."""
    best: dict[str, Finding] = {}
    coded = form and ("%" in text or "+" in text)
    odd = coded and _ODD_CODES.search(text)
    every = readings(text, form)
    for number, reading in enumerate(every):
        if not has_trigger(reading):
            continue
        for finding in judge_reading(reading):
            if finding.kind == "cmdi" and is_coded(reading):
                continue
            if coded and number == 0 and len(every) > 1 and (finding.kind not in _OF_CODES or not odd or weighed(every[1]).weight >= Weight.PROSE):
                continue
            if finding.kind not in best or finding.points > best[finding.kind].points:
                best[finding.kind] = finding
    if "deserialisation" not in best and is_packed_object(every[-1]):
        best["deserialisation"] = Finding("deserialisation", STRONG, "serialised object, packed")
    return sorted(best.values(), key=lambda finding: (-finding.points, finding.kind))


def worst(findings: Sequence[Finding]) -> int:
    """The most points of any class."""
    return max((finding.points for finding in findings), default=0)
