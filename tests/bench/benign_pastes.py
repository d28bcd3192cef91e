"""A further set of what people write and paste, of packages that were fetched last: in: a folder; out: texts by kind.

Handbooks and manual pages in a dozen languages, sayings, read-me files, short texts of translators, names and
addresses, file names, JSON documents, GraphQL, e-mails, and code in some five hundred languages, parts of it as whole
values. The one law: only the half "dev" was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.benign_documents import Written, blocks, by_kind, gathered, manual_pages, sections, translated
from tests.bench.benign_texts import Texts
from tests.bench.packages import Packages, files, text_of, unpack

PACKAGES = Packages(
    debian=(
        "debian-reference-ja", "debian-reference-de", "debian-reference-fr", "debian-reference-es",
        "debian-reference-pt", "debian-reference-zh-cn", "debian-reference-it", "debian-handbook", "apache2-doc",
        "aptitude-doc-cs", "aptitude-doc-fi", "aptitude-doc-ru", "aptitude-doc-nl", "fortunes-br", "fortunes-eo",
        "fortunes-bg", "fortunes-ga", "fortunes-zh", "manpages-ja", "manpages-pt-br", "manpages-ru", "manpages-pl",
        "manpages-it", "manpages-nl", "perl-doc", "bash-doc",
    ),
    sources=(
        "flask", "scrapy", "celery", "peewee", "sqlparse", "wagtail", "jsonschema", "pygments", "rich", "httpie",
        "salt", "tornado", "mistune", "pymongo", "psycopg", "gql", "ariadne", "loguru", "mail-parser", "pytest",
    ),
    npm=(
        "eslint", "webpack", "mongoose", "mysql2", "pg", "shelljs", "zx", "handlebars", "ejs", "pug", "nunjucks",
        "@faker-js/faker", "i18next", "ajv", "validator", "zod", "svelte", "rollup", "moment", "puppeteer",
        "json-server",
    ),
)  # fmt: skip
SHORTEST = 3
HTML_EVERY, CODE_EVERY, NAMES_EVERY = 4, 3, 4
"""Of what there are hundreds of thousands one in so many is taken."""
BODY_MAX = 20_000
"""Octets of a JSON document that is posted as it is."""


def texts(folder: Path) -> list[Written]:
    """All texts, each once, in a fixed order; what is shorter than a word is left out."""
    return gathered(unpack(folder), _GATHERED, SHORTEST)


def vocabulary(folder: Path, part: str) -> Texts:
    """The texts of one half for requests of clients (record_benign.py)."""
    found = by_kind(texts(folder), part)
    prose = [" ".join(text.split()) for kind in ("language", "saying", "short text") for text in found[kind]]
    kinds = ("listing", "Markdown", "reStructuredText", "manual page", "manual of Perl", "e-mail")
    talk = [text for kind in kinds for text in found[kind]]
    return Texts(
        sorted({text for text in prose if len(text) > 20}), sorted(talk), sorted(found["source"]),
        sorted(found["file name"]),
    )  # fmt: skip


def _pages(place: Path) -> Iterator[tuple[list[tuple[str, str]], int]]:
    """The blocks of every page and the number of one."""
    packages = ("debian-reference-*", "debian-handbook", "apache2-doc", "aptitude-doc-*")
    for path in files(place, *(f"{name}/**/*.html*" for name in packages)):
        found = blocks(text_of(path))
        yield from ((found, number) for number in range(0, len(found), HTML_EVERY))


def _prose(place: Path) -> Iterator[Written]:
    for found, number in _pages(place):
        tag, text = found[number]
        if tag != "pre":
            yield Written("language", text)


def _listings(place: Path) -> Iterator[Written]:
    """A listing between the paragraphs around it, without any mark."""
    for found, number in _pages(place):
        if any(tag == "pre" for tag, _ in found[number : number + 3]):
            yield Written("listing", "\n\n".join(text for _, text in found[number : number + 3]))


def _sayings(place: Path) -> Iterator[Written]:
    for path in files(place, "fortunes-*/usr/share/games/fortunes/**/*"):
        if path.suffix not in (".dat", ".u8"):
            yield from (Written("saying", part) for part in re.split(r"^%\s*$", text_of(path), flags=re.M))


def _manuals(place: Path) -> Iterator[Written]:
    return manual_pages(place, ("ja", "pt_BR", "ru", "pl", "it", "nl"))


def _markup(place: Path) -> Iterator[Written]:
    for path in files(place, "*/**/*.md"):
        found = sections("Markdown", text_of(path), r"^(?=#{1,4} )")
        yield from (each for each in found if each.text.count("```") % 2 == 0)
    for path in files(place, "*/**/*.rst"):
        yield from sections("reStructuredText", text_of(path), r"\n(?=[^\n]{3,80}\n[=~^*\"'-]{3,80}\n)")
    for path in files(place, "perl-doc/**/*.pod"):
        yield from sections("manual of Perl", text_of(path), r"\n(?==(?:head|item))")


def _short(place: Path) -> Iterator[Written]:
    return translated(*list(files(place, "wagtail/**/*.po"))[::2])


_STRING = re.compile(r"(?<=[\[,:(])\s*\"((?:[^\"\\\n]|\\.){3,120})\"|`([^`\n$]{3,120})`")


def _names(place: Path) -> Iterator[Written]:
    """Names, addresses, companies, products and words in some seventy languages."""
    for path in files(place, "faker-js-faker/package/dist/*.js"):
        for match in list(_STRING.finditer(text_of(path)))[::NAMES_EVERY]:
            yield Written("name", (match.group(1) or match.group(2)).replace('\\"', '"').replace("\\\\", "\\"))


def _file_names(place: Path) -> Iterator[Written]:
    for name in sorted({path.name for path in place.rglob("*") if path.is_file()}):
        yield Written("file name", name)


def _json(place: Path) -> Iterator[Written]:
    for path in files(place, "*/**/*.json"):
        if path.stat().st_size < BODY_MAX:
            yield Written("JSON", text_of(path))


def _mails(place: Path) -> Iterator[Written]:
    for path in files(place, "mail_parser/*/tests/mails/*", "pygments/*/tests/examplefiles/email/*.eml"):
        _, _, body = text_of(path).replace("\r\n", "\n").partition("\n\n")
        parts = body.split("\n\n")
        yield from (Written("e-mail", "\n\n".join(parts[at : at + 3])) for at in range(0, len(parts), 3))


_QUERY = re.compile(r"^[ \t]*(?:query|mutation|subscription)\b[^\n{]*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}", re.M)


def _graphql(place: Path) -> Iterator[Written]:
    for path in files(place, "gql/**/*.py", "ariadne/**/*.py", "gql/**/*.rst", "ariadne/**/*.md"):
        yield from (Written("GraphQL", match.group()) for match in _QUERY.finditer(text_of(path)))


def _programs(place: Path) -> Iterator[Written]:
    """Parts of sources, each second one with a question before it."""
    python = ("salt/*/salt/**/*.py", "peewee/**/*.py")
    script = ("webpack/package/lib/**/*.js", "eslint/package/lib/**/*.js", "zx/package/**/*.js", "puppeteer/**/*.ts")
    examples = ("pygments/*/tests/examplefiles/*/*", "bash-doc/**/examples/**/*")
    sources = (*python, *script, *examples, "sqlparse/**/*.sql", "salt/*/pkg/**/*.sh")
    for path in files(place, *sources):
        if path.suffix != ".output" and path.stat().st_size < 60_000:
            for number, part in enumerate(text_of(path).split("\n\n")[::CODE_EVERY]):
                yield Written("source", part if number % 2 else f"Does anybody know why this fails?\n\n{part}")


_GATHERED: tuple[Callable[[Path], Iterator[Written]], ...] = (
    _prose, _listings, _sayings, _manuals, _markup, _short, _names, _file_names, _json, _mails, _graphql, _programs,
)  # fmt: skip
