"""Settings as text: in: Settings; out: a documented TOML file, a page of documentation, JSON.

What a setting is for stands in sensor/config, as the string below it. The one law: a setting without such a string,
or a value that TOML cannot hold, is an error of ours that a test finds.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from inspect import getsource
from textwrap import fill
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec

from sensor.config import (
    Settings,
    accounts,
    collector,
    detectors,
    evidence,
    exposure,
    intel,
    investigation,
    outer,
    probing,
    segmentation,
    sinks,
    stages,
    verification,
    volumes,
)
from sensor.config.reload import LIVE, needs_restart

_HEAD = """\
# Settings

Every setting, its default and what it is for. The unit is the last word of a name. A file holds what differs
(`tapir settings > tapir.toml` writes all of them) and is given with `--settings FILE`; `--set KEY=VALUE` goes on top;
`tapir settings FILE` checks a file and prints what is in effect. This page: `tapir settings --markdown`.

A running sensor takes over on SIGHUP (`systemctl reload`): {live}. The others
(*restart*) need a restart, and are named in the log when they have changed. Of the collector's, channels, routes, sinks
and responses are taken over by its own reload.
"""


class Member(NamedTuple):
    name: str
    value: Any
    about: str


class Group(NamedTuple):
    name: str  # "detection.port_scan"
    about: str
    members: list[Member]


@cache
def _abouts() -> dict[str, dict[str, str]]:
    """Class of sensor/config -> setting -> what it is for; "" is the class itself."""
    found: dict[str, dict[str, str]] = {}
    modules = (
        stages, detectors, accounts, exposure, volumes, intel, segmentation, verification, probing, outer, evidence,
        collector, sinks, investigation,
    )  # fmt: skip
    nodes = [node for module in modules for node in ast.parse(getsource(module)).body]
    for node in [*nodes, *ast.parse(getsource(Settings)).body]:
        if isinstance(node, ast.ClassDef):
            texts = found[node.name] = {"": ast.get_docstring(node) or ""}
            for member, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
                if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    texts[member.target.id] = _text(following)
    return found


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def groups(settings: msgspec.Struct, name: str = "") -> Iterator[Group]:
    """All groups of settings, outermost first."""
    texts = _abouts()[type(settings).__name__]
    values = [Member(field, getattr(settings, field), texts.get(field, "")) for field in settings.__struct_fields__]
    members = [member for member in values if not isinstance(member.value, msgspec.Struct)]
    if members:
        yield Group(name, texts[""], members)
    for member in values:
        if isinstance(member.value, msgspec.Struct):
            yield from groups(member.value, f"{name}.{member.name}" if name else member.name)


def _lists(settings: msgspec.Struct, name: str = "") -> Iterator[Group]:
    """Of lists of groups, what an entry may hold; `...` for what it has to."""
    hints = get_type_hints(type(settings))
    for field in settings.__struct_fields__:
        path = f"{name}.{field}" if name else field
        if isinstance(value := getattr(settings, field), msgspec.Struct):
            yield from _lists(value, path)
        for one in get_args(hints[field]):
            if isinstance(one, type) and issubclass(one, msgspec.Struct):
                texts = _abouts()[one.__name__]
                members = [
                    Member(each.name, ... if each.required else _default(each), texts[each.name])
                    for each in msgspec.structs.fields(one)
                ]
                yield Group(f"{path}, each", texts[""], members)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    made: Any = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def toml_value(value: Any) -> str:
    """A value as TOML has it; None has no text there."""
    if isinstance(value, list | tuple | frozenset):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, msgspec.Struct):
        pairs = ((field, getattr(value, field)) for field in value.__struct_fields__)
        return f"{{ {', '.join(f'{field} = {toml_value(each)}' for field, each in pairs if each is not None)} }}"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {toml_value(each)}' for key, each in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def as_toml(settings: Settings) -> str:
    """A file that gives the same settings again."""
    parts = []
    for group in groups(settings):
        lines = [f"[{group.name}]", *_comment(group.about)]
        for name, value, about in group.members:
            lines += _comment(about)
            lines.append(f"# {name} =" if value is None else f"{name} = {toml_value(value)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _comment(about: str) -> list[str]:
    return [fill(" ".join(about.split()), 118, initial_indent="# ", subsequent_indent="# ")] if about else []


def as_markdown(settings: Settings) -> str:
    """A page with a table per group, and per list of groups."""
    parts = [_HEAD.format(live=", ".join(f"`{key}`" for key in LIVE))]
    for group in (*groups(settings), *_lists(settings)):
        rows = [
            f"| `{name}` | {_cell(value)} | {about}{_restart(group.name, name)} |"
            for name, value, about in group.members
        ]
        about = f"{' '.join(group.about.split())}\n\n" if group.about else ""
        parts.append(f"## {group.name}\n\n{about}| setting | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _restart(group: str, name: str) -> str:
    return " *restart*" if needs_restart(f"{group}.{name}") else ""


def _cell(value: Any) -> str:
    return "needed" if value is ... else "none" if value is None else f"`{toml_value(value)}`"


def as_json(settings: Settings) -> str:
    """All values, one object."""
    return json.dumps(msgspec.to_builtins(settings), indent=2) + "\n"
