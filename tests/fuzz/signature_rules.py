"""Random rules in Suricata's syntax, and conversations on which they are tried: in: a seed; out: rules, exchanges.

Contents are cut out of the conversations, so that many match; every modifier, size, test and flag appears, but no
negated content with endswith, of which Suricata 7 looks at the first place alone. The one law: the same seed gives the
same rules.
"""

from __future__ import annotations

import gzip
import random
import re

from tests.detection.signatures.keyword_cases import TALKS


def _chunked(body: bytes, size: int = 7) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


_ZIPPED = gzip.compress(b"<html>zipped welcome body 12345</html>", mtime=0)
EXCHANGES = [
    *TALKS,
    (
        b"GET http://Absolute.Example/path/x.php?a=1&b=2 HTTP/1.1\r\nHost: other.example\r\nuser-agent: lower case\r\n"
        b"Accept-Encoding: gzip\r\nAccept-Language: de\r\nConnection: keep-alive\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(_ZIPPED), _ZIPPED),
    ),
    (
        b"POST /form?x=1 HTTP/1.1\r\nHost: a.b.c\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Dup: one\r\n"
        b"Transfer-Encoding: chunked\r\nX-Dup: two\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"
        + _chunked(b"name=alice+b%20c&num=1234&hex=0x1f"),
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nServer: a/1\r\nServer: b/2\r\n"
        b"Set-Cookie: x=1; path=/\r\nSet-Cookie: y=2\r\n\r\n" + _chunked(b"not found 404 nothing here 0017"),
    ),
    (
        b"HEAD /index.html HTTP/1.0\r\nUser-Agent:\r\nHost:noblank.example\r\n\r\n",
        b"HTTP/1.0 200\r\nContent-Length: 123\r\n\r\n",
    ),
    (
        b"PUT /%41%62c/./d%2e%2E/e;p=1?q=a+b&r=%u0041%zz HTTP/1.1\r\nHost: [::1]:8000\r\nContent-Length: 16\r\n"
        b"Accept: */*\r\n\r\n\x00\x01\x02\x03\x04\x00\x00\x11ABCD\xff\xfe\x00\x10",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n"
        b"Content-Length: 8\r\n\r\n\x10\x00\x20\x0000ff",
    ),
    (
        b"OPTIONS * HTTP/1.1\r\nHost: star.example.\r\nReferer: \r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    ),
]  # fmt: skip
OF_BOTH = (
    "http.header", "http.header.raw", "http.header_names", "http.connection", "http.content_type", "http.content_len",
    "http.cookie", "file_data",
)  # fmt: skip
OF_REQUESTS = (
    "http.uri", "http.uri.raw", "http.method", "http.protocol", "http.request_line", "http.host", "http.host.raw",
    "http.user_agent", "http.referer", "http.accept", "http.accept_enc", "http.accept_lang", "http.request_body",
)  # fmt: skip
OF_RESPONSES = (
    "http.response_line", "http.server", "http.location", "http.response_body", "http.stat_code", "http.stat_msg",
)  # fmt: skip
OLDER = (
    "http_uri", "http_raw_uri", "http_method", "http_header", "http_client_body", "http_cookie", "http_server_body",
    "http_stat_code", "http_stat_msg", "http_user_agent", "http_raw_host",
)  # fmt: skip
TRANSFORMS = ("dotprefix", "url_decode", "to_lowercase", "strip_whitespace", "compress_whitespace", "to_md5")


class Author:
    """Writes rules."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def rules(self, count: int) -> list[str]:
        return [
            f'alert http any any -> any any (msg:"{sid}"; {self._options()} sid:{sid}; rev:1;)'
            for sid in range(1, count + 1)
        ]

    def _options(self) -> str:
        chance, kind = self.chance, self.chance.random()
        if kind < 0.12:
            return f"{self._content(True)} {chance.choice(OLDER)};"
        if kind < 0.18:
            return f"urilen:{self._size()}{chance.choice(('', ',raw', ',norm'))}; http.uri; content:\"/\";"
        if kind < 0.24:
            letters = "".join(f"\\x{octet:02x}" for octet in self._octets(2))
            return f'pcre:"/{letters}/{chance.choice("UIPQCSYMVZ")}{chance.choice(("", "i"))}";'
        asked = chance.random() < 0.6
        buffers = (*OF_BOTH, *(OF_REQUESTS if asked else OF_RESPONSES))
        parts = ["" if chance.random() < 0.3 else f"flow:{'to_server' if asked else 'to_client'};"]
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            parts.append(f"{chance.choice(buffers)};")
            parts += [f"{chance.choice(TRANSFORMS)};"] if chance.random() < 0.12 else []
            parts += self._tests()
        return " ".join(parts)

    def _tests(self) -> list[str]:
        tests: list[str] = []
        for number in range(self.chance.choice((1, 1, 2, 2, 3))):
            if self.chance.random() < (0.84 if number == 0 else 0.68):
                tests.append(self._content(not any(test.startswith("content") for test in tests)))
            else:
                relative = any(test.startswith("content") for test in tests)
                tests.append(self._other(relative))
        return tests

    def _octets(self, size: int = 0) -> bytes:
        text = self.chance.choice(self.chance.choice(EXCHANGES))
        size = size or self.chance.choice((1, 1, 2, 2, 3, 4, 5, 8))
        at = self.chance.randrange(len(text) - size)
        return text[at : at + size].swapcase() if self.chance.random() < 0.15 else text[at : at + size]

    def _content(self, first: bool) -> str:
        chance, octets = self.chance, self._octets()
        negated, size = chance.random() < 0.15, len(octets)
        marked = "".join(chr(c) if 32 < c < 127 and chr(c) not in '|":;\\!' else f"|{c:02x}|" for c in octets)
        near, far = chance.randrange(12), chance.randrange(size, 30)
        places = [
            "", "", f"depth:{far};", f"offset:{near};", f"offset:{near}; depth:{far};", "startswith;",
            *(("endswith;", "fast_pattern;") if not negated else ()),
            *(() if first else (f"distance:{near - 5};", f"within:{far};", f"distance:{near - 5}; within:{far};")),
        ]  # fmt: skip
        nocase = " nocase;" if chance.random() < 0.3 else ""
        return f'content:{"!" if negated else ""}"{marked}";{nocase} {chance.choice(places)}'

    def _other(self, relative: bool) -> str:
        chance, kind = self.chance, self.chance.random()
        behind = chance.choice(("", ",relative")) if relative else ""
        negated = "!" if chance.random() < 0.2 else ""
        if kind < 0.25:
            text = re.escape(self._octets(chance.choice((1, 2, 3))).decode("latin-1"))
            text = "".join(c if " " <= c <= "~" and c not in '/";' else f"\\x{ord(c):02x}" for c in text)
            form = chance.choice(("%s", "^%s", "%s$", "%s.", "[^a]%s", "%s\\d+", "(?:%s|zz)", "%s.*?[0-9]", "\\b%s"))
            flags = "".join(flag for flag in ("ismR" if relative else "ism") if chance.random() < 0.25)
            return f'pcre:{negated}"/{form % text}/{flags}";'
        if kind < 0.5:
            return f"bsize:{self._size()};"
        if kind < 0.75:
            return f"isdataat:{negated}{chance.randrange(25)}{behind};"
        string = chance.random() < 0.6
        size = chance.choice((1, 2, 3, 4, 5) if string else (1, 2, 4))
        rest = f",string,{chance.choice(('dec', 'hex', 'oct'))}" if string else chance.choice(("", ",little", ",big"))
        operator = chance.choice(("<", ">", "=", "!<", "!>", "<=", ">=", "&", "^", "!", "!="))
        value, offset = chance.choice((16, 17, 404, 1, 65, 4660)), chance.randrange(-4 if behind else 0, 10)
        return f"byte_test:{size},{operator},{value},{offset}{behind}{rest};"

    def _size(self) -> str:
        low, high = self.chance.randrange(12), self.chance.randrange(14, 50)
        return self.chance.choice((str(high), f"<{high}", f">{low}", f"{low}<>{high}"))
