"""Random Sigma rules and correlations beside their slow twins, and documents that are broken at random."""

from __future__ import annotations

import copy
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from sensor.detection.sigma.rules import load
from tests.fuzz import sigma, sigma_correlations
from tests.fuzz.sigma_rules import SOURCES, rule

JUNK: tuple[Any, ...] = (
    None,
    "",
    5,
    -1.5,
    True,
    [],
    {},
    [None],
    {"a": None},
    "\0",
    "x" * 500,
    [[["a"]]],
    {1: {2: 3}},
    "((",
    "* of",
)


@pytest.mark.parametrize("seed", [11, 12])
def test_random_rules_match_what_their_twin_does(seed: int) -> None:
    told: Counter[str] = Counter()
    assert list(sigma.disagreements(250, seed, told)) == []
    assert told["matched some"] > 50
    # every name of a selection is made up of its own; a pattern that fits none is an error in the specification
    assert set(told) <= {"matched some", "matched all", "matched nothing", "Selector  doesn't match any detection"}


@pytest.mark.parametrize("seed", [11, 12])
def test_random_correlations_are_told_when_their_twin_says(seed: int) -> None:
    told, wrong = sigma_correlations.disagreements(100, seed)
    assert wrong == []
    assert told > 300


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        found += _places(child, (*path, key))
    return found


def broken(chance: random.Random) -> list[dict[str, Any]]:
    """Two documents, one place of which is something else."""
    body = sigma_correlations.correlation(chance, ["base", "other", "third"])
    documents: list[dict[str, Any]] = [
        {"title": "a", "name": "base", "id": "8a5ff1a5-7c9f-4c6b-8c3a-6f1f6a7a5b11", "level": "high",
        "status": "test", "date":
         "2026-01-01", "tags": ["attack.t1190"], "fields": ["c-ip"], "falsepositives": ["none"], "references": ["https://a.test"],
         **rule(chance, 1).document, "logsource": SOURCES["webserver"]},
        {"title": "b", "name": "many", "level": "low", "tags": ["owasp.api1"], "correlation": body},
    ]  # fmt: skip
    documents = copy.deepcopy(documents)
    path = chance.choice(_places(documents))
    node: Any = documents
    for step in path[:-1]:
        node = node[step]
    if isinstance(node, dict) and chance.random() < 0.3:
        node[chance.choice((7, "", "|", "a|b|c", "|all", "x|re|contains"))] = node.pop(path[-1])
    else:
        node[path[-1]] = chance.choice(JUNK)
    return documents


def test_documents_that_are_broken_are_told_and_never_stop_the_others(tmp_path: Path) -> None:
    chance = random.Random(5)
    sound = {
        "title": "sound",
        "logsource": SOURCES["webserver"],
        "detection": {"s": {"sc-status": 1}, "condition": "s"},
    }
    for _ in range(200):
        documents = broken(chance)
        (tmp_path / "rules.yml").write_text(yaml.safe_dump_all([*documents, sound]))
        found = load([str(tmp_path)])
        assert "sound" in {each.rule.title for each in found.detecting}, documents
        assert len(found.detecting) + len(found.correlations) + len(found.problems) >= 2, documents
