"""One entry of a feed: in: a text; out: what kind of thing it names, in one spelling.

The one law: a text that is not clearly one of the kinds is none, and says so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(StrEnum):
    ADDRESS = "address"        # an address, a network or a range of addresses
    DOMAIN = "domain"          # a name and all below it
    HOSTNAME = "hostname"      # exactly this name
    URL = "url"                # http or https, compared without scheme; below it too when it ends in /
    USER_AGENT = "user_agent"  # the whole value, * for anything
    JA3 = "ja3"
    JA4 = "ja4"


class Indicator(NamedTuple):
    """`confidence` 0 to 1, `expires` seconds since 1970; None where the feed does not say. `note`: what it says."""

    kind: Kind
    value: str
    confidence: float | None = None
    expires: float | None = None
    note: str = ""


class NotOne(ValueError):
    """A text that is no indicator; its text says why, in few words that can be counted."""


_NAME = re.compile(r"(?:\*\.|\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{2,59})\.?")
_WITH_PORT = re.compile(r"^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$")
_JA4 = re.compile(r"[tqd][0-9s][0-9di][0-9a-z]{7}_[0-9a-f]{12}_[0-9a-f]{12}")
_BRACKETED = re.compile(r"\s?[\[({](\.|dot|://|:)[\])}]\s?", re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-f]{32}")
_WIDEST = {4: 8, 6: 19}
NOTE_CHARS_MAX = 200
AGENT_CHARS_MIN = 4


def indicator(kind: str, text: str, confidence: float | None = None, expires: float | None = None, note: str = "",
              special: bool = False) -> list[Indicator]:  # fmt: skip
    """The indicators that a text of this kind (or "auto") is: a range of addresses may be several networks."""
    text = text.strip().strip("\"'")
    text = text if kind == Kind.USER_AGENT else defanged(text)
    chosen = kind_of(text) if kind == "auto" else Kind(kind)
    note = " ".join(note.split())[:NOTE_CHARS_MAX]
    if chosen == Kind.ADDRESS:
        return [Indicator(chosen, str(net), confidence, expires, note) for net in networks_of(text, special)]
    return [Indicator(chosen, _SPELL[chosen](text), confidence, expires, note)]


def kind_of(text: str) -> Kind:
    """What a text looks like."""
    low = text.lower()
    if "://" in low:
        return Kind.URL
    if _JA4.fullmatch(low):
        return Kind.JA4
    if re.fullmatch(r"[0-9a-f:.]+(?:/\d+|\s*-\s*[0-9a-f:.]+)?", low) and (":" in low or low.count(".") >= 3):
        return Kind.ADDRESS
    if _NAME.fullmatch(_ascii(low)):
        return Kind.DOMAIN
    if "/" in low and _NAME.fullmatch(_ascii(low.partition("/")[0])):
        return Kind.URL
    raise NotOne("neither address, name nor URL")


def networks_of(text: str, special: bool = False) -> list[Network]:
    """The networks that an address, a network or a range (FIRST-LAST) is."""
    try:
        text = _WITH_PORT.sub(r"\1", text)
        first, dash, last = text.partition("-")
        if dash:
            ends = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            found: list[Network] = list(ipaddress.summarize_address_range(*ends))  # type: ignore[type-var]
        else:
            found = [ipaddress.ip_network(text, strict=False)]
    except (ValueError, TypeError):
        raise NotOne("not an address or network") from None
    if any(net.prefixlen < _WIDEST[net.version] for net in found):
        raise NotOne("a network too wide to mean anything")
    if not special and any(not net.is_global or net.is_multicast for net in found):
        raise NotOne("private, local or reserved addresses")
    return found


def _ascii(name: str) -> str:
    """A name as DNS has it (RFC 3490); as it is when it cannot be one."""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _name(text: str) -> str:
    text = _ascii(text.lower())
    if not _NAME.fullmatch(text):
        raise NotOne("not a domain name")
    return text.removeprefix("*").strip(".")


def url_spelling(host: str, target: str) -> str:
    """As URLs are compared: host in lower case without the usual ports, then the target without its fragment."""
    host = host.lower().removesuffix(":80").removesuffix(":443").rstrip(".")
    return host + (target.partition("#")[0] or "/")


def _url(text: str) -> str:
    rest = re.sub(r"^[a-z]+://", "", text, flags=re.IGNORECASE)
    host, slash, target = rest.partition("/")
    if not host or " " in host or not {".", ":"} & set(host):
        raise NotOne("not a URL")
    return url_spelling(_ascii(host.rpartition("@")[2].lower()), slash + target)


def _agent(text: str) -> str:
    if len(text.replace("*", "")) < AGENT_CHARS_MIN:
        raise NotOne("too short for a user agent")
    return text.lower()


def _matched(pattern: re.Pattern[str], what: str, text: str) -> str:
    if not pattern.fullmatch(text.lower()):
        raise NotOne(f"not a {what} fingerprint")
    return text.lower()


def defanged(text: str) -> str:
    """As it was before somebody made it harmless: hxxp://, [.], (dot), [:]//"""
    text = _BRACKETED.sub(lambda found: {"dot": ".", ".": ".", ":": ":", "://": "://"}[found[1].lower()], text)
    return re.sub(r"^h(?:xx|tt|\*\*|xt|tx)p(s?)(?=://)", r"http\1", text, flags=re.IGNORECASE)


_SPELL: dict[Kind, Callable[[str], str]] = {
    Kind.DOMAIN: _name,
    Kind.HOSTNAME: _name,
    Kind.URL: _url,
    Kind.USER_AGENT: _agent,
    Kind.JA3: lambda text: _matched(_MD5, "JA3", text),
    Kind.JA4: lambda text: _matched(_JA4, "JA4", text),
}
