"""Markup that nothing runs: in: a text; out: the same without its tags, when all of them only format, show or structure.

A picture in SVG, a mail, a table, a document of XML: they are written whole, every element that is opened is closed, and
no attribute holds more than an ordinary address or a style. What breaks out leaves an end without a begin, and what runs
needs an element, an attribute or an address that is told here. The one law: one tag that is not known to be idle keeps
every tag, and the text between tags is judged as any other.
"""

from __future__ import annotations

import html.entities
import re

_TAG = re.compile(
    r"<!--(?!\s*[#\[>-]|esi)[^<>]{0,2000}?-->"
    r"|<!doctype\s+[a-z][\w:-]*(?:\s+public\s+\"-//w3c//[^\"<>]*\"(?:\s+\"https?://www\.w3\.org/[^\"<>]*\")?)?\s*>"
    r"|<\?xml\s+version\s*=\s*[\"']1\.[01][\"'](?:\s+encoding\s*=\s*[\"'](?:utf-8|us-ascii|iso-8859-1)[\"'])?"
    r"(?:\s+standalone\s*=\s*[\"'](?:yes|no)[\"'])?\s*\?>"
    r"|<(?P<end>/?)(?P<name>[a-z][\w-]{0,40}(?::[a-z][\w-]{0,40})?)"
    r"(?P<attributes>(?:\s+[a-z][\w.-]*(?::[\w.-]+)?(?:\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[\w.,:#%/?=&;+-]+))?)*)\s*(?P<whole>/?)>",
    re.I,
)
_ATTRIBUTE = re.compile(r"([a-z][\w.-]*(?::[\w.-]+)?)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?", re.I)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RUNS = _words(
    "script iframe frame frameset object embed applet base link form isindex portal fencedframe layer ilayer bgsound marquee"
    " animate animatetransform animatemotion animatecolor set discard foreignobject use handler listener image import include"
    " xss template noscript noembed noframes xmp plaintext comment textarea select keygen button input video audio source"
    " track details dialog event-source eval math style stylesheet xml vmlframe maction methodcall title"
)
"""Elements that run, load or send, or whose content browsers read in two ways."""
_VOID = _words("br hr img col wbr area")
_OPTIONAL_END = _words("p li td th tr tbody thead tfoot dt dd option colgroup body html head")
_ADDRESSED = _words("href src xlink:href background cite longdesc poster data srcset usemap profile")
_REFUSED = re.compile(
    r"on.*|srcdoc|formaction|action|http-equiv|xmlns:xi|xsi:.*|attributename|from|to|by|values|begin|autofocus|contenteditable|ping"
    r"|dynsrc|lowsrc|data(?:src|fld|formatas)|fscommand|ev:.*|is|slot|nonce|manifest|code(?:base|type)?|archive|classid",
    re.I,
)
_ADDRESS = re.compile(
    r"(?:https?://[a-z0-9](?!\S*\.js(?:[?#]|\Z))|mailto:|tel:|cid:|sms:|#|\?|\.{0,2}/(?![/\\])|[\w-]+(?:[./?][^:]*)?\Z"
    r"|data:image/(?:png|jpe?g|gif|webp|bmp|x-icon|avif);base64,[\w+/=%]*\Z)",
    re.I,
)
_STYLE = re.compile(r"(?!.*(?:expression|script|@import|behaviou?r|binding|o-link|\\|/\*|url\s*\(\s*[\"']?\s*(?!https?:|#|data:image/)\S)).*\Z", re.I | re.S)
_CODED = re.compile(r"&#|&(?:tab|newline|colon|lpar|rpar);|[\x00-\x08]|script\s*:", re.I)
_STYLE_ELEMENT = re.compile(r"(<style(?:\s+(?:type|media)\s*=\s*[\"'][\w/ ,:()-]*[\"'])*\s*>)([^<]*)</style\s*>", re.I)
_META = re.compile(r"<meta\s+(?:charset\s*=\s*[\"']?[\w-]+[\"']?|(?:name|property)\s*=\s*[\"'][\w:.-]+[\"']\s+content\s*=\s*[\"'][^\"'<>]*[\"']"
                   r"|http-equiv\s*=\s*[\"']?(?:content-type|x-ua-compatible)[\"']?\s+content\s*=\s*[\"'](?![^\"']*utf-(?:7|16|32))[^\"'<>]*[\"'])\s*/?>", re.I)  # fmt: skip
_LINK = re.compile(r"<link\s+(?:(?:rel\s*=\s*[\"'](?:stylesheet|icon|canonical|alternate)[\"']|(?:href|type|media)\s*=\s*[\"'][\w.,:#%/?=&+-]*[\"'])\s*)+/?>", re.I)
_TITLE = re.compile(r"<title>[^<>]*</title>", re.I)
_WHOLE = re.compile(r"\s*(?:<\?xml[^<>]*>\s*)?<!doctype\s|\s*<html[\s>]", re.I)
_SVG = re.compile(r"\Adata:image/svg\+xml[;\w=-]{0,30},(?=<|\s*%3c|\s)", re.I)
_WRITTEN = _words("style transform gradienttransform d points clip-path mask filter fill stroke alt title content label")
"""Attributes in which a bracket calls nothing."""
_TAGS_MIN = 2
_ADDRESS_MAX = 500
ENTITY = re.compile(r"&([\w%-]{2,30};)")
DECLARED = frozenset(html.entities.html5)
"""Entities by HTML itself."""


def without_idle_markup(text: str) -> str:
    """The text between tags when all of them are idle; the text as it is otherwise."""
    if "<" not in text or ">" not in text:
        return text
    rest = _SVG.sub("", text)
    if _WHOLE.match(rest):
        rest = _TITLE.sub(" ", _LINK.sub(" ", _META.sub(" ", rest)))
    rest = _STYLE_ELEMENT.sub(lambda found: " " if _STYLE.match(found[2]) else found[0], rest)
    pieces: list[str] = []
    opened: list[str] = []
    tags = at = 0
    for tag in _TAG.finditer(rest):
        pieces.append(rest[at : tag.start()])
        at = tag.end()
        name = (tag["name"] or "").lower()
        if not name:
            continue
        tags += 1
        if tag["end"]:
            while opened and opened[-1] != name and opened[-1] in _OPTIONAL_END:
                opened.pop()
            if tag["attributes"] or tag["whole"] or not opened or opened.pop() != name:
                return text
        else:
            idle, addresses = _is_idle(name, tag["attributes"])
            if not idle:
                return text
            pieces += addresses
            if not tag["whole"] and name not in _VOID:
                opened.append(name)
    pieces.append(rest[at:])
    left = "".join(pieces)
    if tags < _TAGS_MIN or "<" in left or ">" in left or not _OPTIONAL_END.issuperset(opened):
        return text
    if "&" in left and not DECLARED.issuperset(ENTITY.findall(left)):
        return text
    return " ".join(pieces)


def _is_idle(name: str, attributes: str) -> tuple[bool, list[str]]:
    """Whether nothing runs an element, and the addresses that it names."""
    addresses: list[str] = []
    if name in _RUNS or name.partition(":")[2] in _RUNS or name.startswith(("xsl", "xi:", "esi", "x:")):
        return False, addresses
    for attribute, *values in _ATTRIBUTE.findall(attributes):
        value, called = "".join(values), attribute.lower()
        if _REFUSED.fullmatch(called) or _CODED.search(value) or ("(" in value and called not in _WRITTEN):
            return False, addresses
        if called in _ADDRESSED and value:
            if not _ADDRESS.match(value):
                return False, addresses
            addresses.append(value if len(value) < _ADDRESS_MAX else "")
        if called == "style" and not _STYLE.match(value):
            return False, addresses
    return True, addresses
