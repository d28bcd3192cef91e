"""Honeytokens: in: contents; out: a critical alert wherever a value passes that nobody has a reason to use.

The operator plants values (an account, a key, a card, a mail address of no real person) and lists them, each with a
name. They are looked for in heads and bodies of both sides, as they are, as URLs and JSON write them, and in base64 as
credentials are sent. The one law: alerts give the value's name, never the value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Rule, Severity
from sensor.config import HoneytokensSettings
from sensor.detection.detector import Batch, Strings, sweep
from sensor.detection.detectors.honeytokens_kernel import PARTS, PLACE, Progress, find_values
from sensor.detection.evidence import address
from sensor.detection.findings import Findings, found
from sensor.errors import SettingError
from sensor.limits import BODY_BYTES_MAX
from sensor.schema import Wanted

PASSED = Rule(
    id="honeytoken", version=1, title="A honeytoken was used or given out", category="deception",
    kind=Kind.ATTACK, severity=Severity.CRITICAL, owasp=("API1:2023", "API2:2023"), attack=("T1078", "T1530"),
)  # fmt: skip
_PARTS = ("request head", "request body", "response head", "response body")
_HITS = 256
_SHORTEST, _SHORTEST_BASE64 = 6, 8
_CODE = re.compile("%[0-9A-F]{2}")
_COMMON = np.ones(256)
_COMMON[np.frombuffer(b'etaoinsrhldcu0123 :",./-=', np.uint8)] = 8


def _listed(settings: HoneytokensSettings) -> list[tuple[str, str]]:
    """(name, value) of each; lines of the file are NAME=VALUE, or a value alone, named after its line."""
    where = "detection.honeytokens"
    lines = [(f"{where}.values", number, text) for number, text in enumerate(settings.values, 1)]
    if settings.file:
        try:
            text = Path(settings.file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{where}.file: {settings.file}: {error}") from None
        lines += [(settings.file, number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    listed = []
    for source, number, line in lines:
        if not line or line.startswith("#"):
            continue
        name, equal, value = line.partition("=")
        name, value = (name.strip(), value.strip()) if equal else (f"line {number}", line)
        if len(value.encode()) < _SHORTEST:
            raise SettingError(f"{source}, line {number}: a honeytoken must have at least {_SHORTEST} bytes")
        listed.append((name, value))
    return listed


def _written(value: str) -> set[bytes]:
    """The value as it is, in a URL, in a form, in JSON, and in the midst of base64."""
    coded = quote(value, safe="")
    small = _CODE.sub(lambda code: code.group().lower(), coded)
    texts = {value, coded, small, quote_plus(value), json.dumps(value)[1:-1]}
    return {text.encode() for text in texts} | _in_base64(value.encode())


def _in_base64(octets: bytes) -> set[bytes]:
    """What of base64 is the same whatever stands before and behind, for each of three places that it may begin at."""
    found = set()
    for before in range(3):
        coded = base64.b64encode(bytes(before) + octets).rstrip(b"=")
        text = coded[(0, 2, 3)[before] : len(coded) - ((before + len(octets)) % 3 > 0)]
        if len(text) >= _SHORTEST_BASE64:
            found.add(text)
    return found


def _tables(values: list[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8], npt.NDArray[np.void]]:
    pairs, octets, places = np.zeros(1_024, np.uint64), bytearray(), []
    for number, value in enumerate(values):
        for text in sorted(_written(value)):
            for first in (0, 1):
                shifts = range(first, len(text) - 1, 2)
                shift = min(shifts, key=lambda at: _COMMON[text[at]] * _COMMON[text[at + 1]])
                pair = text[shift] | text[shift + 1] << 8
                pairs[pair >> 6] |= np.uint64(1 << (pair & 63))
                places.append((len(octets), len(text), number, shift, pair))
            octets += text
    return pairs, np.frombuffer(bytes(octets) or b"\0", np.uint8).copy(), np.array(places, PLACE)


class Honeytokens:
    """See the file's head; settings: HoneytokensSettings."""

    rules = (PASSED,)

    def __init__(self, settings: HoneytokensSettings, strings: Strings) -> None:
        listed = _listed(settings)
        self.strings = strings
        self.wanted = Wanted(True, BODY_BYTES_MAX, True, BODY_BYTES_MAX) if listed else Wanted()
        self.every_response = bool(listed)
        self.faults = 0
        self._names = [name for name, _ in listed]
        self._tables = _tables([value for _, value in listed])
        self._findings = Findings(settings.entities_max)
        self._hits = np.zeros(3 * (_HITS + PARTS), np.int64)
        self._progress = np.zeros(len(Progress), np.int64)

    @property
    def evicted(self) -> int:
        return self._findings.evicted

    def process(self, batch: Batch) -> list[Detection]:
        said: list[Detection] = []
        if self._names and len(batch.contents):
            self.faults += sweep(
                lambda start: find_values(
                    batch.contents, batch.arena, start, *self._tables, self._hits, self._progress
                ),
                len(batch.contents),
                self._progress,
                lambda hits: said.extend(self._say(batch, hits)),
            )
        return said

    def _say(self, batch: Batch, hits: int) -> list[Detection]:
        said = []
        for row, part, value in self._hits[: 3 * hits].reshape(-1, 3).tolist():
            client, name = address(batch.transactions[row], "client"), self._names[value]
            for case in self._findings.note(f"{client} {name}", batch.transactions, np.array([row])):
                details = {"honeytoken": name, "where": _PARTS[part]}
                entity = Entity("client", client)
                detection = found(PASSED, entity, case, batch.transactions, self.strings, "honeytokens", details)
                if part == 0 and detection.http:  # its texts may hold the value
                    http = Http(method=detection.http.method, status_code=detection.http.status_code)
                    detection = msgspec.structs.replace(detection, http=http)
                said.append(detection)
        return said

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return self._findings.state()

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        return self._findings.restore(saved)
