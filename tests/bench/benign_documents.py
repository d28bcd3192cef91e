"""What people write and paste, by kind, out of packages that no pattern was mended with: in: a folder; out: texts.

Prose in ten languages, sayings, manual pages, read-me files in Markdown, reStructuredText and AsciiDoc, tutorials of
SQL, pages of HTML, short texts of translators, GraphQL, formulas, logs, sources. Nothing of them is kept in the
repository. The one law: a text falls into the half "dev" or "held-out" by a hash of its text, and only the first is
looked at.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from tests.bench.benign_texts import Texts
from tests.bench.packages import Packages, files, half, text_of, unpack

_DEBIAN = (
    "fortunes-de", "fortunes-es", "fortunes-it", "fortunes-ru", "fortunes-pl", "fortunes-cs", "postgresql-doc-15",
    "sqlite3-doc", "git-doc", "python-sqlalchemy-doc", "developers-reference-fr", "developers-reference-ja",
    "developers-reference-de", "debian-faq-ru", "debian-faq-zh-cn", "manpages-de", "manpages-fr", "manpages-es",
)  # fmt: skip
_PYPI = ("graphene", "graphql-core", "strawberry-graphql")
_NPM = (
    "express", "axios", "graphql", "lodash", "winston", "sequelize", "knex", "typeorm", "mongodb", "marked",
    "nodemailer", "commander", "vue", "socket.io",
)  # fmt: skip
_SOURCES = ("django", "sphinx", "ansible-core", "jinja2", "mpmath")
PACKAGES = Packages(debian=_DEBIAN, pypi=_PYPI, npm=_NPM, sources=_SOURCES)
SHORTEST, LONGEST = 40, 3_000
PAGES_MAX = 160
"""Manual pages of a language that are set."""
_LOGS = (
    "/var/log/dpkg.log", "/var/log/alternatives.log", "/var/log/apt/*.log", "/var/log/nginx/*.log",
    "~/.npm/_logs/*.log",
)  # fmt: skip


class Written(NamedTuple):
    """A text as somebody would post it."""

    kind: str
    text: str

    @property
    def half(self) -> str:
        return half(self.text)


def gathered(place: Path, gatherers: Sequence[Callable[[Path], Iterator[Written]]], shortest: int) -> list[Written]:
    """All texts that have a length that somebody would post, each once, in a fixed order."""
    found: dict[str, Written] = {}
    for gather in gatherers:
        for written in gather(place):
            text = written.text.replace("\0", "").strip("\n")
            if shortest < len(text.strip()) <= LONGEST:
                found.setdefault(text, Written(written.kind, text))
    return list(found.values())


def by_kind(written: list[Written], part: str) -> dict[str, list[str]]:
    """The texts of one half, by their kind."""
    found: dict[str, list[str]] = {}
    for each in written:
        if each.half == part:
            found.setdefault(each.kind, []).append(each.text)
    return found


def texts(folder: Path) -> list[Written]:
    return gathered(unpack(folder), _GATHERED, SHORTEST)


def vocabulary(folder: Path, part: str) -> Texts:
    """The texts of one half for requests of clients (record_benign.py)."""
    found = by_kind(texts(folder), part)
    kinds = ("language", "saying", "short text", "tutorial of SQL")
    prose = [" ".join(text.split()) for kind in kinds for text in found[kind]]
    talk = [text for kind in ("Markdown", "reStructuredText", "AsciiDoc", "manual page", "log") for text in found[kind]]
    names = sorted({path.name for path in unpack(folder).rglob("*") if path.is_file()})
    return Texts(sorted(set(prose)), sorted(talk), sorted(found["source"]), names)


class _Blocks(HTMLParser):
    """The texts of a page's paragraphs, items, cells and listings as a reader would copy them."""

    STARTS = ("p", "li", "td", "pre", "dd", "h1", "h2", "h3", "div", "table")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[str, str]] = []
        self._tag, self._parts, self._hidden = "", [""], 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style", "head")
        if tag in self.STARTS and self._tag != "pre":
            self._end(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "head")
        if tag in self.STARTS and (self._tag != "pre" or tag == "pre"):
            self._end("")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._parts.append(data)

    def _end(self, tag: str) -> None:
        text = "".join(self._parts)
        self.blocks.append((self._tag, text if self._tag == "pre" else " ".join(text.split())))
        self._tag, self._parts = tag, []


def blocks(page: str) -> list[tuple[str, str]]:
    parser = _Blocks()
    parser.feed(page)
    return [(tag, text) for tag, text in parser.blocks if text.strip()]


def _languages(place: Path) -> Iterator[Written]:
    for path in files(place, "developers-reference-*/**/*.html", "debian-faq-*/**/*.html"):
        yield from (Written("language", text) for tag, text in blocks(text_of(path)) if tag != "pre")


def _sayings(place: Path) -> Iterator[Written]:
    for path in files(place, "fortunes-*/usr/share/games/fortunes/**/*"):
        if path.suffix not in (".dat", ".u8"):
            yield from (Written("saying", part) for part in re.split(r"^%\s*$", text_of(path), flags=re.M))


def manual_pages(place: Path, languages: tuple[str, ...]) -> Iterator[Written]:
    """Manual pages as they are shown, some lines of them pasted."""
    for language in languages:
        pages = list(files(place, f"manpages-{language.replace('_', '-').lower()}/usr/share/man/{language}/man*/*.gz"))
        for path in pages[:: max(1, len(pages) // PAGES_MAX)]:
            command = ["man", "--encoding=UTF-8", "--nh", "-l", str(path)]
            set_up = {"MANWIDTH": "100", "PATH": "/usr/bin:/bin"}
            shown = subprocess.run(command, capture_output=True, timeout=60, env=set_up, check=True).stdout
            parts = re.sub(r".\x08|\x1b\[[0-9;]*m", "", shown.decode("utf-8", "replace")).split("\n\n")
            yield from (Written("manual page", "\n\n".join(parts[at : at + 2])) for at in range(1, len(parts), 2))


def _manuals(place: Path) -> Iterator[Written]:
    return manual_pages(place, ("de", "fr", "es"))


def sections(kind: str, text: str, heading: str) -> Iterator[Written]:
    yield from (Written(kind, part) for part in re.split(heading, text, flags=re.M))


def _markup(place: Path) -> Iterator[Written]:
    for path in files(place, "*/**/*.md"):
        found = sections("Markdown", text_of(path), r"^(?=#{1,4} )")
        yield from (each for each in found if each.text.count("```") % 2 == 0)
    manuals = ("django/*/docs/**/*.txt", "sphinx/*/doc/**/*.rst", "jinja2/*/docs/*.rst")
    for path in files(place, *manuals, "python-sqlalchemy-doc/**/*.rst"):
        yield from sections("reStructuredText", text_of(path), r"\n(?=[^\n]{3,80}\n[=~^*\"'-]{3,80}\n)")
    for path in files(place, "git-doc/**/*.txt"):
        heading = r"\n\n(?=[A-Z][A-Za-z /-]{2,60}\n[=~-]{3,60}\n\n?[^\n]{30})"
        yield from sections("AsciiDoc", text_of(path), heading)


def _tutorials(place: Path) -> Iterator[Written]:
    """Paragraphs of manuals of databases; each listing between the paragraphs around it, without any mark."""
    for path in files(place, "postgresql-doc-15/**/*.html", "sqlite3-doc/**/*.html"):
        found = blocks(text_of(path))
        for number, (tag, text) in enumerate(found):
            around = "\n\n".join(each for _, each in found[max(number - 1, 0) : number + 2])
            yield Written("tutorial of SQL", around if tag == "pre" else text)


_ACTIVE = re.compile(
    r"<script.*?</script>|\A.*?<body[^>]*>|</body>.*| on\w+=(?:'[^']*'|\"[^\"]*\")| href=.javascript:[^>]*", re.I | re.S
)
"""What editors take out."""


def _pages(place: Path) -> Iterator[Written]:
    """Sections of pages as an editor of a site or of e-mail sends them."""
    packages = ("postgresql-doc-15", "developers-reference-*", "sqlite3-doc")
    for path in files(place, *(f"{name}/**/*.html" for name in packages)):
        yield from sections("HTML", _ACTIVE.sub("", text_of(path)), r"(?i)(?=<h[1-4][ >])")


def translated(*paths: Path) -> Iterator[Written]:
    """What translators translate, and into what."""
    for path in paths:
        for match in re.finditer(r'^msg(?:id|str)(?:\[\d\])? ((?:"(?:[^"\\]|\\.)*"\s*)+)', text_of(path), re.M):
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1)))
            if "Project-Id-Version" not in text:
                yield Written("short text", text.replace('\\"', '"').replace("\\n", "\n"))


def _translations(place: Path) -> Iterator[Written]:
    return translated(*files(place, "django/**/*.po", "sphinx/**/*.po"))


_QUERY = re.compile(r"^[ \t]*(?:query|mutation|subscription|fragment)\b[^\n{]*\{.*?^[ \t]*\}", re.M | re.S)


def _graphql(place: Path) -> Iterator[Written]:
    for path in files(place, "graphene/**/*", "graphql_core/**/*", "strawberry_graphql/**/*", "graphql/**/*"):
        if path.suffix in (".py", ".md", ".js", ".graphql") and path.stat().st_size < 300_000:
            found = (match.group() for match in _QUERY.finditer(text_of(path)))
            yield from (Written("GraphQL", text) for text in found if ": " not in text[:12])


def _formulas(place: Path) -> Iterator[Written]:
    for path in files(place, "mpmath/**/*.rst", "mpmath/**/*.py", "sphinx/**/*.rst"):
        for part in re.findall(r"\.\. math ::?\s*\n\s*\n?((?:[ \t]+[^\n]+\n)+)|:math:`([^`]+)`", text_of(path)):
            yield Written("formula", " ".join("".join(part).split()))


def _logs(_: Path) -> Iterator[Written]:
    """Lines of logs in a ticket."""
    for pattern in _LOGS:
        path = Path(pattern).expanduser()
        for file in files(path.parent, path.name):
            lines = text_of(file).splitlines()
            for at in range(0, min(len(lines), 20_000), 7):
                yield Written("log", "It stopped again, the log says:\n" + "\n".join(lines[at : at + 7]))


def _programs(place: Path) -> Iterator[Written]:
    """Parts of sources, pasted with a question before them or sent as they are."""
    python = ("django/*/django/**/*.py", "ansible_core/**/*.py", "python-sqlalchemy-doc/**/*.py")
    for path in files(place, *python, "*/package/lib/**/*.js", "*/package/src/**/*.ts", "git-doc/**/*.sh"):
        if path.stat().st_size < 60_000:
            for number, part in enumerate(text_of(path).split("\n\n")):
                yield Written("source", part if number % 2 else f"Does anybody know why this fails?\n\n{part}")


_GATHERED: tuple[Callable[[Path], Iterator[Written]], ...] = (
    _languages, _sayings, _manuals, _markup, _tutorials, _pages, _translations, _graphql, _formulas, _logs, _programs,
)  # fmt: skip
