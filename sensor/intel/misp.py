"""MISP events: in: a decoded JSON document; out: entries. Format: https://www.misp-standard.org/rfc/misp-standard-core.

An event, a list of them, or the answer of a search. The one law: attributes that are deleted, or not meant for
detection (`to_ids` false), are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sensor.intel.moments import moment

_KINDS = {
    "ip-src": "address", "ip-dst": "address", "ip-src|port": "address", "ip-dst|port": "address", "domain": "domain",
    "hostname": "hostname", "hostname|port": "hostname", "domain|ip": "domain", "url": "url", "link": "url",
    "uri": "url", "user-agent": "user_agent", "ja3-fingerprint-md5": "ja3", "ja4-fingerprint": "ja4",
}  # fmt: skip
_SURE = {
    "completely-confident": 1.0, "usually-confident": 0.75, "fairly-confident": 0.5, "rarely-confident": 0.25,
    "unconfident": 0.0,
}  # fmt: skip


def entries_of_misp(document: object, skipped: Counter[str]) -> Iterator[tuple[Any, ...]]:
    """(kind, text, confidence, expires, note, seen) of each attribute."""
    for note, attribute in _attributes(document, ""):
        kind = _KINDS.get(str(attribute.get("type")))
        if attribute.get("deleted") or not attribute.get("to_ids", True):
            skipped["not for detection"] += 1
        elif kind is None:
            skipped[f"type {attribute.get('type')}"] += 1
        else:
            first, _, second = str(attribute.get("value", "")).partition("|")
            about = (
                _confidence(attribute), None, str(attribute.get("comment") or note),
                moment(attribute.get("last_seen")) or moment(attribute.get("timestamp")),
            )  # fmt: skip
            yield kind, first, *about
            if attribute["type"] == "domain|ip":
                yield "address", second, *about


def _attributes(document: object, note: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what its event says it is, attribute) of a document, however it is wrapped."""
    if isinstance(document, list):
        for each in document:
            yield from _attributes(each, note)
        return
    if not isinstance(document, dict):
        return
    if "type" in document and "value" in document:
        yield note, document
        return
    note = str(document.get("info") or document.get("name") or note)
    for key in ("response", "Event", "Attribute", "Object"):
        yield from _attributes(document.get(key), note)


def _confidence(attribute: dict[str, Any]) -> float | None:
    tags = attribute.get("Tag")
    for tag in tags if isinstance(tags, list) else ():
        name = str(tag.get("name", "")) if isinstance(tag, dict) else ""
        if name.startswith("misp:confidence-level="):
            return _SURE.get(name.partition("=")[2].strip('"'))
    return None
