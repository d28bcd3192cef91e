"""A rule for each keyword, on the conversations below: its options, and which of them it matches.

The same table is given to Suricata where it is installed. The one law: each keyword has a case that matches and one
that does not.
"""

from __future__ import annotations

TALKS: list[tuple[bytes, bytes]] = [
    (  # 0
        b"GET /shop/Items%2Flist?id=42&q=Hello%20World HTTP/1.1\r\nHost: Shop.Example:8080\r\n"
        b"User-Agent: Probe/1.0\r\n"
        b"Accept: text/html\r\n"
        b"Referer: http://a.example/x\r\nCookie: sid=abcdef; lang=en\r\nX-Num: 00017\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nSet-Cookie: seen=1\r\n"
        b"Content-Length: 20\r\n\r\n"
        b"<html>welcome</html>",
    ),
    (  # 1
        b"POST /login HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8.5.0\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 38\r\n\r\n" + b'{"user":"alice","password":"tr0ub4dor"}'[:38],
        b"HTTP/1.1 403 Forbidden\r\nServer: Apache\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n"
        b"access denied!",
    ),
    (  # 2
        b"GET /a/../b//c?x=%3Cscript%3E HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://example.com/next\r\nContent-Length: 0\r\n\r\n",
    ),
]  # fmt: skip

CASES: list[tuple[str, str, set[int]]] = [
    ("content", 'http.uri; content:"list";', {0}),
    ("nocase", 'http.uri; content:"ITEMS"; nocase;', {0}),
    ("case matters", 'http.uri; content:"ITEMS";', set()),
    ("hex", 'http.request_body; content:"|7b 22|user|22|";', {1}),
    ("negation", 'http.method; content:"GET"; http.uri; content:!"script";', {0}),
    ("depth", 'http.uri; content:"shop"; depth:5;', {0}),
    ("depth too small", 'http.uri; content:"shop"; depth:4;', set()),
    ("offset", 'http.uri; content:"list"; offset:12;', {0}),
    ("offset too large", 'http.uri; content:"shop"; offset:2;', set()),
    ("offset and depth", 'http.uri; content:"hop"; offset:2; depth:3;', {0}),
    ("distance", 'http.uri; content:"id="; content:"q="; distance:3;', {0}),
    ("distance too large", 'http.uri; content:"id="; content:"q="; distance:4;', set()),
    ("within", 'http.uri; content:"id="; content:"42"; within:2;', {0}),
    ("within too small", 'http.uri; content:"id="; content:"q="; within:4;', set()),
    ("distance and within", 'http.uri; content:"id="; content:"q="; distance:1; within:4;', {0}),
    ("each place is tried", 'http.request_body; content:"s"; content:"or"; distance:5; within:12;', {1}),
    ("startswith", 'http.uri; content:"/login"; startswith;', {1}),
    ("startswith fails", 'http.uri; content:"login"; startswith;', set()),
    ("endswith", 'http.uri; content:"World"; endswith;', {0}),
    ("endswith fails", 'http.uri; content:"Worl"; endswith;', set()),
    ("fast_pattern", 'http.uri; content:"/"; content:"id="; fast_pattern;', {0}),
    ("pcre", 'http.uri; pcre:"/id=\\d+/";', {0}),
    ("pcre i", 'http.uri; pcre:"/ITEMS/i";', {0}),
    ("pcre U", 'pcre:"/items/Ui";', {0}),
    ("pcre R", 'http.uri; content:"id="; pcre:"/^\\d\\d&/R";', {0}),
    ("pcre negated", 'http.uri; content:"/"; pcre:!"/login|script/";', {0}),
    ("bsize", 'http.method; bsize:4; content:"P";', {1}),
    ("bsize range", 'http.uri; content:"/login"; bsize:5<>7;', {1}),
    ("bsize fails", 'http.uri; content:"/login"; bsize:<6;', set()),
    ("urilen", 'urilen:6; http.method; content:"POST";', {1}),
    ("urilen range", 'urilen:5<>8; http.uri; content:"/";', {1}),
    ("isdataat", 'http.request_body; content:"alice"; isdataat:10,relative;', {1}),
    ("isdataat fails", 'http.request_body; content:"alice"; isdataat:60,relative;', set()),
    ("isdataat negated", 'http.uri; content:"/login"; isdataat:!1,relative;', {1}),
    ("byte_test", 'http.header; content:"X-Num: "; byte_test:5,>,16,0,relative,string,dec;', {0}),
    ("byte_test fails", 'http.header; content:"X-Num: "; byte_test:5,>,17,0,relative,string,dec;', set()),
    ("http.uri.raw", 'http.uri.raw; content:"%2Flist";', {0}),
    ("http.uri is decoded", 'http.uri; content:"<script>";', {2}),
    ("http.uri is normalised", 'http.uri; content:"/b/c"; startswith;', {2}),
    ("http.method", 'http.method; content:"POST";', {1}),
    ("http.host", 'http.host; content:"shop.example"; bsize:12;', {1}),
    ("http.host.raw", 'http.host.raw; content:"Shop";', {0}),
    ("uricontent", 'uricontent:"items/"; nocase; uricontent:"q=hello"; nocase; distance:0;', {0}),
    ("byte_test without a length", "http.content_len; byte_test:0,>,20,0,string,dec;", {1}),
    ("http.request_header", 'http.request_header; content:"Host|3a 20|s"; startswith; content:"ple"; endswith;', {1}),
    ("http.request_header apart", 'http.request_header; content:"Host"; content:"curl"; distance:0;', set()),
    ("http.response_header", 'http.response_header; content:"Server|3a 20|"; content:"nginx"; endswith;', {0}),
    ("http.header", 'http.header; content:"X-Num|3a 20|00017";', {0}),
    ("http.header without cookie", 'http.header; content:"sid=";', set()),
    ("http.header.raw", 'flow:to_server; http.header.raw; content:"User-Agent: curl";', {1}),
    ("http.header_names", 'http.header_names; content:"|0d 0a|X-Num|0d 0a|";', {0}),
    ("http.user_agent", 'http.user_agent; content:"curl/"; startswith;', {1}),
    ("http.referer", 'http.referer; content:"a.example";', {0}),
    ("http.accept", 'http.accept; content:"text/html";', {0}),
    ("http.content_type", 'flow:to_server; http.content_type; content:"json";', {1}),
    ("http.content_len", 'flow:to_server; http.content_len; content:"38";', {1}),
    ("http.cookie", 'http.cookie; content:"sid=abc";', {0}),
    ("http.cookie of the answer", 'flow:to_client; http.cookie; content:"seen=1";', {0}),
    ("http.request_body", 'http.request_body; content:"alice";', {1}),
    ("http.response_body", 'http.response_body; content:"welcome";', {0}),
    ("file_data", 'flow:to_client; file_data; content:"denied";', {1}),
    ("file.data", 'flow:to_client; file.data; content:"denied";', {1}),
    ("http.stat_code", 'http.stat_code; content:"403";', {1}),
    ("http.stat_msg", 'http.stat_msg; content:"Found";', {2}),
    ("http.server", 'http.server; content:"nginx";', {0}),
    ("http.location", 'http.location; content:"/next";', {2}),
    ("http.request_line", 'http.request_line; content:"POST /login HTTP/1.1"; bsize:20;', {1}),
    ("http.response_line", 'http.response_line; content:"HTTP/1.1 302"; startswith;', {2}),
    ("http.protocol", 'http.protocol; content:"HTTP/1.1"; http.uri; content:"/login";', {1}),
    ("http_uri", 'content:"/login"; http_uri;', {1}),
    ("http_method", 'content:"POST"; http_method;', {1}),
    ("http_header", 'content:"curl"; http_header;', {1}),
    ("http_client_body", 'content:"alice"; http_client_body;', {1}),
    ("http_cookie", 'content:"lang=en"; http_cookie;', {0}),
    ("http_user_agent", 'content:"Probe"; http_user_agent;', {0}),
    ("http_host", 'content:"example.com"; http_host;', {2}),
    ("http_stat_code", 'content:"302"; http_stat_code;', {2}),
    ("http_raw_uri", 'content:"%2F"; http_raw_uri;', {0}),
    ("dotprefix", 'http.host; dotprefix; content:".shop.example"; endswith;', {1}),
    ("url_decode", 'http.uri.raw; url_decode; content:"Hello World";', {0}),
    ("to_lowercase", 'http.uri; to_lowercase; content:"/shop/items";', {0}),
    ("to_uppercase", 'http.uri; to_uppercase; content:"/LOGIN";', {1}),
    ("strip_whitespace", 'http.uri; strip_whitespace; content:"HelloWorld";', {0}),
    ("compress_whitespace", 'http.uri; compress_whitespace; content:"Hello World";', {0}),
    ("to_md5", 'http.method; to_md5; content:"|75 28 03 5a|";', {0, 2}),
    ("flow", 'flow:established,to_server; http.uri; content:"/login";', {1}),
    ("two buffers", 'http.method; content:"POST"; http.request_body; content:"password";', {1}),
    ("threshold", 'http.uri; content:"/"; threshold:type limit, track by_rule, count 1, seconds 60;', {0}),
    ("detection_filter", 'http.uri; content:"/"; detection_filter:track by_dst, count 2, seconds 60;', {2}),
]  # fmt: skip
"""Name, options, numbers of the conversations that match."""
