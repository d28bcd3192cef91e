"""Playbooks: pages of docs/playbooks go in; what to check and to do about the alerts of a rule comes out.

    # Title
    For: CATEGORY, rule RULE_ID          whose alerts it is for; a rule by name comes before its category
    ## Check, ## Contain, ## Afterwards  lists; places such as {{client_ip}} are filled from the alert

Law: every rule has one: what nobody wrote one for has that of the category `other`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

_ITEM = re.compile(r"^(?:- |\d+\. )(.+)$", re.MULTILINE)
_FALLBACK = "other"


class Playbook(msgspec.Struct, frozen=True):
    """One page."""

    name: str
    title: str
    covers: tuple[str, ...]
    check: tuple[str, ...]
    contain: tuple[str, ...]
    afterwards: tuple[str, ...]


def folder() -> Path:
    """Where the playbooks lie: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "shipped_playbooks"
    return inside if inside.is_dir() else package.parent / "docs" / "playbooks"


@cache
def playbooks() -> dict[str, Playbook]:
    """All of them, by what they cover: a category, or "rule " and its id."""
    pages = [_read(path) for path in sorted(folder().glob("*.md"))]
    return {covered: page for page in pages for covered in page.covers}


def playbook_for(rule_id: str, category: str) -> Playbook:
    found = playbooks()
    return found.get(f"rule {rule_id}") or found.get(category) or found[_FALLBACK]


def _read(path: Path) -> Playbook:
    head, *sections = path.read_text().split("\n## ")
    title, covers = head.removeprefix("# ").split("\n", 1)
    lists = {section.partition("\n")[0]: tuple(_ITEM.findall(section)) for section in sections}
    covered = tuple(part.strip() for part in covers.strip().removeprefix("For:").split(","))
    return Playbook(path.stem, title, covered, lists["Check"], lists["Contain"], lists["Afterwards"])
