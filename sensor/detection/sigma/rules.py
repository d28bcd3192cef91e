"""Sigma files as rules: in: files and folders; out: rules ready to run, and what could not be loaded, with the reason.

pySigma parses and validates detection rules. Correlations are read here, because its parser refuses some that the
specification allows. The one law: every document of every file is a rule, or a problem that names file and reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any as AnyValue
from typing import NamedTuple

import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from sensor.alert import Kind, Rule, Severity
from sensor.detection.places import Map
from sensor.detection.sigma.columns import Source, source_of
from sensor.detection.sigma.conditions import Any, Node, fields_of, tree
from sensor.detection.sigma.correlation_rules import Correlation, correlation_of
from sensor.detection.sigma.predicates import Unsupported
from sensor.detection.sigma.spelling import Placeholders, respelled
from sensor.detection.signatures.ruleset import shipped_folder
from sensor.errors import SettingError
from sensor.schema import Wanted

_SEVERITIES = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "informational": Severity.LOW,
}
_CONFIDENCES = {"stable": 0.9, "test": 0.7, "experimental": 0.5, "deprecated": 0.3, "unsupported": 0.3}
_CORRELATED = 0.8
"""Confidence of a correlation that does not say its status."""
_ENDINGS = (".yml", ".yaml")
_NAME_MAX = 80
_TECHNIQUE = re.compile(r"attack\.t\d{4}(\.\d{3})?")
_MISTAKEN = (TypeError, AttributeError, ValueError, LookupError, RecursionError)
"""What pySigma runs into where a list stands for a text, and the like."""

LIMITS = "limits"
"""The name under which the rules with limits that ship are asked for."""


class _Given(NamedTuple):
    """What the settings bring to rules."""

    places: Map | None
    placeholders: Placeholders


class Problem(NamedTuple):
    """A document that is no rule here, and why."""

    file: str
    reason: str


class Detecting(NamedTuple):
    """A detection rule: `names` are those by which correlations may call it."""

    rule: Rule
    names: frozenset[str]
    source: Source
    condition: Node
    confidence: float
    wanted: Wanted = Wanted()


@dataclass
class RuleSet:
    """`told`: the detection rules whose matches are detections by themselves, by place in `detecting`."""

    detecting: list[Detecting] = field(default_factory=list)
    correlations: list[Correlation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def told(self) -> list[bool]:
        used = {name for each in self.correlations if not each.generate for name in each.rules}
        return [used.isdisjoint(each.names) for each in self.detecting]

    @property
    def wanted(self) -> Wanted:
        """What of messages the fields of all rules, and those that correlations speak of, are made of."""
        named = {name for each in self.correlations for name in each.named}
        used = [wanted_of(each.source, named) for each in self.detecting]
        return most([*(each.wanted for each in self.detecting), *used])


def most(wanted: Iterable[Wanted]) -> Wanted:
    """The most that any of these wants."""
    return Wanted(*map(max, zip(Wanted(), *wanted, strict=True)))


def wanted_of(source: Source, fields: Iterable[str]) -> Wanted:
    """What these fields of a log source are made of."""
    return most(source.fields[name].wanted for name in fields if name in source.fields)


def load(paths: Iterable[str], places: Map | None = None, placeholders: Placeholders | None = None) -> RuleSet:
    """All rules of these files and folders, countries from `places`; SettingError when one cannot be read."""
    given = _Given(places, placeholders or {})
    found = RuleSet()
    for path in _files(paths):
        try:
            documents = list(yaml.safe_load_all(path.read_bytes()))
        except OSError as error:
            raise SettingError(f"{path}: cannot be read: {error.strerror}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            found.problems.append(Problem(str(path), f"not YAML: {' '.join(str(error).split())}"))
            continue
        shared: dict[str, AnyValue] = {}
        for document in documents:
            shared = _read(document, shared, str(path), found, given)
    _check_references(found)
    return found


def _files(paths: Iterable[str]) -> Iterator[Path]:
    for name in paths:
        path = shipped_folder() / LIMITS if name == LIMITS else Path(name)
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix in _ENDINGS and each.is_file())
        elif path.exists():
            yield path
        else:
            raise SettingError(f"{path}: no such file or folder of rules")


def _read(
    document: AnyValue, shared: dict[str, AnyValue], file: str, found: RuleSet, given: _Given
) -> dict[str, AnyValue]:
    """Add one document; returns what the next ones of the file start from (`action: global`)."""
    if document is None:
        return shared
    if not isinstance(document, dict):
        found.problems.append(Problem(file, f"a rule is a mapping, this is a {type(document).__name__}"))
        return shared
    action = document.get("action")
    if action == "reset":
        return {}
    if action == "global":
        return {**shared, **{key: value for key, value in document.items() if key != "action"}}
    document = {**shared, **{key: value for key, value in document.items() if key != "action"}}
    try:
        if "correlation" in document:
            confidence = _CONFIDENCES.get(str(document.get("status")), _CORRELATED)
            found.correlations.append(correlation_of(document, rule_of(document, "correlation"), confidence))
        else:
            found.detecting.append(_detecting(document, given))
    except (Unsupported, SigmaError, SettingError) as error:
        found.problems.append(Problem(file, f"{document.get('title', 'untitled')}: {' '.join(str(error).split())}"))
    except _MISTAKEN as error:
        reason = f"a part of the rule is of the wrong kind: {' '.join(str(error).split())}"
        found.problems.append(Problem(file, f"{document.get('title', 'untitled')}: {reason}"))
    return shared


def _detecting(document: dict[str, AnyValue], given: _Given) -> Detecting:
    if "filter" in document and "detection" not in document:
        raise Unsupported("a filter, which is not applied here: its selection belongs into the rules that it is for")
    parsed = SigmaRule.from_dict({**document, "detection": respelled(document.get("detection"), given.placeholders)})
    source = source_of(parsed.logsource.category, parsed.logsource.product, parsed.logsource.service, given.places)
    if source is None:
        parts = (parsed.logsource.category, parsed.logsource.product, parsed.logsource.service)
        raise Unsupported(f"log source {'/'.join(part for part in parts if part)}: the wire has nothing of it")
    conditions = tuple(tree(each.parsed, source) for each in parsed.detection.parsed_condition)
    condition = conditions[0] if len(conditions) == 1 else Any(conditions)
    names = frozenset(str(name) for name in (parsed.id, parsed.name, parsed.title) if name)
    status = str(document.get("status", "test"))
    fields = set().union(*(fields_of(each.parsed) for each in parsed.detection.parsed_condition))
    confidence = _CONFIDENCES.get(status, 0.5)
    return Detecting(rule_of(document, "signature"), names, source, condition, confidence, wanted_of(source, fields))


def rule_of(document: Mapping[str, AnyValue], category: str) -> Rule:
    """What alerts of this document say."""
    title = str(document.get("title") or "untitled rule")
    tags = [str(tag).lower() for tag in document.get("tags") or ()]
    techniques = tuple(tag.removeprefix("attack.").upper() for tag in tags if _TECHNIQUE.fullmatch(tag))
    owasp = tuple(tag.removeprefix("owasp.").upper() for tag in tags if tag.startswith("owasp."))
    return Rule(
        id=f"sigma-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')[:_NAME_MAX]}",
        version=1,
        title=title,
        category=category,
        kind=Kind.ATTACK,
        severity=_SEVERITIES.get(str(document.get("level", "medium")).lower(), Severity.MEDIUM),
        owasp=owasp,
        attack=techniques,
    )


def _check_references(found: RuleSet) -> None:
    """A correlation of rules that are not there is a problem, and so is one of those."""
    while True:
        known = {name for each in found.detecting for name in each.names}
        known |= {name for each in found.correlations for name in each.names}
        missing = {
            place: [name for name in each.rules if name not in known] for place, each in enumerate(found.correlations)
        }
        lost = [place for place, names in missing.items() if names]
        for place in reversed(lost):
            names = ", ".join(missing[place])
            each = found.correlations.pop(place)
            found.problems.append(Problem(each.rule.title, f"correlates rules that are not loaded: {names}"))
        if not lost:
            return
