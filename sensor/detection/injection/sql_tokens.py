"""SQL as a database would cut it into tokens: in: text; out: a list of (class, text).

Comments count as blanks, except one that runs to the end, which says that something was cut off. MySQL's conditional
comments are code. The one law: every character is read once, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>(?:[\s\x01-\x1f]|/\*(?!!)(?:[^*]|\*(?!/))*\*/)+)
      |(?P<conditional>/\*!\d{0,6}|\*/)
      |(?P<end>--(?![a-z]{2,}(?:-[a-z]+)*=|[a-z]{2,}-[a-z])(?=\s|\Z|[-+\w'"/])|\#(?=\s|\Z|[^\w\#])|/\*|;?\x00|\#\Z)
      |(?P<text>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
      |(?P<open>'(?:[^'\\]|''|\\.)*\\?\Z|"(?:[^"\\]|""|\\.)*\\?\Z)
      |(?P<name>`[^`]*`?|\[[A-Za-z_ ]+\])
      |(?P<number>0[xX][0-9a-fA-F]+|0b[01]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)
      |(?P<cast>::\w+)
      |(?P<compare_json>@>|<@|@@|\?[|&]|\?(?=\s*['"])|\#>>?|->>?(?=\s*['"]))
      |(?P<variable>@@?[\w.$]*|:\w+)
      |(?P<word>[^\W\d][\w$]*(?:\.{1,2}[\w$*]+)*)
      |(?P<compare><=>|<>|!=|<=|>=|==|!<|!>|=|<|>|~\*?|!~)
      |(?P<logic>\|\||&&)
      |(?P<operator>[-+*/%^|&!~])
      |(?P<open_bracket>[({])
      |(?P<close_bracket>[)}])
      |(?P<comma>,)
      |(?P<semicolon>;)
      |(?P<other>.)""",
    re.X | re.S,
)

LOGIC = frozenset(["and", "or", "xor", "not", "having", "where", "rlike", "regexp", "like", "ilike", "between", "in", "is", "div", "mod", "sounds", "glob"])
STATEMENT = frozenset(
    ["select", "insert", "update", "delete", "drop", "create", "alter", "truncate", "exec", "execute", "declare", "merge", "replace", "grant", "revoke", "shutdown", "waitfor", "call", "begin", "set", "load", "copy", "attach", "with", "handler", "show", "describe", "backup", "restore", "use", "kill", "do", "prepare", "if"]
)
KEYWORDS = LOGIC | STATEMENT | frozenset(
    ["union", "all", "distinct", "from", "order", "group", "by", "limit", "offset", "into", "outfile", "dumpfile", "values", "null", "true", "false", "case", "when", "then", "else", "end", "as", "join", "on", "exists", "any", "some", "procedure", "analyse", "collate", "escape", "desc", "asc", "returning", "top", "intersect", "except", "minus", "fetch", "for"]
)  # fmt: skip


class Token(NamedTuple):
    """`kind`: number text open name variable word key call compare logic operator ( ) , ; end other."""

    kind: str
    text: str


_SHORT = {"compare_json": "compare", "open_bracket": "(", "close_bracket": ")", "comma": ",", "semicolon": ";"}


def tokens(text: str, limit: int = 200) -> list[Token]:
    """The first `limit` tokens; a word before a bracket is a call, a known one a key."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, part = match.lastgroup or "other", match.group()
        if kind in ("space", "conditional", "cast"):
            continue
        if kind == "word":
            lower = part.lower()
            if lower in KEYWORDS:
                kind, part = "key", lower
            elif text[match.end() : match.end() + 24].lstrip(" \t\r\n/*+").startswith("("):
                kind = "call"
        found.append(Token(_SHORT.get(kind, kind), part))
        if kind == "end" or len(found) >= limit:
            break
    return found
