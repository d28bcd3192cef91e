"""Is this a piece of SQL that would change a query? In: one reading of a value; out: findings of class "sqli".

A query has a hole that the value fills: a bare number or name, or the inside of a quoted text. For each such hole the
value is cut into tokens as the database would, and what comes after the break-out is held against small grammars: a
condition, a further statement, a union, a comment that cuts the rest off. The one law: words alone are never evidence;
"select a plan" has no grammar, and after the quote in O'Brien comes a name where SQL needs an operator.
"""

from __future__ import annotations

import re

from sensor.detection.injection.finding import STRONG, Finding
from sensor.detection.injection.sql_expressions import judge_expression
from sensor.detection.injection.sql_fragments import is_prose, judge_fragment
from sensor.detection.injection.sql_grammar import RARE_NAMES, TELLING_CALLS, judge_after
from sensor.detection.injection.sql_tokens import KEYWORDS, STATEMENT, Token, tokens

_RARE_CALLS = re.compile(
    r"\b(?:sleep|benchmark|pg_sleep(?:_for|_until)?|xp_(?:cmdshell|dirtree|regread|fileexist|subdirs|loginconfig|\w+)"
    r"|sp_(?:executesql|oacreate|oamethod|configure|password|addextendedproc|makewebtask|\w+)|extractvalue|updatexml"
    r"|load_file|load_extension|randomblob|zeroblob|utl_(?:inaddr|http|file|smtp|tcp)(?:\.\w+)?"
    r"|dbms_(?:pipe|lock|java|ldap|utility|xmlgen|assert)?\w*\.\w+|ctxsys\.\w+(?:\.\w+)?|regexp_substring|crypt_key"
    r"|gtid_subset|name_const|openrowset|openquery|opendatasource|query_to_xml|database_to_xml|lo_import|lo_export"
    r"|group_concat|make_set|db_name|is_srvrolemember|procedure\s+analyse|row_count|sqlite_version|sysdate)\s*\(",
    re.I,
)
_CATALOGUES = re.compile(
    r"\b(?:information_schema|pg_(?:catalog|shadow|user|database|tables|class)\b|sys\.(?:objects|tables|columns|databases"
    r"|user_\w+|all_\w+)|all_(?:tables|users|tab_columns)|user_(?:tables|tab_columns)|sysobjects|syscolumns|sysusers"
    r"|sysdatabases|sqlite_(?:master|temp_master|schema)|msys(?:aces|accessobjects|accessstorage|accessxml|objects|queries"
    r"|relationships|modules2?)|mysql\.(?:user|db)|master\.\.\w+|master\.dbo|all_objects|character_sets|northwind|tempdb|v\$version|rdb\$\w+"
    r"|domain\.(?:domains|columns|tables)|performance_schema|dba_users|mysql\.innodb_\w+|syscat\.\w+|sysibm\.\w+)",
    re.I,
)
_DELAY = re.compile(r"\bwaitfor\s+(?:delay|time)\b|\bdeclare\s+@\w+\s+\w+\s*[(;]|\bdbms_lock\b|\bpg_sleep\b", re.I)
_SYSTEM = re.compile(r"@@(?:version|datadir|hostname|basedir|servername|language|spid|global|innodb|\w+)|\bv\$(?:version|session|instance|database|parameter)\b", re.I)
_WORDS = re.compile(r"[^\W\d_]{2,}")
_JSON = re.compile(r"\s*(?:\{\s*\"|\[\s*[\[{\"\d])")
"""A document: its texts are judged one by one, and its quotes close nothing."""
_FULL_TEXT = re.compile(r"'\s+in\s+boolean\s+mode\b", re.I)
_QUOTED_KEY = re.compile(r"([\"'])((?:and|or|is|in|not|like|mod|div|as|xor|between))\1(?=\s+[^\W\d_]|\s*[\"']?\s*\Z|&)", re.I)
"""A word between quotes of its own, before another or alone, closes nothing."""
_OUTFILE = re.compile(r"\binto\s+(?:out|dump)file\b|\bload\s+data\s+(?:local\s+)?infile\b", re.I)
_CAST = re.compile(r"\)\s*::\s*(?:int(?:eger)?\d?|bigint|text|jsonb?|numeric|real|float\d?|date|time(?:stamp)?(?:tz)?|uuid|reg\w+|bytea|varchar|bool(?:ean)?)\b", re.I)
_EMPTY_EXPONENT = re.compile(r"\b\d+\.e\s*(?:\(|\.[a-z])", re.I)
_CONDITIONAL = re.compile(r"/\*!(?:\d{5})?\s*\w|\b\w+/\*[^*]{0,20}\*/\s*\w+(?:/\*|\s|\()", re.I)
_LINE_COMMENT = re.compile(r"([\w'\")])\s?(?:--|#)\w{0,20}\n(?=\s*[\w(])")
"""Between words of a query it is a blank."""
_PARTED = re.compile(r"\b([a-z]{1,8})/\*[^*]{0,40}\*/([a-z]{1,8})\b", re.I)
_UNION = re.compile(
    r"\bunion(?:\s|/\*[^*]{0,40}\*/|\+|\()+(?:(?:all|distinct|distinctrow)(?:\s|/\*[^*]{0,40}\*/|\+|\()+)?select\b", re.I
)
_TAIL_UNION = re.compile(r"\bunion\s+(?:all\s+)?select\s+(?:\w+\s+){0,1}[a-z]{4,}\b(?!\s*(?:,|from|\(|--|#|\Z|as\b))", re.I)


def judge_sql(text: str) -> list[Finding]:
    """The best break-out's evidence and that of rare words together."""
    if "\n" in text and _LINE_COMMENT.search(text):
        joined = judge_sql(_LINE_COMMENT.sub(r"\1 ", text))
        if joined:
            return joined
    evidence, points = "", 0
    text = _QUOTED_KEY.sub(r"\2", _FULL_TEXT.sub("'", _without_quotations(text)))
    whole: list[Token] = []
    for hole, part in _holes(text):
        cut = tokens(part)
        whole = whole or cut
        at = len(text) - len(part) - 1
        found, why = max(judge_after(cut, hole), judge_expression(text, cut, at))
        if len(text) > 60 and (is_prose(cut[:60], 4) if hole == "quoted" else len(_WORDS.findall(text)) > 10):
            found //= 2
        if hole == "quoted" and text[:1] in "'\"`" and 2 <= len(cut) <= 4 and "select" in (cut[0].text, cut[1].text):
            found, why = max((found, why), (5, "select after a quote"))
        if hole == "bare" and found < 10 and cut and cut[0].kind in ("key", "word") and is_prose(cut[:60], 2):
            found //= 2
        if "comment" in why and _DASH.search(part):
            found //= 2
        if hole == "quoted" and found < 10 and _is_spoken_quote(text, at):
            found //= 2
        if found > points:
            points, evidence = found, f"{why} ({hole})"
    piece, why = judge_fragment(text, whole)
    if piece > points:
        points, evidence = piece, why
    dense, dense_why = _density(whole)
    if dense > points // 2:
        points, evidence = points + dense, f"{evidence}, {dense_why}" if evidence else dense_why
    if whole and whole[0].kind == "key" and whole[0].text in STATEMENT:
        points = min(points, STRONG - 1)
    more, why = _rare(text)
    if more:
        points, evidence = points + more, f"{evidence}, {why}" if evidence else why
    return [Finding("sqli", points, evidence)] if points >= 3 else []


_STRONG_KEYS = frozenset(
    ["select", "from", "where", "union", "order", "group", "having", "case", "when", "then", "null", "insert", "into", "values", "update", "set", "delete", "drop", "table", "exec", "execute", "declare", "waitfor", "rlike", "regexp", "like", "between", "limit", "exists", "offset", "procedure", "create", "alter", "distinct", "end", "else", "by"]
)


def _density(found: list[Token]) -> tuple[int, str]:
    """Keywords, comparisons and calls close together with hardly a plain word between them."""
    keys = structure = words = compared = 0
    previous = Token("", "")
    for token in found:
        if token.kind == "key":
            keys += token.text in _STRONG_KEYS
            if token.text in ("and", "or") and compared:
                keys += 1
        elif token.kind == "call":
            telling = bool(TELLING_CALLS.match(token.text))
            keys, words = keys + telling, words + (not telling)
        elif token.kind == "word":
            known = previous.text in ("from", "as", "table", "into", "update", "by", "set", ",") or "." in token.text
            words += not known
        elif token.kind in ("compare", "number", "(", ")", "operator", "logic", "variable", "name"):
            structure += 1
            compared |= token.kind == "compare"
        previous = token
    if keys >= 4 and structure >= 6 and words * 2 <= keys:
        return 8, "dense SQL"
    if keys >= 3 and structure >= 4 and words < keys:
        return 6, "dense SQL"
    if keys >= 2 and structure >= 3 and words <= 1:
        return 4, "dense SQL"
    return 0, ""


_PLAIN_WORDS = re.compile(r"(?<![^\s(\"'`])[^\W\d_]{2,}(?=[\s,.;:!?)\"'`]|\Z)")
_HARD_KEYS = frozenset(
    ["select", "where", "union", "having", "insert", "update", "delete", "drop", "alter", "create", "exec", "table", "null"]
)
"""Words of SQL that prose has now and then, and a query has often."""
_CONTRACTION = re.compile(r"[^\W\d_]'(?:s|t|re|ve|ll|d|m)\b", re.I)
_OPTION = re.compile(r"[\s=(,\[]['\"`]+--[a-z]")
"""Of a command, quoted: no comment."""
_DASH = re.compile(r"\A[^-]*\s--\s+(?:[^\W\d_]+[,'!?.]*\s+){2}\W{0,3}[^\W\d_]{2,}")
"""Before words it is a dash."""
_COMPUTED = re.compile(r"\|\||(?<!['\"`])=\s*['\"(\d]|\(\s*select\b|(?:--|#|;)\s*\Z", re.I)
_SPOKEN_WORDS = 3
_QUOTATION = re.compile(
    r"(?<![^\s(\[])(?:``(?!\s)([^`']{1,80})''|`(?![\s'])([^`'\n]{1,80})['`]|\"(?!\s)([^\"\n]{1,80})(?<!\s)\"|'(?!\s)([^'\n]{1,80})(?<!\s)')"
    r"(?=[\s,.;:!?)\]-]|\Z)"
)


def _without_quotations(text: str) -> str:
    """Prose without the marks of what it quotes, each behind a blank and before one: no query is left through them."""
    if text.count("'") + text.count('"') + text.count("`") < 2 or _COMPUTED.search(text):
        return text
    words = [word.lower() for word in _PLAIN_WORDS.findall(_QUOTATION.sub(" ", text))]
    keys = sum(word in _HARD_KEYS for word in words)
    if len(words) - keys < _SPOKEN_WORDS or len(words) <= 3 * keys:
        return text
    return _QUOTATION.sub(lambda match: " " + next(group for group in match.groups() if group) + " ", text)


def _is_spoken_quote(text: str, at: int) -> bool:
    """Whether the quote at this place opens a quotation in prose, though its end is cut off: a blank before, words."""
    before = at
    while before and text[before - 1] in "'\"`":
        before -= 1
    if not before or not text[before - 1].isspace() or (before == at and text[at + 1 : at + 2].strip() == ""):
        return False
    return len(_PLAIN_WORDS.findall(text[:at])) >= _SPOKEN_WORDS - 1


def _holes(text: str) -> list[tuple[str, str]]:
    """(kind of hole, the SQL text from the break-out on); a quote must be there to break out of it."""
    holes = [("bare", text)]
    quotes = "'`" if _JSON.match(text) else "'\"`"
    for quote in quotes:
        at = text.find(quote)
        while at > 0 and _CONTRACTION.match(text, at - 1):
            at = text.find(quote, at + 1)
        option = _OPTION.match(text, at - 1) if at > 0 else None
        if option:
            at = text.find(quote, option.end())
        while at >= 0 and len(holes) < 8:
            holes.append(("quoted", text[at + 1 :]))
            again = text.find(quote, at + 1)
            at = again if again == at + 1 else -1  # a doubled quote may be an escape, or not
    dollars = text.find("$$")
    if dollars >= 0:
        holes.append(("quoted", text[dollars + 2 :]))
    backslash = text.find("\\'")
    if backslash >= 0:
        holes.append(("quoted", text[backslash + 2 :]))
    return holes


def _rare(text: str) -> tuple[int, str]:
    """Names and calls that prose does not have; in a long text they count for less."""
    points, why = 0, []
    long_prose = len(text) > 80 and len(_WORDS.findall(text)) > 14
    for pattern, worth, name in (
        (_RARE_CALLS, 5, "database call"),
        (_CATALOGUES, 4, "catalogue"),
        (_DELAY, 6, "delay"),
        (_SYSTEM, 3, "system variable"),
        (RARE_NAMES, 5, "system procedure"),
        (_OUTFILE, 6, "file"),
        (_CAST, 5, "cast of a call"),
        (_EMPTY_EXPONENT, 6, "number that parts names"),
    ):
        if pattern.search(text):
            points += worth
            why.append(name)
    union = _UNION.search(text)
    if union:
        points += 2 if _TAIL_UNION.search(text) else 6
        why.append("union select")
    if "/*!" in text and _CONDITIONAL.search(text):
        points += 3
        why.append("conditional comment")
    parted = _PARTED.search(text)
    if parted and (parted.group(1) + parted.group(2)).lower() in KEYWORDS:
        points += 6
        why.append("keyword parted by a comment")
    if long_prose and points < 12:
        points //= 2
    return points, " and ".join(why)
