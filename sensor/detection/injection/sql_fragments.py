"""Pieces of SQL that are no whole condition or statement: in: tokens of a value; out: points and what was recognised.

Scanners send what closes one query and begins the next part of it, cut anywhere. Such a piece is short and has no plain
words side by side. The one law: a piece is told by its order of tokens, never by a word of English alone.
"""

from __future__ import annotations

import re
from itertools import pairwise

from sensor.detection.injection.sql_tokens import Token

TOKENS_MAX = 24
_NAMES = """
abs acos adddate addtime aes_decrypt aes_encrypt array_agg array_to_string ascii asin atan atan2 avg benchmark bin
bin_to_uuid bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length character_length charset
chr coalesce coercibility collation compress concat concat_ws connection_id conv convert convert_tz cos cot count
crc32 curdate current_date current_setting current_time current_timestamp current_user curtime database date date_add
date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear decode degrees des_decrypt des_encrypt elt
encode encrypt exp export_set extract extractvalue field find_in_set floor format found_rows from_base64 from_days
from_unixtime generate_series get_format get_lock glob greatest group_concat hex hour ifnull iif inet_aton inet_ntoa
insert instr interval is_free_lock is_used_lock isnull json_array json_extract json_keys json_object jsonb_pretty
julianday last_day last_insert_id lcase least left len length ln lo_export lo_get lo_import lo_put load_extension
load_file localtime localtimestamp locate log log10 log2 lower lpad ltrim make_set makedate maketime max md5
microsecond mid min minute mod month monthname name_const now nullif nvl nvl2 oct octet_length old_password ord
overlay password patindex period_add period_diff pg_sleep pi position pow power quarter quote quote_ident
quote_literal radians rand random randomblob regexp_instr regexp_like regexp_replace regexp_substr release_lock repeat
replace replicate reverse right round row_count row_number rowid rpad rtrim schema sec_to_time second session_user sha
sha1 sha2 sign sin sleep soundex space sqrt std stddev stddev_pop str_to_date strcmp strftime string_agg subdate
substr substring substring_index subtime sum sysdate system_user tan time time_format time_to_sec timediff timestamp
timestampadd timestampdiff to_base64 to_char to_date to_days to_number total_changes trim truncate typeof ucase
uncompress unhex unicode unistr unix_timestamp updatexml upper user utc_date utc_time utc_timestamp uuid values
var_pop variance version week weekday weekofyear xmltype year yearweek zeroblob
"""
FUNCTIONS = frozenset((*_NAMES.split(), "if"))
_JOINERS = ("and", "or", "xor", "having", "where")
_COMPARING = ("like", "ilike", "glob", "regexp", "rlike", "is", "not", "between", "div", "mod", "sounds", "in", "similar")
_LITERALS = ("number", "text", "open")
_CUT_OFF = re.compile(r"\A-?\w{1,20}\$*--[ +]\w{0,8}\Z")
_QUOTE_END = re.compile(r"\A[^\s'\"`]{0,60}['\"`]\s*;\Z")
_CHANGES = ("add", "change", "modify", "drop", "rename")
_FROM = re.compile(r"\A['\"`].{0,40}\bfrom\b")
_CATALOGUE = re.compile(
    r"\A(?:information_schema|performance_schema|pg_catalog|sqlite_master|sqlite_schema|sysobjects|syscolumns|sysdatabases"
    r"|tempdb|master\.\.\w+|msys\w+|all_tables|user_tables|dba_users|utl_\w+|dbms_\w+)\Z",
    re.I,
)


def judge_fragment(text: str, found: list[Token]) -> tuple[int, str]:
    """Points for a value that is a piece of SQL from its first token on."""
    if _QUOTE_END.match(text):
        return 5, "quote and statement end"
    if _CUT_OFF.match(text):
        return 5, "comment after a value"
    if not found or is_prose(found[:TOKENS_MAX], 2):
        return 0, ""
    if len(found) > TOKENS_MAX:
        return _listed(found[:TOKENS_MAX])
    if len(found) == 1 and _CATALOGUE.match(text.strip()):
        return 5, "name of a catalogue"
    return max((judge(found) for judge in (_call, _joined, _compared, _selected, _listed, _named, _cut)), key=lambda f: f[0])


_SPOKEN = frozenset(("drop", "create", "alter", "truncate", "insert", "into", "delete", "from", "update", "set", "execute", "call",
                     "grant", "revoke", "show", "use", "kill", "for", "all", "and", "or", "in", "is", "not", "on", "by"))  # fmt: skip


def is_spoken(found: list[Token]) -> bool:
    """Whether these are words that people may say as well: drop table lamp, delete from cart."""
    return all(
        (token.kind == "word" and token.text.isalpha()) or (token.kind == "key" and token.text in _SPOKEN)
        for token in found
    )


def is_prose(found: list[Token], times: int) -> bool:
    """Whether two plain words stand side by side so many times."""
    return sum(one.kind == "word" == other.kind for one, other in pairwise(found)) >= times


def _words(found: list[Token]) -> list[str]:
    return [token.text.lower() for token in found]


def _call(found: list[Token]) -> tuple[int, str]:
    """The begin of a call, as of "upper(": nothing but the name, the bracket and perhaps a sign between."""
    if found[0].text == "if" and len(found) > 3 and found[1].kind == "(" and found[-1].kind == "compare":
        return 5, "condition cut open"
    if not 2 <= len(found) <= 3 or found[-1].kind != "(" or found[0].text.lower() not in FUNCTIONS:
        return 0, ""
    return (5, "call cut open") if len(found) == 2 or found[1].text in ("=", "\\") else (0, "")


def _joined(found: list[Token]) -> tuple[int, str]:
    """AND, OR ... then an operand and an operator, wherever it is cut then."""
    if found[0].kind != "logic" and found[0].text not in _JOINERS:
        return 0, ""
    rest = found[1:]
    while rest and (rest[0].kind == "(" or rest[0].text in ("not", "!", "-", "~")):
        rest = rest[1:]
    if len(rest) < 2 or rest[0].kind not in ("word", "name", "number", "text", "variable", "call"):
        return 0, ""
    if rest[0].kind == "text" and rest[1].kind == "word" and len(found) <= 4:
        return 5, "condition cut out"
    if rest[1].kind == "compare" or (rest[1].kind == "operator" and len(rest) == 2 and rest[0].kind == "number"):
        return 5, "condition cut out"
    return 0, ""


def _compared(found: list[Token]) -> tuple[int, str]:
    """A constant, an operator, a constant and nothing else: 1 like 1, '1' not regexp '2'."""
    middle = found[1:-1]
    if len(found) < 3 or found[0].kind not in _LITERALS or found[-1].kind not in _LITERALS or not middle:
        return 0, ""
    if len(middle) == 1 and middle[0].kind == "compare":
        return (3 if middle[0].text in ("<", "=", ">", "<=", ">=") and found[0].kind == "number" else 5), "comparison of constants"
    if all(token.text in _COMPARING for token in middle):
        return 5, "comparison of constants"
    return 0, ""


def _selected(found: list[Token]) -> tuple[int, str]:
    """SELECT of a bracket or a constant, SELECT right after a quote or a statement's end."""
    words = _words(found)
    if words[0] == "select" and len(found) > 1:
        bracket = found[1].kind == "(" and len(found) > 2 and words[2] in ("select", "case")
        constant = found[1].kind == "number" and found[1].text[:2].lower() == "0x"
        return (5, "select cut open") if bracket or constant else (0, "")
    if words[0] == "case" and "when" in words[1:3] and "then" in words:
        return 6, "case"
    opens = words[0] in ("'", '"', "`", ";") or found[0].kind == ";"
    if opens and "select" in words[1:3] and len(found) <= 5:
        return 5, "select after a break-out"
    if found[0].kind == ";" and words[1:3] in (["insert", "into"], ["delete", "from"], ["drop", "table"]):
        return 6, "statement after a break-out"
    return 0, ""


def _listed(found: list[Token]) -> tuple[int, str]:
    """IN with a list or a query."""
    if found[0].text != "in" or len(found) < 3 or found[1].kind != "(":
        return 0, ""
    inside = [token for token in found[2:] if token.kind not in (",", ")")]
    if found[2].text == "select" or all(token.kind in _LITERALS for token in inside):
        return 5, "list of a condition"
    return 0, ""


def _named(found: list[Token]) -> tuple[int, str]:
    """A bracket closed, a new name, FROM; a value renamed; WHEN ... THEN behind a bracket."""
    words = _words(found)
    closed = found[0].kind == ")"
    if closed and words[1:2] == ["as"] and "from" in words[2:4]:
        return 6, "name for a column"
    if closed and words[1:2] == ["when"] and words[3:4] == ["then"]:
        return 6, "branch of a case"
    if found[0].kind in ("number", "other") and words[1:2] == ["as"] and len(found) > 2 and _FROM.search(" ".join(words[2:5])):
        return 5, "name for a column"
    if words[0] == "from" and len(found) in (2, 3) and _CATALOGUE.match(found[1].text):
        return 5, "catalogue of a query"
    if words[0] == "from" and len(found) > 1 and found[1].kind == "name" and (len(found) == 2 or "limit" in words[2:]):
        return 5, "table of a query"
    if words[0] in ("exec", "execute", "from") and len(found) == 3 and found[1].kind == "word" and words[2] == ".":
        return 5, "name cut open"
    if words[:2] == ["alter", "table"] and words[2:3] and words[2] not in _CHANGES and any(word in words for word in _CHANGES):
        return 8, "alter table"
    return 0, ""


def _cut(found: list[Token]) -> tuple[int, str]:
    """Something, a statement's end, a comment: the rest of the query is cut off; LIKE and an open text."""
    if len(found) >= 3 and found[-1].kind == "end" and found[-2].kind == ";" and found[0].kind in ("key", "word"):
        return 6, "statement end and comment"
    if len(found) >= 2 and found[-1].kind == "open" and found[-1].text in ("'", '"') and found[-2].text in ("like", "rlike"):
        return 5, "comparison cut open"
    return 0, ""
