"""A parsed rule becomes a signature: in: RuleText, variables; out: Signature, or RuleError naming the keyword.

The one law: a keyword that is not in KEYWORDS makes the rule an error: nothing is read past.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sensor.alert import Kind, Rule, Severity
from sensor.detection.signatures.buffers import BUFFERS, ONLY_REQUEST, ONLY_RESPONSE, REQUEST, RESPONSE, TRANSFORMS
from sensor.detection.signatures.network import addresses, ports
from sensor.detection.signatures.options import add_test, bits_of, filter_of, integer, size_of
from sensor.detection.signatures.parser import RuleError, RuleText, content_octets
from sensor.detection.signatures.pcre import pcre_of
from sensor.detection.signatures.rule import Bits, Content, Part, Signature, Test, Threshold

PROTOCOLS = ("http", "http1", "http2", "tcp", "ip", "tcp-pkt", "tcp-stream", "pkthdr")
SEVERITIES = {1: Severity.HIGH, 2: Severity.MEDIUM, 3: Severity.LOW, 4: Severity.LOW}
NAMED_SEVERITIES = {
    "critical": Severity.CRITICAL, "major": Severity.HIGH, "high": Severity.HIGH, "medium": Severity.MEDIUM,
    "minor": Severity.LOW, "low": Severity.LOW, "informational": Severity.LOW,
}  # fmt: skip
PRIORITIES = {
    "attempted-admin": 1, "attempted-user": 1, "inappropriate-content": 1, "policy-violation": 1, "shellcode-detect": 1,
    "successful-admin": 1, "successful-user": 1, "trojan-activity": 1, "unsuccessful-user": 1,
    "web-application-attack": 1, "targeted-activity": 1, "exploit-kit": 1, "domain-c2": 1, "credential-theft": 1,
    "social-engineering": 2, "coin-mining": 2, "external-ip-check": 2, "pup-activity": 2, "command-and-control": 1,
    "attempted-dos": 2, "attempted-recon": 2, "bad-unknown": 2, "default-login-attempt": 2, "denial-of-service": 2,
    "misc-attack": 2, "non-standard-protocol": 2, "rpc-portmap-decode": 2, "successful-dos": 2,
    "successful-recon-largescale": 2, "successful-recon-limited": 2, "suspicious-filename-detect": 2,
    "suspicious-login": 2, "system-call-detect": 2, "unusual-client-port-connection": 2,
    "web-application-activity": 2, "icmp-event": 3, "misc-activity": 3, "network-scan": 3, "not-suspicious": 3,
    "protocol-command-decode": 3, "string-detect": 3, "unknown": 3, "tcp-connection": 4,
}  # fmt: skip
"""Priority by classtype, as Suricata's classification has them."""

OLD_MODIFIERS = {
    "http_uri": "http.uri", "http_raw_uri": "http.uri.raw", "http_method": "http.method", "http_header": "http.header",
    "http_raw_header": "http.header.raw", "http_client_body": "http.request_body", "http_cookie": "http.cookie",
    "http_server_body": "file_data", "http_stat_code": "http.stat_code", "http_stat_msg": "http.stat_msg",
    "http_user_agent": "http.user_agent", "http_host": "http.host", "http_raw_host": "http.host.raw",
}  # fmt: skip
_STICKY = {name: name for name in BUFFERS if name != "payload"} | {"file.data": "file_data", "pkt_data": "payload"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
_NOTES = ("gid", "target", "tag", "app-layer-protocol")


class _Draft:
    """What has been read of a rule so far."""

    def __init__(self, text: RuleText) -> None:
        self.text = text
        self.buffer = "payload"
        self.transforms: tuple[str, ...] = ()
        self.parts: list[list[Any]] = []  # [buffer, transforms, tests]
        self.fast: list[tuple[str, int]] = []
        self.facts: dict[str, str] = {}
        self.references: list[str] = []
        self.metadata: dict[str, str] = {}
        self.flow: set[str] = set()
        self.bits: list[Bits] = []
        self.threshold: Threshold | None = None
        self.fast_part: list[Any] | None = None
        self.last: list[Any] | None = None  # part of the last content

    def part(self) -> list[Any]:
        for part in self.parts:
            if part[0] == self.buffer and part[1] == self.transforms:
                return part
        self.parts.append([self.buffer, self.transforms, []])
        return self.parts[-1]

    def add(self, test: Test) -> None:
        self.last = self.part()
        self.last[2].append(test)

    def content(self, keyword: str) -> Content:
        """The content that a modifier belongs to."""
        if self.last is None or not isinstance(self.last[2][-1], Content):
            raise RuleError(f"{keyword}: there is no content before it", keyword)
        return self.last[2][-1]

    def change(self, keyword: str, **fields: Any) -> None:
        content = self.content(keyword)
        assert self.last is not None
        self.last[2][-1] = content._replace(**fields)


def _content(draft: _Draft, value: str) -> None:
    negated, octets = content_octets(value)
    draft.add(Content(octets, negated=negated))


def _sticky(draft: _Draft, name: str) -> None:
    draft.buffer, draft.transforms = name, ()


def _old(draft: _Draft, keyword: str) -> None:
    """An older modifier moves its content to a buffer."""
    content = draft.content(keyword)
    assert draft.last is not None
    draft.last[2].pop()
    is_fast = draft.fast_part is draft.last and draft.facts["fast"] == str(len(draft.last[2]))
    if not draft.last[2]:
        draft.parts.remove(draft.last)
    buffer = draft.buffer
    draft.buffer, draft.transforms = OLD_MODIFIERS[keyword], ()
    draft.add(content)
    if is_fast:
        _fast_pattern(draft, "")
    draft.buffer = buffer


def _uri_content(draft: _Draft, value: str) -> None:
    """A content of the target, in one word."""
    _content(draft, value)
    _old(draft, "http_uri")


def _depth(draft: _Draft, value: str) -> None:
    content = draft.content("depth")
    draft.change("depth", stop=(0 if content.relative else content.start) + integer("depth", value))


def _offset(draft: _Draft, value: str) -> None:
    content, start = draft.content("offset"), integer("offset", value)
    draft.change("offset", start=start, stop=None if content.stop is None else content.stop + start)


def _distance(draft: _Draft, value: str) -> None:
    content, start = draft.content("distance"), integer("distance", value)
    draft.change("distance", relative=True, start=start, stop=None if content.stop is None else content.stop + start)


def _within(draft: _Draft, value: str) -> None:
    content = draft.content("within")
    start = content.start if content.relative else 0
    draft.change("within", relative=True, start=start, stop=start + integer("within", value))


def _fast_pattern(draft: _Draft, _value: str) -> None:
    draft.content("fast_pattern")
    draft.fast_part = draft.last
    assert draft.last is not None
    draft.facts["fast"] = str(len(draft.last[2]) - 1)


def _pcre(draft: _Draft, value: str) -> None:
    buffer, test = pcre_of(value)
    before = draft.buffer, draft.transforms
    if buffer:
        draft.buffer, draft.transforms = buffer, ()
    draft.add(test)
    draft.buffer, draft.transforms = before


def _flowbits(draft: _Draft, value: str) -> None:
    if value == "noalert":
        draft.facts["noalert"] = ""
    else:
        draft.bits.append(bits_of("flowbits", value))


def _urilen(draft: _Draft, value: str) -> None:
    text, _, which = value.partition(",")
    before = draft.buffer, draft.transforms
    draft.buffer, draft.transforms = "http.uri.raw" if which.strip() == "raw" else "http.uri", ()
    draft.part()[2].insert(0, size_of("urilen", text))
    draft.buffer, draft.transforms = before


def _flow(draft: _Draft, value: str) -> None:
    known = {
        "established", "to_server", "to_client", "from_server", "from_client", "stateless", "only_stream", "no_stream",
        "not_established", "no_frag", "only_frag",
    }  # fmt: skip
    for word in (part.strip() for part in value.split(",")):
        if word not in known:
            raise RuleError(f"flow: {word!r} is not known", "flow")
        if word in ("not_established", "only_frag"):
            raise RuleError(f"flow: {word} never holds for HTTP", "flow")
        draft.flow.add({"from_client": "to_server", "from_server": "to_client"}.get(word, word))


def _metadata(draft: _Draft, value: str) -> None:
    for item in value.split(","):
        key, _, text = item.strip().partition(" ")
        draft.metadata[key.lower()] = text.strip()


def _transform(draft: _Draft, name: str) -> None:
    if draft.buffer == "payload":
        raise RuleError(f"{name}: there is no buffer before it", name)
    draft.transforms = (*draft.transforms, name)


def _fact(name: str) -> Callable[[_Draft, str], None]:
    return lambda draft, value: draft.facts.__setitem__(name, value.strip('"').replace('\\"', '"'))


def _message(draft: _Draft, value: str) -> None:
    if not _QUOTED.fullmatch(value.strip()):
        raise RuleError("msg: expected a text in quotes, and a semicolon behind it", "msg")
    draft.facts["msg"] = value.strip()[1:-1].replace('\\"', '"')


def _add_threshold(keyword: str) -> Callable[[_Draft, str], None]:
    def set_it(draft: _Draft, value: str) -> None:
        draft.threshold = filter_of(keyword, value)

    return set_it


KEYWORDS: dict[str, Callable[[_Draft, str], None]] = {
    "content": _content,
    "pcre": _pcre,
    "nocase": lambda draft, _: draft.change("nocase", nocase=True),
    "depth": _depth,
    "offset": _offset,
    "distance": _distance,
    "within": _within,
    "startswith": lambda draft, _: draft.change(
        "startswith", start=0, stop=len(draft.content("startswith").octets)
    ),
    "endswith": lambda draft, _: draft.change("endswith", at_end=True),
    "fast_pattern": _fast_pattern,
    "rawbytes": lambda draft, _: None,
    "isdataat": lambda draft, value: add_test(draft.add, "isdataat", value),
    "uricontent": _uri_content,
    "byte_test": lambda draft, value: add_test(draft.add, "byte_test", value),
    "bsize": lambda draft, value: draft.add(size_of("bsize", value)),
    "urilen": _urilen,
    "flow": _flow,
    "flowbits": _flowbits,
    "xbits": lambda draft, value: draft.bits.append(bits_of("xbits", value)),
    "threshold": _add_threshold("threshold"),
    "detection_filter": _add_threshold("detection_filter"),
    "noalert": _fact("noalert"),
    "msg": _message,
    "sid": _fact("sid"),
    "rev": _fact("rev"),
    "classtype": _fact("classtype"),
    "priority": _fact("priority"),
    "reference": lambda draft, value: draft.references.append(value),
    "metadata": _metadata,
    **{name: (lambda draft, _, name=name: _old(draft, name)) for name in OLD_MODIFIERS},  # type: ignore[misc]
    **{name: (lambda draft, _, to=to: _sticky(draft, to)) for name, to in _STICKY.items()},  # type: ignore[misc]
    **{name: (lambda draft, _, name=name: _transform(draft, name)) for name in TRANSFORMS},  # type: ignore[misc]
    **{name: (lambda draft, _: None) for name in _NOTES},
}
"""Everything that a rule may use, and what it does to the draft."""


def compile_rule(text: RuleText, variables: Mapping[str, str], where: str = "") -> Signature:
    """Raises RuleError."""
    if text.protocol not in PROTOCOLS:
        raise RuleError(f"protocol {text.protocol} is not looked at", text.protocol)
    draft = _Draft(text)
    for name, value in text.options:
        if name not in KEYWORDS:
            raise RuleError(f"keyword {name} is not known", name)
        KEYWORDS[name](draft, value)
    if not draft.facts.get("sid", "").isdigit():
        raise RuleError("sid: expected a number", "sid")
    if not any(part[2] for part in draft.parts):
        raise RuleError("it tests nothing of a transaction", "content")
    parts = tuple(Part(buffer, transforms, tuple(tests)) for buffer, transforms, tests in draft.parts if tests)
    return Signature(
        rule=_rule(draft),
        sid=int(draft.facts["sid"]),
        revision=int(draft.facts.get("rev") or 1),
        action=text.action,
        direction=_direction(draft, parts),
        source=addresses(text.source, variables),
        source_ports=ports(text.source_ports, variables),
        target=addresses(text.target, variables),
        target_ports=ports(text.target_ports, variables),
        either_way=text.arrow == "<>",
        parts=parts,
        fast=_fast(draft, parts),
        bits=tuple(draft.bits),
        threshold=draft.threshold,
        silent="noalert" in draft.facts,
        references=tuple(draft.references),
        metadata=draft.metadata,
        where=where,
    )


def _rule(draft: _Draft) -> Rule:
    classtype = draft.facts.get("classtype", "unknown")
    priority = draft.facts.get("priority", "")
    severity = SEVERITIES.get(int(priority) if priority.isdigit() else PRIORITIES.get(classtype, 3), Severity.LOW)
    if not priority:
        severity = NAMED_SEVERITIES.get(draft.metadata.get("signature_severity", "").lower(), severity)
    technique = draft.metadata.get("mitre_technique_id", "")
    owasp = draft.metadata.get("owasp", "").replace("_", ":")
    return Rule(
        id=f"signature-{draft.facts['sid']}",
        version=int(draft.facts.get("rev") or 1),
        title=draft.facts.get("msg") or f"Signature {draft.facts['sid']}",
        category=draft.metadata.get("category", "signature"),
        kind=Kind.ATTACK if classtype not in ("policy-violation", "not-suspicious", "misc-activity") else Kind.POSTURE,
        severity=severity,
        owasp=(owasp,) if owasp else (),
        attack=(technique,) if technique else (),
    )


def _direction(draft: _Draft, parts: tuple[Part, ...]) -> str:
    names = {part.buffer for part in parts}
    for side, others in ((REQUEST, ONLY_RESPONSE), (RESPONSE, ONLY_REQUEST)):
        if side in draft.flow and names & others:
            raise RuleError(f"flow: {side} has no {min(names & others)}", "flow")
        if side in draft.flow:
            return side
    if names & ONLY_REQUEST:
        return REQUEST
    return RESPONSE if names & ONLY_RESPONSE else "both"


def _fast(draft: _Draft, parts: tuple[Part, ...]) -> tuple[str, Content] | None:
    """The literal that is searched first: the one the rule names, else the longest that must be there."""
    if draft.fast_part is not None:
        chosen = draft.fast_part[2][int(draft.facts["fast"])]
        if not chosen.negated and not draft.fast_part[1]:
            return draft.fast_part[0], chosen
    weak = ("http.method", "http.stat_code", "http.protocol")
    contents = [
        (part.buffer not in weak, len(test.octets), part.buffer, test)
        for part in parts
        if not part.transforms
        for test in part.tests
        if isinstance(test, Content) and not test.negated
    ]
    if not contents:
        return None
    best = max(contents, key=lambda item: item[:2])
    return best[2], best[3]
