"""All feeds of a folder, to be asked: in: addresses, hosts, URLs, user agents, fingerprints; out: entries of feeds.

Detectors ask it of what passes, and searches may ask it of what is stored. The one law: an entry that has expired by
the time that is asked about is not there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.intel.compiled import KINDS, TEXT, Compiled, Status, read, read_status, text_hash
from sensor.intel.indicator import Kind, url_spelling
from sensor.intel.networks import NETWORK4, NETWORK6, Networks

_LABELS_MAX = 12
_SEGMENTS_MAX = 12


class Hit(NamedTuple):
    """An entry of a feed; `expires` seconds since 1970, 0 for never."""

    feed: str
    kind: Kind
    value: str
    confidence: float
    expires: int
    note: str


class Matcher:
    """`statuses` of its feeds, by name."""

    def __init__(self, feeds: Sequence[tuple[Status, Compiled]] = (), statuses: Sequence[Status] = ()) -> None:
        self.statuses = {status.name: status for status in (*statuses, *(status for status, _ in feeds))}
        self._feeds = [status for status, _ in feeds]
        self._notes = [feed.notes for _, feed in feeds]
        self.networks = Networks(
            _joined([feed.four for _, feed in feeds], NETWORK4), _joined([feed.six for _, feed in feeds], NETWORK6)
        )
        texts = _joined([feed.texts for _, feed in feeds], TEXT)
        self._texts = texts[np.argsort(texts["hash"], kind="stable")]
        self._hashes = np.ascontiguousarray(self._texts["hash"])
        self._blobs = [feed.blob.tobytes() for _, feed in feeds]
        self.kinds = frozenset(KINDS[kind] for kind in np.unique(texts["kind"]).tolist())
        agents = self._texts[self._texts["kind"] == KINDS.index(Kind.USER_AGENT)]
        self._wild = [(re.compile(_pattern(text), re.IGNORECASE | re.DOTALL), row)
                      for row in agents if "*" in (text := self._value(row))]  # fmt: skip
        urls = self._texts[self._texts["kind"] == KINDS.index(Kind.URL)]
        self._url_hosts = frozenset(self._value(row).partition("/")[0] for row in urls)

    @classmethod
    def of_folder(cls, folder: Path) -> Matcher:
        """StateError when a file there cannot be read."""
        statuses = [read_status(path) for path in sorted(folder.glob("*.json"))]
        feeds = [
            (status, read(path)) for status in statuses if (path := folder / f"{status.name}.npz").exists()
        ]
        return cls(feeds, statuses)

    def __len__(self) -> int:
        return len(self.networks) + len(self._texts)

    @property
    def asks_hosts(self) -> bool:
        return bool(self.kinds & {Kind.DOMAIN, Kind.HOSTNAME, Kind.URL}) or len(self.networks) > 0

    def address(self, hi: int, lo: int, now: float) -> list[Hit]:
        """Networks that an address lies in, the narrowest first; 128 bits in two, IPv4 as ::ffff:a.b.c.d."""
        return self._alive(self.networks.around(hi, lo)[::-1], now)

    def host(self, host: str, now: float) -> list[Hit]:
        """Names of a Host header or SNI: the name, those above it, and addresses."""
        name = host.lower().rstrip(".")
        try:
            ip = ipaddress.ip_address(name.strip("[]") if name.startswith("[") else name)
        except ValueError:
            found = self._of(Kind.HOSTNAME, name, now)
            parts = name.split(".")[-_LABELS_MAX:]
            for first in range(len(parts) - 1):
                found += self._of(Kind.DOMAIN, ".".join(parts[first:]), now)
            return found
        number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
        return self.address(number >> 64, number & (2**64 - 1), now)

    def has_urls_of(self, host: str) -> bool:
        return url_spelling(host, "").partition("/")[0] in self._url_hosts

    def url(self, host: str, target: str, now: float) -> list[Hit]:
        """The URL, without its query, and folders above it that end in /."""
        whole = url_spelling(host, target)
        path = whole.partition("?")[0]
        spelled = dict.fromkeys([whole, path])
        while path.count("/") > 1 and len(spelled) < _SEGMENTS_MAX:
            path = path[: path.rstrip("/").rfind("/") + 1]
            spelled[path] = None
        return [hit for text in spelled for hit in self._of(Kind.URL, text, now)]

    def user_agent(self, text: str, now: float) -> list[Hit]:
        found = self._of(Kind.USER_AGENT, text.lower(), now)
        return found + self._alive([row for pattern, row in self._wild if pattern.fullmatch(text)], now)

    def fingerprint(self, kind: Kind, text: str, now: float) -> list[Hit]:
        """Of JA3 or JA4."""
        return self._of(kind, text.lower(), now)

    def _of(self, kind: Kind, value: str, now: float) -> list[Hit]:
        if kind not in self.kinds:
            return []
        hashed = np.uint64(text_hash(kind, value))
        first = int(np.searchsorted(self._hashes, hashed))
        last = int(np.searchsorted(self._hashes, hashed, side="right"))
        rows = [row for row in self._texts[first:last] if KINDS[row["kind"]] == kind and self._value(row) == value]
        return self._alive(rows, now)

    def _value(self, row: Any) -> str:
        start = int(row["start"])
        return self._blobs[int(row["feed"])][start : start + int(row["length"])].decode()

    def _alive(self, rows: Any, now: float) -> list[Hit]:
        return [self._hit(row) for row in rows if not row["expires"] or row["expires"] > now]

    def _hit(self, row: Any) -> Hit:
        feed = int(row["feed"])
        status, confidence = self._feeds[feed], float(row["confidence"])
        is_text = "kind" in row.dtype.names
        return Hit(
            status.name,
            KINDS[row["kind"]] if is_text else Kind.ADDRESS,
            self._value(row) if is_text else network_text(row),
            status.confidence if confidence < 0 else confidence,
            int(row["expires"]),
            self._notes[feed][int(row["note"])],
        )


def network_text(row: Any) -> str:
    """A network as people write it."""
    if row.dtype["start"].kind == "u":
        first, last = ipaddress.IPv4Address(int(row["start"])), ipaddress.IPv4Address(int(row["end"]))
        net = next(ipaddress.summarize_address_range(first, last))
        return str(net.network_address) if net.prefixlen == 32 else str(net)
    ends = [ipaddress.IPv6Address(bytes(row[name]).ljust(16, b"\0")) for name in ("start", "end")]
    six = next(ipaddress.summarize_address_range(ends[0], ends[1]))
    return str(six.network_address) if six.prefixlen == 128 else str(six)


def _joined(parts: Sequence[npt.NDArray[np.void]], dtype: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """The rows of all feeds, each with the number of its feed."""
    for feed, rows in enumerate(parts):
        rows["feed"] = feed
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))
