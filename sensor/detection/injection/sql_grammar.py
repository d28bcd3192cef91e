"""The grammars that tokens behind a break-out are held against: in: tokens; out: points and what was recognised.

A condition, a clause, a statement, an operation, an expression: each says what must follow for the database to take it.
The one law: a plain word where SQL needs an operand or operator ends the match.
"""

from __future__ import annotations

import re
from itertools import pairwise

from sensor.detection.injection.sql_fragments import is_spoken
from sensor.detection.injection.sql_tokens import STATEMENT, Token

_LITERALS = frozenset(("number", "text", "open", "variable"))
_JOINERS = frozenset(("and", "or", "xor", "having", "where", "rlike", "regexp", "like", "in", "is", "between", "div",
                      "mod", "not", "ilike", "sounds", "glob"))  # fmt: skip
_NILADIC = frozenset(("user", "session_user", "current_user", "system_user", "sysdate", "current_date", "version"))
TELLING_CALLS = re.compile(
    r"(?:sleep|benchmark|pg_sleep(?:_for|_until)?|(?:\w+\.)*xp_\w+|sp_(?:executesql|oacreate|password|configure|help)\w*"
    r"|extractvalue|updatexml|load_file|load_extension|char|chr|nchar|ascii|ord|substr(?:ing)?|mid|concat(?:_ws)?"
    r"|group_concat|string_agg|xmlagg|listagg|randomblob|zeroblob|generate_series|version|user|database|schema"
    r"|current_user|session_user|system_user|user_name|db_name|host_name|convert|cast|hex|unhex|make_set|elt|floor|rand"
    r"|count|sum|length|len|if|iif|ifnull|isnull|nullif|coalesce|exists|bin|md5|sha1|regexp_substring|regexp_like"
    r"|repeat|json_keys|polygon|multipoint|geometrycollection|exp|name_const|row_count|crypt_key|gtid_subset"
    r"|utl_\w+\.\w+|dbms_\w+\.\w+|ctxsys\.\w+(?:\.\w+)?|sys\.\w+(?:\.\w+)?|xmltype|to_char|rawtohex|openrowset"
    r"|openquery|opendatasource|lower|upper|left|right|instr|locate|position|typeof|sqlite_version|pg_\w+|inet_server_addr"
    r"|benchmark|strcmp|conv|greatest|least|now|sysdate|pi|quote|compress|des_encrypt|aes_encrypt|encode|decode"
    r"|last_insert_id|found_rows|connection_id|bit_count|crc32|format|space|reverse|replicate|stuff|patindex"
    r"|difference|soundex|has_dbaccess|is_srvrolemember|lo_import|lo_export|query_to_xml|database_to_xml|current_setting)\Z",
    re.I,
)
RARE_NAMES = re.compile(r"\bxp_(?:cmdshell|dirtree|regread|fileexist|reg\w+|servicecontrol|ntsec\w+|makecab|availablemedia"
                         r"|enumgroups|terminate\w*|loginconfig|subdirs)\b|\bsp_(?:executesql|oacreate|oamethod|makewebtask|"
                         r"addextendedproc|addlogin|addsrvrolemember|password|who)\b|\bin\s+boolean\s+mode\b", re.I)


_CONDITIONS = frozenset(("exists", "not", "select", "exec", "execute", "declare", "insert", "drop", "update", "set", "if"))
"""What follows IF, BEGIN and WHILE."""
_ACTIONS = ("drop", "alter", "add", "rename", "column")
"""What does not name what is created or changed."""
_OPEN = Token("(", "(")


def judge_after(found: list[Token], hole: str) -> tuple[int, str]:
    """Points for what follows a break-out."""
    if not found:
        return 0, ""
    position = 0
    if hole == "bare":
        position = _skip_operand(found)
        if position < 0:
            return 0, ""
    closed = 0
    while position < len(found) and found[position].kind == ")":
        position, closed = position + 1, closed + 1
    rest = found[position:]
    quoted = hole == "quoted"
    if not rest:
        return (1 if closed and quoted else 0), "closed bracket"
    first = rest[0]
    if first.kind == "end":
        return _cut_off(found, position, quoted, closed)
    if first.kind == ";":
        return _stacked(rest[1:], quoted or closed > 0)
    if first.kind == "," and len(rest) > 1 and rest[1].text == "null" and (closed or quoted or len(rest) > 3):
        return 6, "list of nulls"
    if first.kind == "logic" or (first.kind == "key" and first.text in _JOINERS):
        return _condition(rest, quoted, closed, position)
    if first.kind == "key":
        return _clause(rest, quoted, closed, position)
    if first.kind == "call" and first.text.lower() == "if" and not quoted:
        return _expression(rest)
    if quoted and first.kind in ("compare", "operator", ","):
        return _operation(rest, closed)
    if first.kind == "(" and len(rest) > 1 and rest[1].text in ("select", "case") and position + quoted:
        return 6 + 2 * quoted + _select(rest[1:])[0] // 2, "subquery after the value"
    if not quoted and position == 0:
        return _expression(rest)
    if not quoted and first.kind in ("compare", "operator", ","):
        return _number_operation(rest)
    return 0, ""


def _skip_operand(found: list[Token]) -> int:
    """Where the value itself ends when it stands bare: after a number or one short word; -1 when it is prose."""
    position = 0
    while position < len(found) and found[position].kind in ("(", "operator") and found[position].text in "(-+!~":
        position += 1
    if found[position:] and found[position].kind == "call" and found[position].text.lower() in ("cast", "convert"):
        closing = next((at for at in range(position, len(found)) if found[at].kind == ")"), len(found) - 1)
        return closing + 1
    if position < len(found) and found[position].kind in ("number", "variable"):
        position += 1
        if position < len(found) and found[position].kind == "word" and len(found[position].text) == 1:
            position += 1
        return position
    if position < len(found) and found[position].kind == "word":
        following = found[position + 1] if position + 1 < len(found) else None
        joins = following is not None and (
            following.kind in (")", "end", ";", "logic", "compare") or following.kind == "key"
        )
        return position + 1 if joins else -1
    return 0 if position == 0 else position


def _cut_off(found: list[Token], position: int, quoted: bool, closed: int) -> tuple[int, str]:
    """A comment right after the break-out: the rest of the query is cut off."""
    mark = found[position].text
    if quoted:
        return (8 if mark.startswith(("--", "#")) else 7) + 2 * bool(closed), "comment after a quote"
    if closed:
        return 6, "comment after a bracket"
    return (3, "comment after a value") if position and mark.startswith("--") else (0, "")


def _stacked(rest: list[Token], broken_out: bool) -> tuple[int, str]:
    """A further statement after a semicolon."""
    if not rest:
        return (3, "statement end after a quote") if broken_out else (0, "")
    if rest[0].kind == "end":
        return (8, "statement end and comment") if broken_out else (3, "statement end and comment")
    points, why = _statement(rest)
    if points:
        return points + 2 + 3 * broken_out, f"second statement: {why}"
    return 0, ""


def _is_target(token: Token) -> bool:
    return token.kind in ("word", "name", "variable", "call", "text")


def _statement(rest: list[Token]) -> tuple[int, str]:
    """A statement that has the shape of one."""
    first, second = rest[0], rest[1] if len(rest) > 1 else Token("", "")
    third = rest[2] if len(rest) > 2 else Token("", "")
    word, next_word = first.text.lower(), second.text.lower()
    if word == "select":
        return _select(rest)
    if word in ("drop", "truncate", "create", "alter", "rename"):
        objects = ("table", "database", "view", "index", "user", "procedure", "function", "schema", "login", "trigger",
                   "role", "or", "temporary", "temp", "column", "tablespace", "alias", "session", "system")  # fmt: skip
        named = _is_target(third) and third.text.lower() not in _ACTIONS
        if next_word in objects and (named or third.kind == "(" or (third.kind == "key" and third.text not in _ACTIONS)):
            return 6, f"{word} {next_word}"
        return (5, word) if len(rest) >= 2 and next_word == "table" and third.text not in _ACTIONS else (0, "")
    if word == "insert" and next_word == "into" and _is_target(third):
        return (7 if any(token.text == "values" or token.kind == "(" for token in rest[3:12]) else 4), "insert into"
    if word == "delete" and next_word == "from" and _is_target(third):
        return 6, "delete from"
    if word == "update" and any(token.text == "set" for token in rest[1:6]):
        return (7 if any(token.kind == "compare" for token in rest[3:10]) else 4), "update"
    if word in ("exec", "execute", "call") and (second.kind in ("variable", "(", "call") or (second.kind == "text" and word != "call") or RARE_NAMES.search(next_word)
                                                or next_word.startswith("immediate") or (third.kind in ("text", "open") and word != "call")):  # fmt: skip
        return 6, word
    if word == "declare" and second.kind == "variable":
        return 8, "declare"
    if word == "waitfor" and next_word in ("delay", "time"):
        return 8, "waitfor"
    if word == "shutdown" and second.kind in ("", "end", ";", "key"):
        return 5, "shutdown"
    if word in ("if", "begin", "while") and (second.kind in ("(", "variable") or next_word in _CONDITIONS):
        return 3, word
    if first.kind == "call" and TELLING_CALLS.match(first.text):
        return 5, "call"
    if word in ("grant", "revoke") and any(token.text.lower() in ("to", "on") for token in rest[2:6]):
        return 5, word
    if word == "copy" and any(token.text.lower() == "program" for token in rest):
        return 8, "copy program"
    if word in ("set", "do", "use", "print", "kill", "backup", "handler", "prepare", "merge") and (
        second.kind == "variable" or (second.kind in ("text", "open") and word != "set")
        or (second.kind == "call" and TELLING_CALLS.match(second.text))
    ):  # fmt: skip
        return 5, word
    return 0, ""


def _select(rest: list[Token]) -> tuple[int, str]:
    """SELECT with something that SQL alone has: a star, a call, a bracket, a system variable, columns, FROM a table."""
    body = rest[1:]
    if not body:
        return 1, "select"
    points = 0
    first = body[0]
    if first.text in ("all", "distinct", "top") and len(body) > 1:
        body, first = body[1:], body[1]
    if first.text == "*" or first.kind in ("variable",):
        points += 4
    elif first.kind == "call":
        points += 5 if TELLING_CALLS.match(first.text) else 3
    elif first.text.lower() in _NILADIC and (len(body) == 1 or body[1].kind not in ("word", "key")):
        points += 5
    elif first.kind in ("number", "text", "open", "name") or first.text in ("null", "case") or first.kind == "(":
        points += 3
    elif len(body) > 1 and body[1].kind in (",",) and body[0].kind == "word":
        points += 2
    kinds = [token.kind for token in body[:60]]
    words = [token.text for token in body[:60]]
    if "from" in words:
        at = words.index("from")
        after = body[at + 1] if at + 1 < len(body) else Token("", "")
        beyond = body[at + 2] if at + 2 < len(body) else Token("", "")
        if beyond.kind == "word" and at + 3 < len(body) and body[at + 3].kind == ",":
            beyond = body[at + 3]
        if (after.kind in ("word", "name", "(", "variable", "call") and beyond.kind in (
            "", "end", ";", ")", ",", "(", "text", "open", "compare", "operator")) or beyond.text in (
            "where", "limit", "order", "group", "union", "join", "having", "as", "into", "for", "procedure"):  # fmt: skip
            points += 4 if at <= 8 or points else 1
        if beyond.text == "where" and any(kind == "compare" for kind in kinds[at:]):
            points += 2
    if kinds.count(",") >= 2 and sum(kind in _LITERALS or word == "null" for kind, word in zip(kinds, words, strict=True)) >= 3:
        points += 3
    prose = sum(kind == "word" == other for kind, other in pairwise(kinds[:13]))
    if prose >= 3 and points < 6:
        return 0, ""
    return points, "select"


def _condition(rest: list[Token], quoted: bool, closed: int, position: int) -> tuple[int, str]:
    """AND, OR ... and then something that can be true or false, or an expression that only SQL has."""
    index = 0
    word = rest[0].text.lower()
    while index < len(rest) and (
        rest[index].kind in ("logic", "(") or (rest[index].kind == "key" and rest[index].text in (*_JOINERS, "exists", "any", "all"))
        or rest[index].text in ("!", "-", "+", "~") or rest[index].text.lower() == "binary"
    ):  # fmt: skip
        index += 1
    after = rest[index:]
    base = 3 * quoted + (2 if closed else 0)
    if quoted and any(token.text == "exists" for token in rest[:index]):
        return base + 4, "condition on existence"
    if not after:
        return (base if quoted and word in ("and", "or", "||", "&&") else 0), "condition cut short"
    first = after[0]
    second = after[1] if len(after) > 1 else Token("", "")
    third = after[2] if len(after) > 2 else Token("", "")
    if first.kind == "key" and first.text in ("select", "case", "if", "union", "waitfor", "update", "delete", "null", "true", "false"):
        if first.text in ("null", "true", "false"):
            return base + (5 if second.kind in ("", "end", ")", "compare", ";") else 0), "condition on a constant"
        if first.text == "case" and all(token.text != "when" for token in after):
            return 0, ""
        points, why = _statement(after) if first.text not in ("case", "union") else (5, first.text)
        return (base + points + 3, f"condition with {why}") if points else (base, "condition")
    if first.kind == "call":
        points = 6 if TELLING_CALLS.match(first.text) else 2 + 2 * quoted
        return base + points, "condition with a call"
    if first.kind in _LITERALS:
        compared = second.kind in ("compare",) or second.text in ("like", "in", "between", "is", "rlike", "regexp", "not", "div", "mod", "sounds")
        if compared and (third.kind in _LITERALS | {"call", "("} or third.text in ("null", "(", "not", "select", "-", "true")):
            return base + 8, "comparison of constants"
        if compared and third.kind in ("word", "name", ""):
            return base + (5 if quoted or third.kind == "" else 2), "comparison"
        if compared:
            return base + 4, "comparison"
        if second.text in ("group", "order", "having", "limit", "union", "procedure", "into"):
            return base + 5, "condition and clause"
        if quoted and second.text in ("and", "or", "where"):
            says = first.kind == "number" or any(char.isalnum() for char in first.text)
            return (base + 4 if says else 0), "condition and condition"
        if second.kind in ("end", ";", ")") or (second.kind == "" and (quoted or closed)):
            return base + (6 if quoted or second.kind == "end" else 3), "condition on a constant"
        if second.kind in ("operator", "logic"):
            return base + 3, "condition with arithmetic"
        if first.kind == "open" and quoted:
            return base + 4, "quote closed again"
        return base if quoted and first.kind == "text" else 0, "condition"
    if first.kind in ("word", "name"):
        compared = second.kind == "compare" or second.text in ("like", "is", "in", "between", "rlike", "regexp", "not", "glob")
        if compared and (third.kind in _LITERALS | {"(", "call", "end"} or third.text in ("null", "not", "select", "-")):
            return base + (5 if quoted or closed else 3), "comparison of a column"
        if compared and quoted:
            return base + 3, "comparison"
        if second.kind == "end" and quoted:
            return base + 4, "condition and comment"
        if second.kind in (")", ";") and quoted:
            return base + 2, "condition"
        if second.kind in ("operator", "other") and quoted and third.kind == "":
            return base + 2, "condition cut short"
        return 0, ""
    if first.kind == "end" or (quoted and first.kind == "other" and second.kind == "end"):
        return base + 4, "condition cut off"
    return 0, ""


def _clause(rest: list[Token], quoted: bool, closed: int, position: int) -> tuple[int, str]:
    """UNION, ORDER BY, LIMIT, INTO OUTFILE, PROCEDURE ... or a statement where the value stands alone."""
    first, second = rest[0], rest[1] if len(rest) > 1 else Token("", "")
    third = rest[2] if len(rest) > 2 else Token("", "")
    base = 3 * quoted + 2 * bool(closed)
    if first.text in ("union", "intersect", "except", "minus"):
        body = [token for token in rest[1:] if token.kind != "("]
        while body and body[0].text in ("all", "distinct", "distinctrow"):
            body = body[1:]
        if body and body[0].text == "select":
            points = _select(body)[0]
            return base + 5 + max(points, 0) if points or len(body) == 1 else base + 2, "union select"
        if body and body[0].text in ("values", "table"):
            return base + 5, "union"
        return (base + 2 if quoted and len(rest) <= 3 else 0), "union"
    if first.text in ("order", "group") and second.text == "by":
        ends = rest[3].kind if len(rest) > 3 else ""
        if third.kind == "number" and ends in ("", "end", ",", ";"):
            return base + (6 if ends == "end" or quoted or closed else 5), f"{first.text} by a number"
        return base + (3 if quoted else 0), f"{first.text} by"
    if first.text == "as" and second.kind in ("word", "name", "text") and (position or quoted) and any(
        token.text in ("where", "on", "join", ",") for token in rest[2:4]
    ):
        return base + 5, "alias and where"
    if first.text == "limit" and second.kind == "number":
        return base + (3 if quoted or position else 0), "limit"
    if first.text in ("procedure", "into", "collate", "escape", "as", "returning", "case", "values", "when", "then", "end", "for", "null"):
        if second.text in ("analyse", "outfile", "dumpfile"):
            return base + 8, f"{first.text} {second.text}"
        named = second.kind in ("name", "(", "number", "end", "key", "word") and second.text not in ("is", "for", "not", "on")
        goes_on = second.kind != "word" or not third.kind or third.kind not in ("word", "key", "call")
        return (base + 2 if quoted and named and goes_on else 0), first.text
    if first.text in STATEMENT:
        points, why = _statement(rest)
        if points:
            if not base and (is_spoken(rest) or (first.text in ("execute", "call") and second.kind == "call")):
                points = min(points, 3)
            return base + points + (2 if position and quoted else 0), why
    return 0, ""


def _operation(rest: list[Token], closed: int) -> tuple[int, str]:
    """An operator right after the quote: concatenation, comparison, arithmetic."""
    operator = rest[0]
    index = 1
    while index < len(rest) and (rest[index].kind in ("operator", "(") or rest[index].text in ("not", "binary")):
        index += 1
    after = rest[index] if index < len(rest) else Token("", "")
    following = rest[index + 1] if index + 1 < len(rest) else Token("", "")
    if after.kind == "open" and operator.kind == "compare":
        return 6, "comparison after a quote"
    if after.kind == "key" and after.text == "select":
        return 5 + _select(rest[index:])[0], "subquery after a quote"
    if after.kind == "key" and after.text in ("case", "null", "if"):
        return 5, "expression after a quote"
    if after.kind == "call" and TELLING_CALLS.match(after.text):
        return 8, "call after a quote"
    if operator.kind == "compare" and after.kind in ("number", "text", "variable", "name", "word"):
        return (8 if following.kind in ("end", ")", "logic") or following.text in ("and", "or") else 4 if after.kind != "word" else 2), (
            "comparison after a quote")  # fmt: skip
    if operator.kind == "operator" and following.kind in ("end", "compare", "logic") and after.kind in (*_LITERALS, "word"):
        return 6, "operation after a quote"
    if operator.kind == "operator" and operator.text in "|+&^-*" and after.kind == "open":
        return 5, "concatenation"
    if operator.kind == "operator" and after.kind == "" and operator.text in ("^", "|", "&"):
        return 4, "operator after a quote"
    if operator.kind == "," and any(token.kind == "end" for token in rest) and any(token.kind == ")" for token in rest):
        return 7, "list closed and cut off"
    if operator.kind == "," and after.kind in ("call",) and TELLING_CALLS.match(after.text):
        return 6, "call in a list"
    return 0, ""


def _number_operation(rest: list[Token]) -> tuple[int, str]:
    """An operator after a bare number: arithmetic alone is nothing, with a subquery or a delay it is."""
    index = 1
    while index < len(rest) and rest[index].kind in ("operator", "("):
        index += 1
    after = rest[index] if index < len(rest) else Token("", "")
    if after.kind == "key" and (after.text in ("select", "case") or (after.text == "if" and rest[index + 1 :][:1] == [_OPEN])):
        return (5 + _select(rest[index:])[0] if after.text == "select" else 6), "subquery after a number"
    if after.kind == "call" and TELLING_CALLS.match(after.text):
        return 5, "call after a number"
    if rest[0].kind == "compare" and after.kind == "number" and index + 1 == len(rest):
        return 3, "comparison of numbers"
    return 0, ""


def _expression(rest: list[Token]) -> tuple[int, str]:
    """The value is itself an expression: a subquery, a case, a call that only SQL has."""
    index = 0
    while index < len(rest) and rest[index].kind in ("(", "operator"):
        index += 1
    if index == len(rest):
        return 0, ""
    first = rest[index]
    if first.kind == "number" and index and len(rest) > index + 3 and rest[index + 1].kind == "compare":
        return (6 if rest[index + 2].kind == "number" and rest[index + 3].kind in (")", "logic") else 0), "comparison"
    if first.text == "select" and first.kind == "key":
        return _select(rest[index:])[0] + 3 * (index > 0), "subquery"
    if first.kind == "key" and first.text in STATEMENT and first.text != "if":
        return _statement(rest[index:])
    if first.kind == "key" and first.text == "case" and any(token.text == "when" for token in rest):
        return 6, "case"
    body = rest[index:]
    if first.kind == "call" and TELLING_CALLS.match(first.text) and not any(token.kind == "word" for token in body):
        nested = any(token.kind == "call" and TELLING_CALLS.match(token.text) for token in body[1:])
        return (5 if nested or any(token.kind == "compare" for token in body) else 2), "call alone"
    if first.kind in ("key", "call") and first.text == "if" and any(
        token.kind == "call" and TELLING_CALLS.match(token.text) for token in rest[index + 1 :]
    ):
        return 7, "conditional call"
    if first.kind == "key" and first.text in ("or", "and", "having", "where", "union", "order", "not", "like", "rlike", "xor"):
        return judge_after([Token("number", "1"), *rest[index:]], "bare") if first.text != "not" else (0, "")
    return 0, ""
