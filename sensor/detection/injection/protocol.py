"""Requests that are an attack by their form, not by one value: in: head and body; out: findings with their values.

A session id given in a link from another site, fields that a client should not set, parts in an encoding that hides
markup, a method hidden in a parameter. The one law: what ordinary clients and frameworks send is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensor.detection.injection.decode import text_of
from sensor.detection.injection.finding import Finding
from sensor.detection.injection.values import Value

_SESSION = re.compile(
    rb"[?&;](?:php|jsp|asp(?:\.net_)?|_?rails_|laravel_|express[:.]|connect\.|sails\.|symfony_?|ci_|django_?|flask_?|play_|koa[:.]"
    rb"|__(?:host-|secure-)?(?:next-auth\.)?|next-auth\.|better-auth\.|zope|cf|x?-?)?_?(?:\w{0,20}sess(?:ion)?(?:\w|[._-]?(?:id|token|key))?|sessionid\w*|sid|cfid|cftoken|jsessionid|phpsessid|aspsessionid\w*|auth[._-]session)=[^&\s]{3,}",
    re.I,
)
_REFERER = re.compile(rb"^referer:[ \t]*https?://([^/:\s]+)", re.I | re.M)
_HOST = re.compile(rb"^host:[ \t]*([^:\s]+)", re.I | re.M)
_HIDDEN_METHOD = re.compile(rb"[?&]_method=(?:get|head|put|delete|patch|options|trace|connect|propfind|proppatch|mkcol|copy|move|lock|unlock)\b", re.I)
_PART_CHARSET = re.compile(rb"\r\ncontent-type:[^\r\n]*charset\s*=\s*[\"']?(?!utf-?8\b|iso-8859-1\b|iso-8859-15\b|us-ascii\b|windows-125\d\b)[^\r\n]+", re.I)
_PART_CODING = re.compile(rb"\r\ncontent-transfer-encoding:", re.I)
_LAWS = (
    (re.compile(rb"^host:[ \t]*\r?$", re.I | re.M), "host", "empty host"),
    (re.compile(rb"^(?:accept|user-agent):[ \t]*\r?$", re.I | re.M), "accept", "empty header"),
    (re.compile(rb"^connection:[^\r\n]*(?:\bkeep-alive\b[^\r\n]*\bclose|\bclose\b[^\r\n]*\bkeep-alive)\b", re.I | re.M),
     "connection", "connection kept and closed"),
    (re.compile(rb"^request-range:", re.I | re.M), "request-range", "header of the last century"),
    (re.compile(rb"\A(?:GET|HEAD)\b.*^content-range:", re.I | re.M | re.S), "content-range", "range of a body that is none"),
    (re.compile(rb"\A(?:GET|HEAD|POST)\b.*^(?:if|lock-token):", re.I | re.M | re.S), "lock-token", "lock without WebDAV"),
    (re.compile(rb"^content-type:[ \t]*(?![\w.+-]+/[\w.+*-]+[ \t]*(?:[;,\r]|$))[^\s]", re.I | re.M), "content-type",
     "no media type"),
    (re.compile(rb"\b(?:file)?name\*?[ \t]*=[ \t]*\"(?:(?:&#?\w+;|[^\"\r\n;=&]|&(?!#?\w+;))*[;=][^\"\r\n]*|[^\"\r\n]*\\)\"", re.I), "multipart",
     "name of a part that ends early"),
)  # fmt: skip
"""What RFC 9110, 9112 and 7578 do not allow, or nobody sends any more: (where, header, what)."""
_EBCDIC = re.compile(rb"charset\s*=\s*[\"']?(?:ibm-?\d|cp(?:0?37|500|875|1026)\b|ebcdic|utf-?7)", re.I)
_ODD_CHARSET = re.compile(rb"^content-type:[^\r\n]*charset\s*=\s*[\"']?(?!utf-?8\b|iso-8859-\d+\b|us-ascii\b|windows-\d+\b|shift_jis\b|euc-\w+\b|gb\w+\b|big5\b|koi8-\w\b|utf-?16\w*\b)\w", re.I | re.M)
_RIGHTS = re.compile(
    rb"\"(?:is_?(?:admin(?:istrator)?|super_?user|staff|root|owner|verified|premium|approved)|admin|superuser|root_?access)\"\s*:\s*(?:true|1\b|\"(?:true|1|yes)\")"
    rb"|\"(?:__proto__|constructor)\"\s*:\s*\{"
    rb"|(?:^|&)(?:user(?:%5b|\[))?(?:is_?admin|is_?superuser|is_?staff|admin)(?:%5d|\])?=(?:true|1|yes|on)\b",
    re.I,
)
_SELF = re.compile(rb"^(?:post|put|patch)\s+\S*/(?:users?|me|profiles?|accounts?|register|signup|sign-up|registration|members?|customers?)(?:/[\w-]+)?/?[?\s]", re.I)
_LDAP_CALL = re.compile(rb"\?unix:A{8,}|\?\w*unix%3aA{8,}", re.I)
_RANGES = re.compile(rb"^(?:request-)?range:[^\r\n]*(?:\d*-\d*\s*,\s*){5,}", re.I | re.M)


_PROGRAM = re.compile(
    rb"(?:filename\*?\s*=\s*[\"']?|^x[._-]?file[._-]?name:[ \t]*)[^\"\r\n;]*\.[ \t]*(?:php\d?s?|phps|phtml?|phar|pht|jspx?|asa?x?p?x?|aspx|cgi|htaccess|user\.ini)[\s.]*(?:[\";]|$|\r|\x00|%00)",
    re.I | re.M,
)


def judge_protocol(head: bytes, body: bytes) -> Iterator[tuple[Finding, Value]]:
    """Findings about the request as a whole."""
    line = head.partition(b"\n")[0]
    if _SESSION.search(line):
        referer, host = _REFERER.search(head), _HOST.search(head)
        if referer and host and referer.group(1).lower() != host.group(1).lower():
            yield Finding("protocol", 6, "session id in a link from another site"), Value("query", "", text_of(line))
    if _HIDDEN_METHOD.search(line):
        yield Finding("protocol", 5, "method hidden in a parameter"), Value("query", "_method", text_of(line))
    if _LDAP_CALL.search(line):
        yield Finding("ssrf", 8, "proxy made to call a socket"), Value("query", "", text_of(line))
    for law, name, what in _LAWS:
        if law.search(body[:8192] if name == "multipart" else head) and (name != "multipart" or body.startswith(b"--")):
            yield Finding("protocol", 5, what), Value("header", name, "")
    if _ODD_CHARSET.search(head) or _EBCDIC.search(head):
        yield Finding("evasion", 5, "charset that hides what is sent"), Value("header", "content-type", "")
    if _RANGES.search(head):
        yield Finding("protocol", 5, "many ranges"), Value("header", "range", "")
    if _PROGRAM.search(head) or (body.startswith(b"--") and _PROGRAM.search(body[:8192])):
        yield Finding("php", 8, "program uploaded"), Value("multipart", "filename", "")
    if body.startswith(b"--") and (_PART_CHARSET.search(body) or _PART_CODING.search(body[:4096])):
        yield Finding("evasion", 6, "part in an encoding that hides"), Value("multipart", "", "")
    if body and _SELF.match(line) and _RIGHTS.search(body):
        yield Finding("fields", 6, "field that gives rights"), Value("json", "", "")
