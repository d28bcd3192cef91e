"""Adding a member means a file, a line in a visible table, a test and a word in the docs: none is without the others.
"""

from __future__ import annotations

from sensor.collector.investigation.playbooks import playbooks
from sensor.config import DetectionSettings
from sensor.detection.detectors import DETECTORS
from sensor.detection.signatures.ruleset import SHIPPED, RuleSet
from tests.house.sources import PACKAGE, ROOT, Source


def members(folder: str, *besides: str) -> list[str]:
    """Names of the files in an extension point, without its own and those of kernels."""
    names = sorted(path.stem for path in (PACKAGE / folder).glob("*.py"))
    return [name for name in names if name not in ("__init__", *besides) and not name.endswith("_kernel")]


def test_every_detector_has_its_line_its_settings_and_its_test() -> None:
    assert members("detection/detectors") == sorted(DETECTORS)
    assert set(DETECTORS) <= set(DetectionSettings.__struct_fields__)
    assert [name for name in DETECTORS if not (ROOT / f"tests/detection/test_{name}.py").exists()] == []


def test_every_rule_is_in_the_docs() -> None:
    text = (ROOT / "docs/rules.md").read_text()
    rules = [rule.id for detector in DETECTORS.values() for rule in detector.rules]
    assert [rule for rule in rules if f"`{rule}`" not in text] == []


def test_every_rule_has_a_playbook() -> None:
    rules = [rule for detector in DETECTORS.values() for rule in detector.rules]
    rules += [signature.rule for signature in RuleSet([SHIPPED]).signatures]
    covered = playbooks()
    lacking = {rule.id: rule.category for rule in rules if not {f"rule {rule.id}", rule.category} & covered.keys()}
    assert lacking == {}, "docs/playbooks: name the category, or the rule, in the second line of a page"


def test_every_tunnel_has_its_branch_and_its_test() -> None:
    walk = Source(PACKAGE / "decode" / "walk.py").imports
    for name in members("decode/tunnels"):
        assert f"sensor.decode.tunnels.{name}" in walk, name
        assert (ROOT / f"tests/decode/tunnels/test_{name}.py").exists(), name


def test_every_command_has_its_line() -> None:
    app = (PACKAGE / "cli" / "app.py").read_text()
    for name in ("collect", "read", "schema", "warm"):
        assert f"({name}.{name})" in app
