"""What of a listing says nothing: in: a text; out: the same without lines that declare, name or document and do nothing.

Interpreter lines, imports of modules, exports of names, documentation comments, and the formatting codes of Perl's
manuals. People paste them all day, and nobody injects them: what they name is used by other lines, which stay. The one
law: only whole lines are left out, and a module that runs commands stays when nothing else is there.
"""

from __future__ import annotations

import re

_MARKS = ("require", "import", "exports", "/**", "#!", "<")
_INTERPRETER = re.compile(r"\A#! ?/[\w./-]+(?: [\w.-]+)?[ \t]*(?:\r?\n|\Z)")
_COMMENT = re.compile(r"^[ \t]*/\*\*(?=[ \t]|\r?\n)[^*]*(?:\*(?!/)[^*]*)*\*/[ \t]*$", re.M)
_NAMES = r"(?:[\w$]+|\{[\w$,:\s]*\})"
_RUNS = r"(?!(?:node:)?(?:child_process|vm|cluster|worker_threads)\b)"
_REQUIRE = re.compile(
    rf"^[ \t]*(?:(?:const|let|var)[ \t]+)?{_NAMES}[ \t]*=[ \t]*require\(\s*[\"']{_RUNS}[\w@./:-]+[\"']\s*\)(?:\.\w+|\(\s*[\"'][\w@./:-]+[\"']\s*\))?[;,]?[ \t]*$"
    rf"|^[ \t]*(?:import|export)\b[^;\n\"'()]{{0,200}}(?:\{{[\w$,\s]*\}}[^;\n\"'()]{{0,40}})?(?:\bfrom[ \t]*)?[\"']{_RUNS}[\w@./:-]+[\"'][;,]?[ \t]*$"
    r"|^[ \t]*module\.exports[ \t]*=[ \t]*(?:[\w$]+|\{[\w$,:\s]*\});?[ \t]*$",
    re.M,
)
_MODULE = re.compile(r"\b(?:import|require)\(\s*([\"'])(?![^\"']*(?:\betc/|passwd|/proc/|\.env))\.{1,2}/[\w@./-]{1,120}\1\s*\)")
"""Of the same project."""
_FORMATTED = re.compile(r"(?<![\w<])[BCEFILSX]<(?!(?:script|svg|img|iframe|object|embed)\s*>[^\s.,;:)}}<>])([^<>=\n]{1,200}|<[ \t][^\n]{1,200}?[ \t]>)>")
"""Of Perl's manuals: B<bold>, C<code>, X<index entry>."""


def without_declarations(text: str) -> str:
    """The text without what only declares."""
    if not any(mark in text for mark in _MARKS):
        return text
    if text.startswith("#!"):
        text = _INTERPRETER.sub("", text)
    if "/**" in text and "*/" in text:
        text = _COMMENT.sub("", text)
    if "require" in text or "import" in text or "export" in text:
        text = _MODULE.sub("", _REQUIRE.sub("", text))
    if "<" in text and "</" not in text and "/>" not in text and _FORMATTED.search(text):
        text = _FORMATTED.sub(r"\1", _FORMATTED.sub(r"\1", text))
    return text
