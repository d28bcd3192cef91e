"""`tapir feeds update`: over HTTP and from files, checked, and the last good feed stays whatever comes after it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sensor.config import FeedSettings, ThreatIntelSettings
from sensor.errors import SettingError, StateError
from sensor.intel.compiled import Status
from sensor.intel.matcher import Matcher
from sensor.intel.update import update

NOW = 1_795_250_000.0
DAY = 86_400.0


class Server(ThreadingHTTPServer):
    """Pages by path: bytes, or a status; `asked` are the requests' paths and headers."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int] = {}
        self.redirects: dict[str, str] = {}
        self.lengths: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        page = self.server.pages.get(self.path, 404)
        tag = hashlib.sha256(page).hexdigest() if isinstance(page, bytes) else ""
        status = page if isinstance(page, int) else 304 if self.headers.get("If-None-Match") == tag else 200
        self.send_response(status)
        if isinstance(page, bytes):
            self.send_header("ETag", tag)
        if self.path in self.server.redirects:
            self.send_header("Location", self.server.redirects[self.path])
        if self.path in self.server.lengths:
            self.send_header("Content-Length", str(self.server.lengths[self.path]))
        self.end_headers()
        if isinstance(page, bytes) and status == 200:
            self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join(10)


def settings(folder: Path, server: Server, path: str = "/list", **given: Any) -> ThreatIntelSettings:
    feed = FeedSettings(name="list", url=server.address + path, **given)
    return ThreatIntelSettings(folder=str(folder), feeds=(feed,), bytes_max=1 << 20, timeout_seconds=5)


def knows(folder: Path, address: str = "45.9.8.7") -> bool:
    return bool(Matcher.of_folder(folder).host(address, NOW))


def one(found: list[Status]) -> Status:
    (status,) = found
    return status


def test_fetched_kept_and_not_again_before_it_is_due(tmp_path: Path, server: Server) -> None:
    server.pages["/list"] = b"45.9.8.7\n10.0.0.1\n"
    status = one(update(settings(tmp_path, server), NOW))
    assert (status.entries, status.error, status.trust, status.updated) == (1, "", "nothing", NOW)
    assert status.skipped == {"private, local or reserved addresses": 1}
    assert knows(tmp_path)
    assert update(settings(tmp_path, server), NOW + 60) == []
    assert one(update(settings(tmp_path, server), NOW + DAY)).updated == NOW + DAY
    assert [headers.get("If-None-Match") is not None for _, headers in server.asked] == [False, True]
    assert knows(tmp_path)


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (500, "the server answers 500"),
        (b"<html>maintenance</html>", "a web page, not a feed"),
        (b"# nothing\n", "no entry can be used"),
        (b"45.9.8.8\n", "1 entries where there were 40: refused"),
        (b"\x1f\x8bbroken", "not gzip as it says"),
        (gzip.compress(b"\0" * (2 << 20)), "larger than 1048576 bytes"),
    ],
)
def test_the_last_good_one_stays(tmp_path: Path, server: Server, page: bytes | int, told: str) -> None:
    server.pages["/list"] = "\n".join(f"45.9.8.{n}" for n in range(40)).encode()
    update(settings(tmp_path, server), NOW)
    server.pages["/list"] = page
    for failures in (1, 2):
        status = one(update(settings(tmp_path, server), NOW + DAY * failures))
        assert told in status.error
        assert (status.failures, status.entries, status.updated) == (failures, 40, NOW)
    assert knows(tmp_path)
    server.pages["/list"] = b"\n".join(b"45.9.8.%d" % n for n in range(39))
    assert one(update(settings(tmp_path, server), NOW + DAY * 2 + 1)).error == ""  # a failed one is due at once


def test_entries_do_not_expire_while_the_server_says_that_nothing_changed(tmp_path: Path, server: Server) -> None:
    server.pages["/list"] = b"45.9.8.7\n"
    given = settings(tmp_path, server, expire_seconds=30 * DAY)
    for day in range(60):
        assert one(update(given, NOW + DAY * day)).error == ""
    assert Matcher.of_folder(tmp_path).host("45.9.8.7", NOW + 61 * DAY)
    asked = [headers.get("If-None-Match") is None for _, headers in server.asked]
    assert sum(asked) <= 5


def test_a_feed_that_is_to_be_read_otherwise_is_fetched_anew(tmp_path: Path, server: Server) -> None:
    server.pages["/list"] = b"10.0.0.1\n45.9.8.7\n"
    assert one(update(settings(tmp_path, server), NOW)).entries == 1
    assert one(update(settings(tmp_path, server, special_addresses=True), NOW + DAY)).entries == 2


def test_keys_do_not_follow_to_another_server_and_what_ends_early_is_refused(tmp_path: Path, server: Server) -> None:
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        other.pages["/there"] = b"45.9.8.7\n"
        server.redirects = {"/list": other.address + "/there", "/near": "/far"}
        server.pages |= {"/list": 302, "/near": 301, "/far": b"45.9.8.7\n"}
        keys = {"Authorization": "secret", "X-Api-Key": "secret"}
        assert one(update(settings(tmp_path, server, headers=keys), NOW)).error == ""
        assert one(update(settings(tmp_path / "b", server, "/near", headers=keys), NOW)).error == ""
        other.shutdown()
        thread.join(10)
    assert "secret" not in str(other.asked)
    assert "secret" in str(server.asked[-1])
    server.lengths = {"/far": 50}
    told = one(update(settings(tmp_path / "c", server, "/far"), NOW)).error
    assert "ended after 9 of 50 bytes" in told


def test_files_of_others_in_the_folder_stay(tmp_path: Path, server: Server) -> None:
    server.pages["/list"] = b"45.9.8.7\n"
    for name in ("own.json", "arrays.npz", "x.json"):
        (tmp_path / name).write_text('{"name": "own settings"}')
    update(settings(tmp_path, server), NOW)
    assert {"own.json", "arrays.npz", "x.json"} <= {path.name for path in tmp_path.iterdir()}


def test_packed_feeds_and_keys_from_the_environment(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/list?key=s3cret"] = gzip.compress(b"45.9.8.7\n")
    given = settings(tmp_path, server, "/list?key=${FEED_KEY}", headers={"X-Key": "${FEED_KEY}"})
    failed = one(update(given, NOW))
    assert failed.error == "url: ${FEED_KEY} is not in the environment"
    monkeypatch.setenv("FEED_KEY", "s3cret")
    assert one(update(given, NOW)).entries == 1
    assert server.asked[-1][1]["X-Key"] == "s3cret"
    assert "s3cret" not in (tmp_path / "list.json").read_text()


def test_checksums(tmp_path: Path, server: Server) -> None:
    server.pages["/list"] = b"45.9.8.7\n"
    given = settings(tmp_path, server, checksum_url=server.address + "/sum")
    server.pages["/sum"] = hashlib.sha256(b"45.9.8.7\n").hexdigest().encode() + b"  list\n"
    assert one(update(given, NOW)).trust == "checksum"
    server.pages["/list"] = b"45.9.8.8\n"
    assert "another SHA-256" in one(update(given, NOW, force=True)).error
    server.pages["/sum"] = b"nothing"
    assert "no SHA-256" in one(update(given, NOW, force=True)).error
    assert knows(tmp_path)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
LIST = b"45.9.8.7\n"


def minisign(octets: bytes, prehashed: bool = True) -> bytes:
    """As minisign writes a signature (the trusted comment is not looked at)."""
    message = hashlib.blake2b(octets, digest_size=64).digest() if prehashed else octets
    body = (b"ED" if prehashed else b"Ed") + b"12345678" + KEY.sign(message)
    return b"untrusted comment: x\n" + base64.b64encode(body) + b"\ntrusted comment: y\n" + base64.b64encode(b"z")


MINISIGN_KEY = base64.b64encode(b"Ed12345678" + PUBLIC).decode()
PLAIN_KEY = base64.b64encode(PUBLIC).decode()


@pytest.mark.parametrize(
    ("signature", "key"),
    [
        (KEY.sign(LIST), PLAIN_KEY),
        (base64.b64encode(KEY.sign(LIST)), PLAIN_KEY),
        (minisign(LIST), MINISIGN_KEY),
        (minisign(LIST, prehashed=False), MINISIGN_KEY),
    ],
)
def test_signatures(tmp_path: Path, server: Server, signature: bytes, key: str) -> None:
    server.pages |= {"/list": LIST, "/sig": signature}
    given = settings(tmp_path, server, signature_url=server.address + "/sig", public_key=key)
    assert one(update(given, NOW)).trust == "signature"
    server.pages["/list"] = b"45.9.8.8\n"
    assert "does not fit" in one(update(given, NOW, force=True)).error


@pytest.mark.parametrize(
    ("signature", "key", "told"),
    [
        (b"short", PLAIN_KEY, "expected one of minisign, or 64 bytes"),
        (KEY.sign(LIST), "AAAA", "expected a key of minisign"),
        (minisign(LIST), base64.b64encode(b"Ed87654321" + PUBLIC).decode(), "made with another key"),
    ],
)
def test_signatures_that_are_none(tmp_path: Path, server: Server, signature: bytes, key: str, told: str) -> None:
    server.pages |= {"/list": LIST, "/sig": signature}
    given = settings(tmp_path, server, signature_url=server.address + "/sig", public_key=key)
    assert told in one(update(given, NOW)).error


def test_files_and_feeds_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("45.9.8.7\n")
    folder = tmp_path / "feeds"
    feeds = tuple(FeedSettings(name=name, url=f"file://{tmp_path}/own.txt") for name in ("one", "two"))
    assert {status.trust for status in update(ThreatIntelSettings(folder=str(folder), feeds=feeds), NOW)} == {"file"}
    update(ThreatIntelSettings(folder=str(folder), feeds=feeds[:1]), NOW)
    assert sorted(path.name for path in folder.iterdir()) == ["one.json", "one.npz"]


def test_settings_that_cannot_work(tmp_path: Path, server: Server) -> None:
    with pytest.raises(SettingError, match="folder: empty"):
        update(ThreatIntelSettings(), NOW)
    with pytest.raises(SettingError, match="no feed is called other"):
        update(settings(tmp_path, server), NOW, ["other"])
    feed = FeedSettings(name="a", url="ftp://x/y")
    assert "expected https" in one(update(ThreatIntelSettings(folder=str(tmp_path), feeds=(feed,)), NOW)).error


def test_a_file_that_is_no_feed_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "a"}')
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(StateError, match="not a feed as"):
        Matcher.of_folder(tmp_path)
