"""The text of a rule in Suricata's syntax: in: lines of a file; out: header and options, or what is wrong with it.

suricataparser splits options at every semicolon outside quotes, drops the place of a modifier and knows no errors;
this parser keeps order and escapes and names the place where a rule cannot be read. The one law: what is not
understood is an error with a reason, never silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sensor.errors import TapirError

ACTIONS = ("alert", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "pass", "log")
_HEADER = re.compile(r"(?P<action>[a-z]+)\s+(?P<proto>[\w-]+)\s+(?P<rest>.*)", re.S)
_FIELD = re.compile(r"\s*(!?\[[^\]]*(?:\[[^\]]*\][^\]]*)*\]|\S+)")


class RuleError(TapirError):
    """A rule that cannot be used; `keyword` names the option that is at fault, "" when it is not one option."""

    def __init__(self, problem: str, keyword: str = "") -> None:
        super().__init__(problem)
        self.keyword = keyword


class RuleText(NamedTuple):
    """A rule's header and its options in order; `line` is its first line in the file."""

    action: str
    protocol: str
    source: str
    source_ports: str
    arrow: str
    target: str
    target_ports: str
    options: tuple[tuple[str, str], ...]
    line: int


def rule_lines(text: str) -> Iterator[tuple[int, str]]:
    """(line number, rule) for each rule of a file: lines that end in a backslash go on, comments are left out."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        part = line.strip()
        if not held:
            first = number
            if not part or part.startswith("#"):
                continue
        if part.endswith("\\"):
            held += part[:-1] + " "
            continue
        yield first, held + part
        held = ""
    if held:
        yield first, held


def parse_rule(text: str, line: int = 1) -> RuleText:
    """Raises RuleError."""
    opening = text.find("(")
    if opening < 0 or not text.rstrip().endswith(")"):
        raise RuleError("a rule ends with its options in brackets")
    header = _HEADER.match(text[:opening].strip())
    if header is None or header["action"] not in ACTIONS:
        raise RuleError(f"a rule begins with one of {', '.join(ACTIONS)}")
    fields = _FIELD.findall(header["rest"])
    if len(fields) != 5 or fields[2] not in ("->", "<>"):
        raise RuleError("expected: action protocol address port -> address port")
    options = tuple(_options(text.rstrip()[opening + 1 : -1]))
    source, source_ports, arrow, target, target_ports = fields
    action, protocol = header["action"], header["proto"].lower()
    return RuleText(action, protocol, source, source_ports, arrow, target, target_ports, options, line)


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Split at semicolons that are neither escaped nor between quotes."""
    start, quoted, i = 0, False, 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 2
            continue
        if c == '"':
            quoted = not quoted
        elif c == ";" and not quoted:
            name, colon, value = text[start:i].strip().partition(":")
            if name:
                yield name.strip().lower(), value.strip() if colon else ""
            start = i + 1
        i += 1
    if quoted:
        raise RuleError("a quote is not closed")
    if text[start:].strip():
        raise RuleError(f"an option must end with a semicolon: {text[start:].strip()[:40]}")


def content_octets(value: str, keyword: str = "content") -> tuple[bool, bytes]:
    """(negated, bytes) of a content: hex between bars, backslash before quote, semicolon, colon and backslash."""
    negated = value.startswith("!")
    text = value[1:].strip() if negated else value
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise RuleError(f"{keyword}: expected a text in quotes", keyword)
    out, text, i = bytearray(), text[1:-1], 0
    while i < len(text):
        c = text[i]
        if c == "|":
            end = text.find("|", i + 1)
            try:
                out += bytes.fromhex(text[i + 1 : end] if end > 0 else "x")
            except ValueError:
                raise RuleError(f"{keyword}: expected pairs of hex digits between two bars", keyword) from None
            i = end + 1
            continue
        if c == "\\" and i + 1 < len(text):
            i += 1
            c = text[i]
        out += c.encode("utf-8")
        i += 1
    if not out:
        raise RuleError(f"{keyword}: is empty", keyword)
    return negated, bytes(out)
