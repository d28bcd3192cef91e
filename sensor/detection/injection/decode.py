"""A value as the server may come to see it: in: text as it was sent; out: every reading of it after repeated decoding.

Percent (also double, %u and over-long UTF-8), HTML entities, backslash escapes, UTF-7, base64 and gzip below base64 are
undone in every order that applies, at most ROUNDS deep. The one law: the number and length of readings is bounded,
whatever the value.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
import zlib

READINGS_MAX = 8
ROUNDS = 5
LENGTH_MAX = 8_192
"""Characters of a value that are read; longer ones are judged by their first and last halves of this."""

_PERCENT = re.compile(r"%(?:u([0-9a-fA-F]{4})|([0-9a-fA-F]{2}))")
_PERCENT_RUN = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_OVERLONG = re.compile(
    r"%(?:c0%(?:80%)?([0-9a-f]{2})|c1%([0-9a-f]{2})|e0%80%([0-9a-f]{2})|f0%80%80%([0-9a-f]{2})"
    r"|f8%80%80%80%([0-9a-f]{2})|fc%80%80%80%80%([0-9a-f]{2}))",
    re.I,
)
_OVERLONG_BYTES = re.compile("[\xc0\xc1]([\x00-\xff])|\xe0\x80([\x80-\xbf])|\xf0\x80\x80([\x80-\xbf])")
_BACKSLASH = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-3][0-7]{2}))")
_BLANKS = re.compile(r"&(?:tab|newline);", re.I)
"""Browsers leave them out of a scheme."""
_UTF7 = re.compile(r"\+([A-Za-z0-9/]{2,40})-")
_HEX_BYTE = re.compile(r"(?:0x|%0x)(2e|2f|5c)", re.I)
_BASE64 = re.compile(r"(?:data:[\w/+.-]*;(?:[\w=-]+;)?base64,)?([A-Za-z0-9+/_-]{12,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2})\s*\Z")
_TOKEN = re.compile(r"[A-Za-z0-9+/]*(?=[A-Za-z0-9]{0,30}[A-Z])(?=[A-Za-z0-9]{0,30}[a-z])(?=[A-Za-z0-9]{0,30}\d)[A-Za-z0-9]{10,}[A-Za-z0-9+/]*={0,2}")
"""Base64 of octets: the plus in it is no space."""
_CODED = re.compile(r"(?=.*[A-Z].*[A-Z])(?=.*[a-z].*[a-z])(?!.*\+\+)[A-Za-z0-9+/]{12,}={0,2}")
_PACKED = re.compile(r"(?:H4sI|eJ[wyz])[\w+/-]{16,}={0,2}\s*\Z")
_OBJECTS = (b"\xac\xed\x00\x05", b"\x00\x01\x00\x00\x00\xff\xff\xff\xff", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How serialised objects begin."""
_PRINTABLE = re.compile(r"[\x09\x0a\x0d\x20-\x7e]*\Z")
_LOOKALIKES = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u02b9": "'", "\u2032": "'", "\uff07": "'", "\u201c": '"',
        "\u201d": '"', "\uff02": '"', "\u2215": "/", "\u2044": "/", "\u2216": "\\", "\u3008": "<", "\u2039": "<",
        "\u203a": ">", "\u3009": ">", "\uff0e": ".", "\uff0f": "/", "\uff3c": "\\", "\u2024": ".", "\u2025": "..",
    }
)  # fmt: skip


def is_coded(text: str) -> bool:
    """Whether it is base64 of octets as a whole, so that a plus in it parts no words."""
    return len(text) % 4 == 0 and bool(_CODED.fullmatch(text))


def text_of(octets: bytes) -> str:
    """Bytes as text: UTF-8 where they are that, else byte by byte."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _percent_run(match: re.Match[str]) -> str:
    octets = bytes.fromhex(match.group().replace("%", ""))
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _overlong(match: re.Match[str]) -> str:
    groups = match.groups()
    low = int(next(group for group in groups if group), 16) & 0x3F
    return chr(low | 0x40 if groups[1] else low)


def unpercent(text: str) -> str:
    """One round of percent decoding: over-long forms first, %u with four digits too; what is not hexadecimal stays."""
    if "%" not in text:
        return text
    text = _OVERLONG.sub(_overlong, text)
    if "%u" in text or "%U" in text:
        text = re.sub(r"%[uU]([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), text)
    return _PERCENT_RUN.sub(_percent_run, text)


def _escape(match: re.Match[str]) -> str:
    braced, wide, byte, octal = match.groups()
    number = int(octal, 8) if octal else int(braced or wide or byte, 16)
    return chr(number) if number < 0x110000 else ""


def unescape(text: str) -> str:
    """Backslash escapes of JavaScript, JSON and the shell, by number."""
    return _BACKSLASH.sub(_escape, text) if "\\" in text else text


def unentity(text: str) -> str:
    """HTML entities, also without their semicolon."""
    return html.unescape(_BLANKS.sub("", text)) if "&" in text else text


def _utf7(match: re.Match[str]) -> str:
    group = match.group(1)
    try:
        hidden = base64.b64decode(group + "=" * (-len(group) % 4)).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return match.group()
    return hidden if hidden.isascii() else match.group()


def unutf7(text: str) -> str:
    """UTF-7 that hides what ASCII could say; words between a plus and a dash stay."""
    return _UTF7.sub(_utf7, text) if "+A" in text else text


def _octets_of(text: str) -> bytes:
    """What base64, also of gzip or zlib, stands for; nothing when it is none."""
    found = _BASE64.match(text) if len(text) >= 12 else None
    if not found:
        return b""
    plain = "".join(found.group(1).split()).rstrip("=").translate({45: "+", 95: "/"})
    try:
        octets = base64.b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return b""
    if octets[:2] == b"\x1f\x8b" or octets[:1] == b"\x78":
        try:
            octets = zlib.decompressobj(47).decompress(octets, LENGTH_MAX)
        except zlib.error:
            return b""
    return octets


def unbase64(text: str) -> str:
    """The text that base64 (also of gzip or zlib) stands for; "" when it does not stand for text."""
    decoded = _octets_of(text).decode("latin-1")
    return decoded if _PRINTABLE.match(decoded) else ""


def is_packed_object(text: str) -> bool:
    """Whether it is base64 of a packed object of Java, .NET or Python."""
    return bool(_PACKED.match(text)) and _octets_of(text).startswith(_OBJECTS)


def plainer(text: str) -> str:
    """Look-alike characters as what databases and browsers take them for."""
    if text.isascii():
        return text
    text = text.translate(_LOOKALIKES)
    text = _OVERLONG_BYTES.sub(lambda m: chr(ord(next(g for g in m.groups() if g)) & 0x7F), text)
    return "".join(unicodedata.normalize("NFKC", c) if "\uff00" <= c <= "\uffef" else c for c in text)


def _once(text: str, form: bool) -> list[str]:
    """The readings one step on; empty when there is nothing to undo. Of a form its coding is undone first."""
    plain = unpercent(text.replace("+", " ") if form else text)
    if form and plain != text:
        return [step for step in (plain, unutf7(text)) if step != text]
    steps = [plain, unentity(text), unescape(text), unutf7(text)]
    if "0x" in text:
        steps.append(_HEX_BYTE.sub(lambda m: chr(int(m.group(1), 16)), text))
    return [step for step in steps if step != text]


def readings(text: str, form: bool = False) -> list[str]:
    """What the value may mean, the plainest last; `form`: plus signs are spaces, as in queries and forms."""
    if len(text) > LENGTH_MAX:
        text = text[: LENGTH_MAX // 2] + " " + text[-LENGTH_MAX // 2 :]
    first = plainer(text)
    found = [first]
    todo = [(first, form and not _TOKEN.fullmatch(first) and not is_coded(first))]
    for _ in range(ROUNDS):
        following: list[tuple[str, bool]] = []
        for reading, plus in todo:
            for step in _once(reading, plus):
                plain = plainer(step)
                if plain not in found and len(found) < READINGS_MAX:
                    found.append(plain)
                    following.append((plain, False))
        if not following:
            break
        todo = following[-3:]
    hidden = unbase64(found[-1])
    if hidden and len(found) < READINGS_MAX + 1:
        found.append(plainer(unescape(unpercent(hidden))))
    return found
