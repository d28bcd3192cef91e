"""Does what follows a break-out go on as an expression of SQL? In: tokens; out: points and what was recognised.

The tokens are read once, as operands and operators in turns; a word where an operator must stand ends it, so prose never
goes on. What it ends with says how sure that is: a quote that is opened again, a comment that cuts the rest off, a
clause. The one law: an expression that nothing ends (a sum, a filter) is worth nothing unless it is true by itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sensor.detection.injection.sql_tokens import Token

_BINARY = frozenset(("and", "or", "xor", "like", "rlike", "regexp", "ilike", "glob", "div", "mod", "in", "is", "between",
                     "sounds", "not", "collate", "escape", "having", "where"))  # fmt: skip
_JOINS = frozenset(("and", "or", "xor", "having", "||", "&&"))
_UNARY = frozenset(("not", "all", "any", "some", "exists", "distinct", "like"))
_UNARY_SIGNS = frozenset("+-~!@")
_CLAUSES = frozenset(("union", "order", "group", "limit", "procedure", "into", "intersect", "except"))
_CONSTANTS = frozenset(("null", "true", "false"))
_LITERALS = frozenset(("number", "text", "variable", "call"))
_CUT_OFF = re.compile(r"(?:--|/\*)[\s+-]{0,3}\w{0,8}\Z")
_QUOTATION = re.compile(r"(?<![^\s(\[=,>{:])([\"'])[^\s\"']+\1(?=[\s)\]>,:;}]|\Z)")
"""A word, a path or a sign between quotes of its own: the first of them closes nothing."""


class Expression(NamedTuple):
    """How a reading went: how it `ended` ("" when it did not read as one), its operators, whether constants are compared."""

    ended: str
    operators: int = 0
    joins: int = 0
    constant: bool = False
    named: bool = False


def read(found: list[Token], after_operand: bool, quote: str) -> Expression:
    """Operands and operators in turns, from behind an operand or before one."""
    operators = joins = depth = 0
    constant = named = compared = False
    due = not after_operand  # whether an operand is due
    last = Token("", "")
    for token in found:
        kind, word = token.kind, token.text.lower()
        if kind == "end":
            return Expression("" if due else "cut off", operators, joins, constant, named)
        if due:
            if kind == "(":
                depth, last = depth + 1, token
                continue
            if kind == ")" and last.kind == "(":
                depth, due, last = depth - 1, False, token
                continue
            if (kind == "operator" and word in _UNARY_SIGNS) or (kind == "key" and word in _UNARY) or word == "binary":
                continue
            if kind == "key" and word in ("select", "case"):
                return Expression("subquery" if operators or last.kind == "(" else "", operators, joins, constant, named)
            if kind == "open":
                reopened = token.text[:1] == quote and (len(token.text) > 1 or operators > 1)
                return Expression("opened again" if reopened else "", operators, joins, constant, named)
            literal = kind in _LITERALS or word in _CONSTANTS
            if not literal and kind not in ("word", "name"):
                return Expression("")
            constant |= compared and joins > 0 and literal and last.kind in _LITERALS
            named |= not literal
            due, compared, last = kind == "call", False, token
        elif kind == ")":
            depth -= 1
        elif kind == "," and depth > 0:
            due = True
        elif kind in ("compare", "operator", "logic") or (kind == "key" and word in _BINARY):
            operators, joins = operators + 1, joins + (kind == "logic" or word in _JOINS)
            due, compared = True, kind == "compare" or word == "like"
        elif kind == "key" and word in _CLAUSES:
            return Expression("clause", operators, joins, constant, named)
        else:
            return Expression("")
    return Expression("" if due or depth > 0 else "all", operators, joins, constant, named)


def judge_expression(text: str, found: list[Token], at: int) -> tuple[int, str]:
    """Points for the tokens behind the quote at this place of a value, or for the whole of it when that is -1."""
    quote = text[at] if at >= 0 else ""
    if quote and _QUOTATION.match(text, at):
        return 0, ""
    if not found or (not quote and found[0].kind in ("key", "end") and found[0].text not in ("not", "null")):
        return 0, ""
    expression = read(found, bool(quote), quote)
    if not expression.ended or not (expression.operators or len(found) > 3):
        return 0, ""
    more = min(expression.operators - 1, 2)
    if quote and expression.operators:
        if expression.ended in ("opened again", "cut off", "clause", "subquery"):
            return 6 + more, f"expression {expression.ended}"
        return (5, "expression with constants compared") if expression.constant and expression.joins else (0, "")
    if quote:
        return 0, ""
    if expression.ended == "cut off" and not expression.named and _CUT_OFF.search(text):
        return 5, "expression cut off"
    if expression.constant and expression.joins and expression.ended in ("all", "cut off"):
        return 6, "expression with constants compared"
    return 0, ""
