"""What pySigma refuses though the specification allows it: in: a rule's `detection` as YAML gives it; out: the same, in
words that pySigma takes.

Numbers that are compared as texts (`sc-status|startswith: 5`) become texts, `utf16le` is called by its other name,
`wide`, and a value with `expand` becomes one value for each that its placeholders stand for. The one law: what is not
known here is left as it is, for pySigma to judge; a placeholder that nobody has given a meaning is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from sensor.detection.sigma.predicates import Unsupported

Placeholders = Mapping[str, Sequence[str]]

_OF_TEXTS = {"contains", "startswith", "endswith", "re", "windash", "base64", "base64offset", "cased"}
_CALLED = {"utf16le": "wide"}
_PLACEHOLDER = re.compile(r"%(\w+)%")


def respelled(part: Any, placeholders: Placeholders) -> Any:
    """A detection, or a part of one; Unsupported for a placeholder without a meaning."""
    if isinstance(part, list):
        return [respelled(each, placeholders) for each in part]
    if not isinstance(part, dict):
        return part
    return dict(_respelled(key, value, placeholders) for key, value in part.items())


def _respelled(key: Any, value: Any, placeholders: Placeholders) -> tuple[Any, Any]:
    """One field with its modifiers, and its values."""
    if not isinstance(key, str) or "|" not in key:
        return key, respelled(value, placeholders)
    name, *modifiers = key.split("|")
    if not _OF_TEXTS.isdisjoint(modifiers):
        value = _as_text(value)
    if "expand" in modifiers:
        modifiers.remove("expand")
        values = value if isinstance(value, list) else [value]
        value = [text for each in values for text in _expanded(each, placeholders)]
    return "|".join((name, *(_CALLED.get(each, each) for each in modifiers))), value


def _expanded(value: Any, placeholders: Placeholders) -> list[Any]:
    if not isinstance(value, str):
        return [value]
    pieces = _PLACEHOLDER.split(value)  # texts and names in turn
    unknown = [name for name in pieces[1::2] if name not in placeholders]
    if unknown:
        raise Unsupported(f"placeholder %{unknown[0]}%, which detection.sigma.placeholders does not fill")
    choices = [placeholders[piece] if at % 2 else (piece,) for at, piece in enumerate(pieces)]
    return ["".join(chosen) for chosen in product(*choices)]


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
