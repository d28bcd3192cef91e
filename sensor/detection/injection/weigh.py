"""How much of a text is prose, or a document: in: one reading of a value; out: what of it is judged, at which weight.

What people write has words next to one another; what they paste has many lines. In both an attack is rare and what
looks like one common: patterns that prose may hold count half there, and what stands between code marks is left out.
The one law: the first line of a document is judged by itself, as what breaks out stands at the begin of a value.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

from sensor.detection.injection.finding import STRONG, WEAK
from sensor.detection.injection.listing import without_declarations
from sensor.detection.injection.patterns_shell import RARE
from sensor.detection.injection.sql_tokens import KEYWORDS

_CODE_MARKS = re.compile(
    r"```.*?(?:```|\Z)|``[^`]+(?:``|\Z)|`[^`\n]{1,200}`|(?<![^\s(])`[^`'\n]{1,80}\Z|(?<![^\s(])`(?!\s)[^`'\n]{1,80}'(?=[\s,.;:)])|<(pre|code)>.*?</\1>"
    r"|(?:(?<=\n\n)|(?<=\n\+\n)|(?<=\]\n)|\A)(-{4,}|\.{4,}|={4,}|\+{4,})[ \t]*\n.*?^\2[ \t]*$"
    r"|(?<=::)[ \t]*\r?\n[ \t]*\r?\n(?:[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\r?\n)+|^\.\. code[^\n]*\n(?:[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\r?\n)+"
    r"|^[ \t]*\r?\n(?:(?: {4}|\t)[^\n]*(?:\n|\Z))+",
    re.S | re.I | re.M,
)
"""Of Markdown, reStructuredText (behind two colons, set in), AsciiDoc (between rulers), manuals and HTML."""
_WORD = re.compile(r"(?<![^\s(\"'“„«¿¡])[^\W\d_]{2,}(?:[-'’][^\W\d_]+)*(?=[.:](?:\s|\Z)|[\s,;!?)\"'”“»…]|\Z)")
_LINK = re.compile(r"!?\[([^\]\n]{0,80})\]\((?:https?://[a-z]|/\w|#|[a-z][\w-]*[./])[\w/#?=&%@~+-]*(?:\.[\w/#?=&%@~+-]+)*\)", re.I)
"""Of Markdown, to an ordinary address: its words count, its address does not."""
_QUERY_WORDS = KEYWORDS | {"table", "column", "add", "text", "varchar", "character", "values"}
"""They say nothing about whether a text is prose."""
PROSE_WORDS, HALF_PROSE_WORDS, LONG_PROSE_WORDS = 5, 8, 12
PHRASE_WORDS, PHRASE_SIGNS_MAX = 4, 2
"""So many words are prose in a short text too, when they are at least half of it and hardly a sign of code is there."""
_LEAD = re.compile(r"[\s\"'(*\[-]{0,4}(?:[^\W\d_]{2,}[,:]?\s+){2}[^\W\d_]{2,}(?=[\s,.;:!?)]|\Z)")
"""Three plain words before anything else."""
_REFERENCE = re.compile(r"`([^`<]{0,120})<https?://[^`>\s]{1,200}>`_{1,2}")
"""Of reStructuredText."""
_QUOTED_SIGN = re.compile(r"(?<![^\s(\[])([\"'])([^\w\s\"']{1,3}|and|or)\1(?=[\s,.;:)\]]|\Z)", re.I)
_NO_COMMAND = re.compile(r"(?<![^\s(*])(?:``[^`]+(?:``|\Z)|`(?!\s)[^`'\n]{1,80}(?:'(?=[\s,.;:)]|\Z)|\Z))")
"""What no shell would run: between two backticks each, between a backtick and an apostrophe, behind the last one."""
_LEAD_WORDS = re.compile(r"[^\W\d_]{3,}\s+[^\W\d_]{3,}|\A\s*[^\W\d_][\w-]{2,}\s[^\n]{0,40}[\"'][^\w\s][\"']\s+[^\W\d_][\w.]{3,}")
"""A sign that a text speaks of, as an operator: \"&&\"."""
_RUN = re.compile(r"(?<![^\s(\"'*])(?:[^\W\d_]{2,}[,:;]?\s+){2}[^\W\d_]{2,}")
_SENTENCE = re.compile(r"\s(?:[a-z]{2,}[,;]?\s+){3}[a-z]{2,}\b")
"""More words in a row than commands take."""
_PIECE = re.compile(r"(?<!\S)(?:[^\w\s]|[\d_])*+[^\W\d_]")
"""Between two blanks what holds a letter, by the first of them."""
_SIGNS = re.compile(r"[{}<>=;|&$\\+]|%(?![sdif](?![a-z])|\.\d)")
_COMMAND = re.compile(r"\W{0,6}(?:" + RARE + r"|net|ping|echo|time|alias)[\s;|&]|\W{0,6}if\s+(?:not\b|exist\b|defined\b|errorlevel\b|[\W\d])", re.I)
_PRODUCT = re.compile(
    r"\W{0,6}(?:python|perl|ruby|lua|php|git|mysql|bash|expect|wish|fish|dash|nano|puppet|gimp|emacs)\s+[^\W\d_]{2,}\s", re.I
)
"""A name of a program with which a sentence may begin."""
_SHOWN = re.compile(r"\A\s*[*-]\s+(?:[^\W\d_]+\s+){0,4}`[^`]+`\s|\A\s*\$\s+[a-z./~]|(?:\A|\s)```[a-z]{0,12}\s", re.I)
"""Code that is shown as code: behind a prompt or a fence."""

SHORT_LINES = 2
OVERWHELMING = 3 * STRONG
"""So much evidence of one class adds up in prose too."""
LINES_MIN, LONG_LINES_MIN, LONG_LINE = 3, 2, 12
"""So many lines, and so many of them of so many characters, make a document."""
_ODD_BLANKS = re.compile(r"[\x0b\x0c]|/\*\*/|(?:--|#)\w{0,20}\n\s*\w+[\s(]*(?:--|#)")
"""What scanners put between words for a blank."""
_HEADER = re.compile(r"\s*[A-Za-z][\w-]{1,40}:\s")
_INTO_HEADERS = re.compile(
    r"[^\r\n<]*(?:(?:\r?\n|\r)[ \t]?[A-Za-z][\w-]{1,40}[ \t]*:[ \t]*\S|[\r\n]+\s*(?:HTTP/\d|[A-Z]{3,8}\s\S+\sHTTP/|<(?:html|script|meta|svg)))", re.I
)


_UNPARTED = re.compile(r"[\u0e00-\u0eff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af]{3,}")
"""Of languages that set no blanks between words: Thai, Lao, Japanese, Chinese; Korean where it does not."""
UNPARTED_LETTERS = 2
"""So many of them are a word."""


_OWN_LINE = re.compile(r"\s*--[^\s<>]{8,100}[ \t]*\r?\n|(?:[^\W\d_]+[ ,]+){4,}[^\W\d_]+[?:.!][ \t]*\r?\n[ \t]*\r?\n")
"""What ends parts of a mail; a sentence that ends as one, and a blank line."""


_CHOICES = re.compile(r"(?<![\w|])\[?[\w*=!-]{1,24}(?:\|[\w*=!-]{1,24}){2,}\]?(?![\w|])|(?:\A|(?<=\s))(\w)\w{0,2}\|\1\w{1,16}(?=\s|\Z)", re.I)
"""Words of which one is to be chosen, a short name and a long one, as in a synopsis."""
_RARE_WORD = re.compile(RARE + "|id|env|ping|sleep|who", re.I)


_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*\r?$", re.M)
_TABLE_LINE = re.compile(r"^[ \t]*\|.*\|[ \t]*\r?$", re.M)


class Weight(IntEnum):
    """What a pattern that prose may hold too is worth in a text."""

    WHOLE = 0      # all its points
    HALF = 1       # half of them; they add up
    BEST_HALF = 2  # half of the best one's: nothing adds up
    PROSE = 3      # as much, also of SQL and paths
    DOCUMENT = 4   # nothing by itself

    def of_all(self, points: int, every: int) -> int:
        """Points of a class when `every` is the sum of all its findings, as if nothing were prose."""
        return max(points, every // 2) if self in (Weight.BEST_HALF, Weight.PROSE) and every >= OVERWHELMING else points

    def added(self, before: int, points: int, plain: bool) -> int:
        """Points of a class after one more finding; `plain`: prose does not hold it."""
        if plain or self == Weight.WHOLE:
            return before + points
        if self == Weight.HALF:
            return before + points // 2
        return max(before, min(points // 2, WEAK - 1) if self == Weight.DOCUMENT else points // 2)


class Reading(NamedTuple):
    """`text` without what stands between code marks of prose; `weight`: what evidence that prose may hold is worth.

    `begins`: of a document its first line (of a short one all), of prose what stands before its words: to be judged
    each by itself. `told`: a document in which somebody tells something.
    """

    text: str
    weight: Weight
    begins: tuple[str, ...] = ()
    told: bool = False


_SET_IN = re.compile(
    r" {4}|\t|(?:[\w@\[\]~/ -]{1,40})?[#$] \S|[>*-] |#{1,6} \w|=(?:item|head\d|over|begin)\b|(?:async +)?(?:def|class|sub|fn|func) +\w|function +\w"
    r"|(?:public|private|protected|static|package|namespace|interface) +\w|#include\b|(?:export +)?[A-Z][A-Z0-9_]+=[\w/\"]|@\w+(?:\(|\Z)|// |/\* "
)
"""A listing, a prompt, a quotation, a heading, an item, a declaration: not what a value begins with to break out."""
_RULED = re.compile(r"[^\n]{3,100}\n[ \t]*([=~^*\"'.#+_`-])\1{2,}[ \t]*(?:\n|\Z)")
"""A heading over a ruler."""


_ALL_SET_IN = re.compile(r"(?:(?: {4}|\t)[ \t]*[^\s][^\n]*+(?:\n|\Z)|[ \t]*+\n)++")
"""A listing out of its text: what breaks out begins a value."""


def is_document(text: str) -> bool:
    """Whether it has lines as a file or a longer post has them; blanks of other kinds are no ends of lines."""
    if text.count("\n") < LINES_MIN - 1 or _ODD_BLANKS.search(text):
        return False
    lengths = [len(line.strip()) for line in text.split("\n")]
    return len(lengths) - lengths.count(0) >= LINES_MIN and sum(length >= LONG_LINE for length in lengths) >= LONG_LINES_MIN


def first_lines(text: str) -> tuple[str, ...]:
    """Both of two lines, of more the first with a sign that it goes on: what breaks out begins a value, or a line of it."""
    if _RULED.match(text.lstrip("\n")):
        return ()
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    begins = [f"{line}\n." for line in lines[:1]] if len(lines) > SHORT_LINES else lines
    return tuple(line for line in begins if not _SET_IN.match(line))


def lead(text: str) -> tuple[str, ...]:
    """What stands before the first words that follow one another and ends as a command or a statement does."""
    words = _RUN.search(text)
    before = text[: words.start()].rstrip() if words else ""
    return (before,) if before.endswith((";", "|", "&")) else ()


def breaks_into_headers(text: str) -> bool:
    """Whether a value ends with its first line and headers or another message follow; no mail's part, no question."""
    return bool(_INTO_HEADERS.match(text)) and not _HEADER.match(text) and not _OWN_LINE.match(text)


def _blank(match: re.Match[str]) -> str:
    return "\n" if "\n" in match.group() else " "


def _chosen(match: re.Match[str]) -> str:
    """A blank for choices of which none is a command that nobody would name so."""
    return match.group() if any(_RARE_WORD.fullmatch(word) for word in match.group().strip("[]").split("|")) else " "


def _without_rules(text: str) -> str:
    """Without the bars of a table: lines of which several begin and end with one, ruled below the first."""
    return _TABLE_LINE.sub(lambda line: line.group().replace("|", " "), text) if _TABLE_RULE.search(text) else text


def weighed(text: str) -> Reading:
    """How much of a text is prose."""
    text = without_declarations(text)
    unparted = sum(len(run) // UNPARTED_LETTERS for run in _UNPARTED.findall(text)) if not text.isascii() else 0
    if "|" in text:
        text = _CHOICES.sub(_chosen, _without_rules(text))
    if " " not in text and not unparted:
        return Reading(text, Weight.WHOLE)
    text = _LINK.sub(r"\1 ", text) if "](" in text else text
    text = _REFERENCE.sub(r"\1", text) if ">`_" in text else text
    if _LEAD_WORDS.search(text):
        text = _QUOTED_SIGN.sub(" ", text)
    if "`" in text:
        spoken = _NO_COMMAND.sub(" ", text)
        text = spoken if _WORD.search(spoken) else text
    plain = _CODE_MARKS.sub(_blank, text) if "`" in text or "\n" in text or "<pre" in text or "<code" in text else text
    every, pieces = _WORD.findall(plain), len(_PIECE.findall(plain))
    words = sum(word.lower() not in _QUERY_WORDS for word in every) + unparted
    mostly = 5 * words >= 3 * pieces
    if text.lstrip()[:1] in ("{", "[") and words < LONG_PROSE_WORDS:
        words = 0
    if words >= PROSE_WORDS and ("\n" in text.strip() or (mostly and words >= LONG_PROSE_WORDS)):
        return Reading(plain, Weight.DOCUMENT, first_lines(plain) if "\n" in text.strip() else lead(plain), True)
    if is_document(text):
        return Reading(text, Weight.DOCUMENT, first_lines(plain))
    if "\n" in text.strip() and _ALL_SET_IN.fullmatch(text):
        return Reading(text, Weight.DOCUMENT)
    if words >= PROSE_WORDS and 2 * words >= pieces:
        return Reading(plain, Weight.PROSE if mostly else Weight.BEST_HALF, lead(plain))
    if words >= HALF_PROSE_WORDS:
        return Reading(plain, Weight.HALF)
    if _SHOWN.search(text):
        return Reading(text, Weight.BEST_HALF)
    if _COMMAND.match(plain) and not _PRODUCT.match(plain) and (_SIGNS.search(plain) or not _SENTENCE.search(plain)):
        return Reading(text, Weight.WHOLE)
    signs = len(_SIGNS.findall(plain))
    enough = PHRASE_WORDS if signs or not plain.lstrip("*- ")[:1].isalpha() else PHRASE_WORDS - 1
    phrase = len(every) + unparted >= enough and 2 * (len(every) + unparted) >= pieces
    if (phrase or _LEAD.match(plain)) and signs <= PHRASE_SIGNS_MAX:
        return Reading(plain if len(every) + unparted >= PHRASE_WORDS - 1 else text, Weight.BEST_HALF)
    return Reading(text, Weight.WHOLE)
