"""The page of the rules that ship: in: the rules; out: signatures/README.md.

Written by `python -m sensor.detection.signatures.page > signatures/README.md`. The one law: a test compares the two.
"""

from __future__ import annotations

from pathlib import Path

from sensor.detection.sigma.rules import LIMITS, load
from sensor.detection.signatures.ruleset import SHIPPED, RuleSet, shipped_folder

TOP_TEN = {
    "API1:2023": "Broken object level authorization",
    "API2:2023": "Broken authentication",
    "API3:2023": "Broken object property level authorization",
    "API4:2023": "Unrestricted resource consumption",
    "API5:2023": "Broken function level authorization",
    "API6:2023": "Unrestricted access to sensitive business flows",
    "API7:2023": "Server side request forgery",
    "API8:2023": "Security misconfiguration",
    "API9:2023": "Improper inventory management",
    "API10:2023": "Unsafe consumption of APIs",
}


def page(rules: RuleSet) -> str:
    """The page as Markdown."""
    lines = [
        "# Signatures that ship",
        "",
        "Rules in Suricata's syntax, one a file, by category. `tapir rules check` lists them, `tapir rules test",
        "RULE PCAP` tries one, `--rules default --rules /etc/tapir/rules` adds your own. Each has a case that it finds",
        "and one that it leaves alone in `tests/detection/signatures/shipped_cases.py`. Most attacks are found by",
        "detectors, which need no list; these rules name what is best known by its name.",
        "",
        "This page: `python -m sensor.detection.signatures.page > signatures/README.md`.",
        "",
        "| sid | rule | finds | severity | OWASP | ATT&CK | false positives |",
        "|---|---|---|---|---|---|---|",
    ]
    for signature in sorted(rules.signatures, key=lambda one: one.sid):
        path = Path(signature.where.rpartition(":")[0])
        lines_of_file = path.read_text(encoding="utf-8").splitlines()
        note = next((line[18:-1] for line in lines_of_file if "False positives:" in line), "")
        rule = signature.rule
        lines.append(
            f"| {signature.sid} | {path.parent.name}/{path.stem} | {rule.title} | {rule.severity.value} "
            f"| {', '.join(rule.owasp)} | {', '.join(rule.attack)} | {note.strip()} |"
        )
    lines += _limits()
    lines += ["", "## OWASP API Security Top 10 2023", "", "| risk | rules |", "|---|---|"]
    for risk, name in TOP_TEN.items():
        count = [str(signature.sid) for signature in rules.signatures if risk in signature.rule.owasp]
        lines.append(f"| {risk} {name} | {', '.join(sorted(count))} |")
    return "\n".join(lines) + "\n"


def _limits() -> list[str]:
    """The limits that ship as Sigma files."""
    lines = [
        "", "## Limits (Sigma)", "",
        "Off unless asked for, because built-in detectors find the same: `--rules limits`, see docs/sigma.md.", "",
        "| rule | finds | severity | OWASP | ATT&CK | false positives |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for path in sorted((shipped_folder() / LIMITS).glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        note = text.partition("falsepositives:\n    - ")[2].partition("\n")[0]
        for each in load([str(path)]).correlations:
            rule = each.rule
            lines.append(
                f"| {LIMITS}/{path.stem} | {rule.title} | {rule.severity.value} | {', '.join(rule.owasp)} "
                f"| {', '.join(rule.attack)} | {note} |"
            )
    return lines


if __name__ == "__main__":
    print(page(RuleSet([SHIPPED])), end="")
