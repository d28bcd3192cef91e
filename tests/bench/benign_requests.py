#!/usr/bin/env python3
"""Benign API requests of many kinds, judged: in: a seed and how many; out: how many alerts they would raise, and which.

Run `python -m tests.bench.benign_requests [--requests N] [--seed S] [--show N]`. Names with apostrophes, prose in eight
languages, SQL words, code in forum posts, Markdown, filters, expressions, file names, tokens, GraphQL, forms. The law:
the same seed gives the same requests, and none of them is an attack.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.detection.injection.finding import STRONG, WEAK
from sensor.detection.injection.judge import judge
from sensor.detection.injection.values import request_values

FIRST = ["Anna", "Siobhán", "José", "Łukasz", "Müge", "Nguyễn", "François", "Zoë", "D'Arcy", "Jean-Luc", "Olga", "Þór", "Ahmed", "美咲", "민준", "Наталья", "Γιώργος"]
LAST = ["O'Brien", "O’Neill", "D'Angelo", "Müller-Lüdenscheidt", "van-der-Berg", "O'Shaughnessy", "N'Diaye", "Dell'Acqua", "Smith", "L'Estrange", "Иванов", "佐藤", "김", "Al-Masri", "St.John", "MacDonald", "O'Reilly-Jones", "Drop", "Union", "Grant", "Select", "Table", "Order", "Null", "True"]
PROSE = [
    "Please select a plan from the list and order by phone, or drop us a line when you have the time.",
    "I can't log in; where do I reset my password? It's been like this since Tuesday, and it isn't funny!",
    "The union of both tables was created by hand, and we'd like to update it, insert a note and delete the rest.",
    "Great product -- works as expected. 5/5; would buy again & again (not just once).",
    "Rock 'n' roll isn't dead; \"the best\" album of '94 or '95, if you ask me.",
    "We're having lunch at 12 or 1 = whichever suits you. Don't forget the drinks!",
    "Between 5 and 10 items were missing from order #4711, and 3 or 4 more were broken.",
    "He said: \"it's 10 > 9, isn't it?\" and she replied \"yes, 10 > 9 and 9 < 10\".",
    "If the switch is off, then turn it on; else call support. Case closed when the light is green.",
    "Je voudrais commander l'article n°5 ; c'est possible d'ici vendredi ? L'an dernier, j'ai dû attendre.",
    "Können Sie mir bitte sagen, wann die Lieferung kommt? Ich hab's eilig; danke & Grüße!",
    "¿Dónde está mi pedido? Hace 10 días que espero; ¡es increíble! (N.º 12345)",
    "Quand l'union fait la force: select, order et update sont des mots anglais.",
    "注文した商品がまだ届きません。いつ届きますか?(注文番号:12345)",
    "Пожалуйста, выберите тариф и напишите нам; мы ответим в течение дня.",
    "Proszę o fakturę za 'Usługę A'; termin: 14 dni.",
    "The script ran fine, then the alert (the red one) came on. Window seats only, document attached.",
    "Our system prompt reply was lost; ignore my previous message, I found the instructions in the box.",
    "The server at localhost:3000 shows nothing, but https://shop.example.com/help?id=5&lang=en works.",
    "50% off! 2+2=4, 3*3=9, a<b, c>d, x=y; {curly} [square] (round) ~tilde~ `tick` ^caret^ |pipe|",
    "Cats & dogs; mice | rats; find out more at the shop; make it so; who knows; time will tell.",
    "Where the sky is like glass or the sea is as blue as 1 of 2 pearls.",
    "Set the table, execute the plan, call the waiter and grant me a wish. Declare victory!",
]
CODE = [
    "How do I speed this up?\n\n```sql\nSELECT u.id, count(*) FROM users u JOIN orders o ON o.user_id = u.id WHERE o.total > 100 GROUP BY u.id\n```\n\nIt takes ten seconds on our server and I do not know why.",
    "My component does not render anything, please help me find out why:\n\n```html\n<div onclick=\"go()\"><script>alert(1)</script></div>\n```\n\nThanks a lot in advance to everyone here!",
    "Use `List<String>` or `Map<String, Integer>`; `a && b || c` is evaluated from left to right, as you can read in the manual.",
    "To restart the service on the box run `sudo systemctl restart nginx && tail -f /var/log/nginx/error.log` and wait until it is up again.",
    "Fixes #42: the query `DELETE FROM carts WHERE id = ?` was run twice when the user closed the window too early.",
    "# Release notes\n\n* fixed: *bold* and _italic_ text\n* see [the docs](https://docs.example.com/a/b?c=d#e)\n\n> quoted text, as it was sent\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "In the config I have set `{{ user.name }}` in the template, but it is shown as it is and not replaced by the name of the person.",
]
FILTERS = [
    '{"status":"open","sort":["-created"],"limit":20}', "status eq 'open' and total gt 100", "price>=10;price<=20", "tags:in:(red,blue)",
    "name like smith", "created>2026-01-01", "-created_at,+name", "(a OR b) AND NOT c", "title:\"annual report\" author:o'neil", "id,name,items(id,price)",
    '{"where":{"and":[{"price":{"gt":5}},{"stock":true}]}}', "2026-01-01..2026-02-01", "type=car&color=red", "$filter=total gt 5", "field[0]=a&field[1]=b",
]
ODD = [
    "*/5 * * * *", "0 0 12 ? * MON-FRI", "^[A-Za-z0-9._%+-]+@[a-z.-]+\\.[a-z]{2,}$", "(\\d{3})-(\\d{4})", "\\frac{a}{b} = \\sqrt{x^2 + y^2}",
    "E = mc^2", "f(x) = 3x + 2", "=SUM(A1:A10)", "=IF(B2>5,\"yes\",\"no\")", "C:\\Users\\anna\\Documents\\report (final).docx", "../img/logo.png", "./styles/main.css",
    "Invoice_2026-01 [copy].pdf", "résumé_März.docx", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==", "#ff8800", "rgba(0,0,0,.5)", "1.2.3-beta+build.5", "SKU#A-1093/XL",
    "+49 (30) 123-456", "10:30 - 11:45", "AT&T", "C++ / C# / F#", "Johnson & Johnson; Inc.", "Tom's Diner", "100% cotton", "3/4\" pipe", "5' 11\"", "T-Shirt 'Rock'", "a/b testing",
    "user@example.com", "O'Brien; Smith", "!important", "@anna see this", "~approx 5", "key: value", "yes/no", "N/A", "-", "--", "...", "?", "50°C", "x^2", "a|b", "<3", ":-)", "->", "=>",
    "SELECT", "Union Square", "Order 66", "drop-off", "Table for 2", "insert coin", "update me", "or", "and/or", "null", "undefined", "true", "/", "//", "http://", "1=1", "a=b",
]
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "okhttp/4.12.0", "python-requests/2.32.3", "PostmanRuntime/7.42.0", "axios/1.7.7", "Go-http-client/2.0", "curl/8.5.0", "Dalvik/2.1.0 (Linux; U; Android 14; SM-S918B Build/UP1A)",
    "Apache-HttpClient/5.3 (Java/21.0.1)", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
]


class Maker:
    """Requests, one after the other, as (head, body)."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self) -> str:
        chance, kind = self.chance, self.chance.random()
        if kind < 0.25:
            return f"{chance.choice(FIRST)} {chance.choice(LAST)}"
        if kind < 0.55:
            return " ".join(chance.sample(PROSE, chance.randint(1, 3)))
        if kind < 0.62:
            return chance.choice(CODE)
        if kind < 0.72:
            return chance.choice(FILTERS)
        if kind < 0.86:
            return chance.choice(ODD)
        return self.token()

    def token(self) -> str:
        chance = self.chance
        octets = chance.randbytes(chance.randint(6, 40))
        return chance.choice(
            (
                base64.b64encode(octets).decode(), base64.urlsafe_b64encode(octets).decode().rstrip("="), octets.hex(),
                base64.b64encode(json.dumps({"id": chance.randrange(10**6), "after": "2026-01-01"}).encode()).decode(),
                "".join(chance.choices(string.ascii_letters + string.digits, k=22)), f"{chance.getrandbits(128):032x}",
            )
        )  # fmt: skip

    def body(self) -> tuple[str, bytes]:
        chance, kind = self.chance, self.chance.random()
        fields = {name: self.text() for name in chance.sample(["name", "comment", "title", "note", "query", "filter", "file", "address", "tags"], 3)}
        if kind < 0.6:
            nested = {"id": chance.randrange(10**6), "active": True, "user": fields, "items": [self.text() for _ in range(chance.randint(0, 3))]}
            return "application/json", json.dumps(nested, ensure_ascii=chance.random() < 0.5).encode()
        if kind < 0.75:
            return "application/x-www-form-urlencoded", urlencode(fields).encode()
        if kind < 0.85:
            query = "query Orders($first: Int!, $after: String) { orders(first: $first, after: $after) { edges { node { id total } } pageInfo { hasNextPage } } }"
            return "application/json", json.dumps({"operationName": "Orders", "query": query, "variables": {"first": 20, "after": self.token(), "search": self.text()}}).encode()
        if kind < 0.93:
            parts = "".join(f'--b0und\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
            return "multipart/form-data; boundary=b0und", (parts + "--b0und--\r\n").encode()
        xml = "".join(f"<{name}>{value.replace('&', '&amp;').replace('<', '&lt;')}</{name}>" for name, value in fields.items())
        return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?><order>{xml}</order>'.encode()

    def request(self) -> tuple[bytes, bytes]:
        chance = self.chance
        path = chance.choice(("/api/v1/search", "/api/v2/orders/{}", "/users/{}/profile", "/files/{}", "/graphql", "/forum/posts", "/api/products"))
        target = path.format(quote(chance.choice((str(chance.randrange(10**6)), self.token(), "report (1).pdf", "O'Brien", "a b"))))
        if chance.random() < 0.6:
            how = chance.choice((quote, quote_plus))
            pairs = [f"{name}={how(self.text())}" for name in chance.sample(["q", "search", "filter", "sort", "redirect", "cursor", "name"], chance.randint(1, 3))]
            if chance.random() < 0.1:
                pairs.append("next=" + quote("https://shop.example.com/cart?x=1&y=2", safe=""))
            target += "?" + "&".join(pairs)
        lines = [f"Host: api.example.com\r\nUser-Agent: {chance.choice(AGENTS)}", "Accept: */*", f"Cookie: sid={self.token()}; theme=dark; _ga=GA1.2.{chance.randrange(10**9)}.1"]
        body = b""
        if chance.random() < 0.5:
            kind, body = self.body()
            lines.append(f"Content-Type: {kind}")
        if chance.random() < 0.3:
            lines.append("Referer: https://www.example.com/search?q=" + quote(self.text()))
        head = f"{'POST' if body else 'GET'} {target} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"
        return head.encode(), body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=20)
    given = parser.parse_args()
    maker, low, medium, kinds, shown = Maker(given.seed), 0, 0, Counter[str](), 0
    verdicts: dict[tuple[str, bool], tuple[int, str, str]] = {}
    begun = time.process_time()
    for _ in range(given.requests):
        worst = (0, "", "")
        for value in request_values(*maker.request()):
            key = value.text, value.form
            if key not in verdicts:
                found = judge(value.text, value.form)
                verdicts[key] = (found[0].points, found[0].kind, found[0].evidence) if found else (0, "", "")
                if len(verdicts) > 500_000:
                    verdicts.clear()
            if key in verdicts and verdicts[key][0] > worst[0]:
                worst, text = verdicts[key], value.text
        if worst[0] >= WEAK:
            low, medium, kinds[worst[1]] = low + (worst[0] < STRONG), medium + (worst[0] >= STRONG), kinds[worst[1]] + 1
            if shown < given.show:
                shown += 1
                print(worst, repr(text[:160]))
    spent = time.process_time() - begun
    print(f"{given.requests} requests, {medium} at medium, {low} at low ({low / given.requests * 1e4:.2f} in 10,000)")
    print(f"by kind: {dict(kinds)}; {spent / given.requests * 1e6:.0f} us a request")


if __name__ == "__main__":
    main()
