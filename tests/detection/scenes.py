"""Made-up minutes of an API, as packets: in: a seed and a pace; out: what a mirror shows, and who attacks.

Two dozen people log in (some mistype, six sit behind one address), list their orders, read some, guess one now and
then, search and buy; somebody's telephone changes networks, a monitor asks how things are. Into this each scene puts
one attack. The one law: a seed gives the same packets, and nothing in them was made to fit a threshold.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.traffic import ACK, MS, RST, SECOND, START, SYN, Packet, Talk

ATTACKER = "198.51.100.66"
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/129.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "ShopApp/5.12 (Android 14; Pixel 8) okhttp/4.12.0",
)
REASONS = {200: "OK", 201: "Created", 401: "Unauthorized", 404: "Not Found"}


def answer(body: Any, status: int = 200) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    return head.encode() + b"\r\n\r\n" + content


@dataclass
class Site:
    """`ask` and `login` add one connection each, `seconds` after the start, times `pace`."""

    seed: int
    pace: float = 1.0
    packets: list[Packet] = field(default_factory=list)
    server: str = "10.20.0.5"

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.connections = 0

    def at(self, seconds: float) -> int:
        return START + round(seconds * self.pace * SECOND)

    def token(self, who: int) -> str:
        return f"{random.Random(1_000 * self.seed + who).getrandbits(128):032x}"

    def ask(
        self, seconds: float, client: str, target: str, answered: bytes, who: int = -1, body: bytes = b"",
        agent: str = AGENTS[0],
    ) -> None:  # fmt: skip
        self.connections += 1
        lines = [f"{'POST' if body else 'GET'} {target} HTTP/1.1", "Host: api.shop.test", f"User-Agent: {agent}"]
        lines += [f"Authorization: Bearer {self.token(who)}"] if who >= 0 else []
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
        talk = Talk(
            source=client, source_port=20_000 + self.connections % 40_000, target=self.server, start=self.at(seconds),
            isn=(self.random.randrange(1 << 31), self.random.randrange(1 << 31)),
        )  # fmt: skip
        talk.open().client("\r\n".join([*lines, "", ""]).encode() + body).pause(self.random.randrange(2, 30) * MS)
        self.packets += talk.server(answered).close().packets

    def login(self, seconds: float, client: str, name: str, who: int = -1, agent: str = AGENTS[0]) -> None:
        """As `who`, or in vain."""
        length = self.random.choice([4, 5, 6, 6, 7, 7, 7, 8, 8, 9, 10, 11])
        word = "".join(self.random.choices("abcdefgh", k=length))
        body = json.dumps({"username": name, "password": word}).encode()
        answered = answer({"token": self.token(who)}) if who >= 0 else answer({"error": "invalid credentials"}, 401)
        self.ask(seconds, client, "/api/v1/login", answered, body=body, agent=agent)

    def day(self, span: float = 600, people: int = 24) -> Site:
        """Everybody who is no attacker."""
        for who in range(people):
            self._person(who, span)
        for turn in range(20):
            client = "10.1.50.1" if turn < 10 else "100.64.3.9"
            self.ask(20 + turn * span / 25, client, "/api/v1/orders?page=1", answer([]), 500, agent=AGENTS[1])
        for turn in range(int(span / 10)):
            self.ask(10 * turn, "10.1.99.1", "/healthz", answer("ok"), agent="kube-probe/1.29")
        return self

    def _person(self, who: int, span: float) -> None:
        chance, client, agent = self.random, f"10.1.1.{10 + who}" if who >= 6 else "10.1.9.9", AGENTS[who % 3]
        now = chance.uniform(0, span / 5)
        for _ in range(chance.choice([0, 0, 0, 1, 2])):
            self.login(now, client, f"user{who}", agent=agent)
            now += chance.uniform(3, 9)
        self.login(now, client, f"user{who}", who, agent)
        mine = [10_000 + 37 * who + number for number in range(chance.randrange(4, 12))]
        listed = answer([{"id": number, "total": 7} for number in mine])
        while (now := now + chance.expovariate(1 / 20)) < span:
            kind = chance.random()
            if kind < 0.3:
                self.ask(now, client, "/api/v1/orders?page=1", listed, who, agent=agent)
            elif kind < 0.8:
                self.ask(now, client, f"/api/v1/orders/{chance.choice(mine)}", answer({"total": 5}), who, agent=agent)
            elif kind < 0.83:
                missing = f"/api/v1/orders/{chance.randrange(90_000)}"
                self.ask(now, client, missing, answer({"error": "none"}, 404), who, agent=agent)
            elif kind < 0.93:
                self.ask(now, client, "/api/v1/products?q=lamp", answer([{"sku": "p7"}] * 20), who, agent=agent)
            else:
                self.ask(now, client, "/api/v1/orders", answer({"id": 50_123}, 201), who, b'{"sku":"p7"}', agent)


Scene = Callable[[Site], None]


def nothing(site: Site) -> None:
    """Only work: an agent who opens a ticket now and then, and a page that opens all of what a list named."""
    site.day(1_800, 40)
    for turn in range(60):
        number = site.random.randrange(10_000, 11_000)
        site.ask(20 + 25 * turn, "10.1.70.1", f"/api/v1/orders/{number}", answer({"total": 5}), 800)
    for turn in range(4):
        numbers = [site.random.randrange(10_000, 11_000) for _ in range(50)]
        listed = answer([{"id": number} for number in numbers])
        site.ask(100 + 300 * turn, "10.1.70.2", "/api/v1/orders?all=1", listed, 801)
        for place, number in enumerate(numbers):
            seconds = 101 + 300 * turn + place / 10
            site.ask(seconds, "10.1.70.2", f"/api/v1/orders/{number}", answer({"total": 5}), 801)


def slow_scan(site: Site) -> None:
    """One probe a minute, any port of any host, half of them without an answer."""
    site.day(600, 12)
    for minute in range(300):
        host, port = f"10.20.0.{site.random.randrange(1, 60)}", site.random.randrange(1, 1_024)
        begun, source = site.at(60 * minute + site.random.uniform(0, 20)), site.random.randrange(20_000, 60_000)
        site.packets.append(Packet(begun, ATTACKER, source, host, port, SYN, 7, 0))
        if site.random.random() < 0.5:
            site.packets.append(Packet(begun + MS, host, port, ATTACKER, source, RST | ACK, 0, 8))


def spraying(site: Site) -> None:
    site.day()
    for turn in range(40):
        site.login(100 + 6 * turn, ATTACKER, f"user{site.random.randrange(9_000)}")


def slow_spraying(site: Site) -> None:
    """One account in five minutes."""
    site.day()
    for turn in range(60):
        site.login(60 + 300 * turn, ATTACKER, f"user{site.random.randrange(9_000)}")


def stuffing(site: Site) -> None:
    """A list of credentials, two of which fit."""
    site.day()
    for turn in range(80):
        site.login(100 + 3 * turn, ATTACKER, f"user{100 + turn}", 700 + turn if turn in (41, 66) else -1)


def slow_guessing(site: Site) -> None:
    """One account, a password in 35 seconds."""
    site.day()
    for turn in range(100):
        site.login(100 + 35 * turn, ATTACKER, "ceo")


def random_ids(site: Site) -> None:
    """Other people's orders in any order, all of them there, with a token that names no role."""
    site.day()
    site.login(100, ATTACKER, "mallory", 900)
    for turn in range(300):
        number = site.random.randrange(10_000, 11_000)
        site.ask(110 + 0.3 * turn, ATTACKER, f"/api/v1/orders/{number}", answer({"total": 3}), 900)


def guessed_ids(site: Site) -> None:
    """The same, but most of them are not there, and slower."""
    site.day()
    site.login(100, ATTACKER, "mallory", 900)
    for turn in range(300):
        status = 200 if site.random.random() < 0.4 else 404
        number = site.random.randrange(10_000, 12_000)
        site.ask(110 + 1.5 * turn, ATTACKER, f"/api/v1/orders/{number}", answer({}, status), 900)


def replayed_token(site: Site) -> None:
    """User 9 works on; somebody else has the token too."""
    site.day()
    for turn in range(30):
        listed = "/api/v1/orders?page=1"
        site.ask(300 + 8 * turn, ATTACKER, listed, answer([]), 9, agent="curl/8.5.0")


SCENES: dict[Scene, set[str]] = {
    nothing: set(), slow_scan: {"port-scan-slow"}, spraying: {"password-spraying"},
    slow_spraying: {"password-spraying"}, stuffing: {"password-spraying"}, slow_guessing: {"brute-force-slow"},
    random_ids: {"object-enumeration"}, guessed_ids: {"object-enumeration"}, replayed_token: {"token-shared"},
}  # fmt: skip
"""What has to be said of each."""
