"""The dashboard, the rules for Prometheus and the page about metrics name what a sensor exports, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sensor.cli.metrics_text import as_markdown, counted, example
from sensor.metrics import families

DOCS = Path(__file__).resolve().parents[2] / "docs"
_SELECTOR = re.compile(r"\b(tapir_\w+|up)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_SCRAPED = {"instance", "job", "le"}


def of_dashboard() -> Iterator[str]:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((.*), \w+\)", r"\1", variable["query"]["query"])


def rules() -> list[dict[str, object]]:
    (group,) = yaml.safe_load((DOCS / "prometheus-alerts.yml").read_text())["groups"]
    found: list[dict[str, object]] = group["rules"]
    return found


EXPRESSIONS = [*of_dashboard(), *(str(rule["expr"]) for rule in rules())]


@pytest.fixture(scope="module")
def exported() -> dict[str, dict[str, set[str]]]:
    """Name of each sample -> its labels -> their values, as far as they are known beforehand."""
    found: dict[str, dict[str, set[str]]] = {"up": {}, "tapir_alert_revisions_total": {
        "rule": set(), "severity": set(), "state": {"raised", "updated", "closed"}}}  # fmt: skip
    for family in families(example()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_for_is_there(expression: str, exported: dict[str, dict[str, set[str]]]) -> None:
    counters = {(stage, what) for stage, what, _ in counted()}
    selectors = _SELECTOR.findall(expression)
    assert selectors
    for name, inner in selectors:
        assert name in exported, name
        matchers = [match for match in _MATCHER.findall(inner) if match[0] not in _SCRAPED]
        given = {label: value for label, operator, value in matchers if operator == "="}
        assert {label for label, _, _ in matchers} <= set(exported[name])
        if name == "tapir_stage_total":
            wanted = (given.get("stage"), given.get("what"))
            assert any(all(one in (None, other) for one, other in zip(wanted, each, strict=True)) for each in counters)
        elif values := {label: value for label, value in given.items() if exported[name][label]}:
            assert all(value in exported[name][label] for label, value in values.items()), values
    assert expression.count("(") == expression.count(")")


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules()) >= 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("info", "warning", "critical")  # type: ignore[index]
        assert set(rule["annotations"]) == {"summary", "description"}  # type: ignore[call-overload]


def test_panels_do_not_lie_on_one_another() -> None:
    panels = json.loads((DOCS / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        columns, rows_ = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in rows_}
        assert not taken & cells
        assert all(x < 24 for x, _ in cells)
        taken |= cells


def test_the_page_about_metrics_is_current() -> None:
    assert (DOCS / "metrics.md").read_text() == as_markdown(), "run: tapir schema metrics > docs/metrics.md"
