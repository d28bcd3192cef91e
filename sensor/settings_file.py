"""Settings from a file and from the command line: in: TOML text, KEY=VALUE words; out: Settings.

The one law: whatever is wrong is one SettingError that names file, line, key, and what was expected.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

from sensor.config import Settings
from sensor.errors import SettingError

_HEADER = re.compile(r"\s*\[\[?\s*([\w.\s\"-]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"-]+)\s*=")
_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(\w+)`")


class Examined(NamedTuple):
    """`settings` without what is wrong; `faults`, all of them; `places`: dotted key -> FILE:LINE or command line."""

    settings: Settings
    faults: list[SettingError]
    places: dict[str, str]


def load_settings(path: Path | None, overrides: Iterable[str] = ()) -> Settings:
    """The file's settings with `overrides` ("detection.port_scan.window_seconds=60") on top; defaults for the rest.

    Raises SettingError when the file cannot be read or is not TOML, for unknown keys, and for wrong values.
    """
    tree, places = _gathered(path, overrides)
    return _settings(tree, places, str(path) if path else "command line")


def examine_settings(path: Path | None, overrides: Iterable[str] = ()) -> Examined:
    """As `load_settings`, but with everything that is wrong; what is wrong counts as if it were not there.

    Raises SettingError when the file cannot be read or is not TOML.
    """
    tree, places = _gathered(path, overrides)
    faults: list[SettingError] = []
    while True:
        try:
            return Examined(_settings(tree, places, str(path) if path else "command line"), faults, places)
        except SettingError as fault:
            faults.append(fault)
            if not _removed(tree, fault.key.split(".")):
                raise


def _removed(tree: dict[str, Any], path: list[str]) -> bool:
    """Take the key out, or the innermost value around it; False when there is nothing to take."""
    for name in path[:-1]:
        if not isinstance(tree.get(name), dict):
            return tree.pop(name, None) is not None
        tree = tree[name]
    return tree.pop(path[-1], None) is not None


def _gathered(path: Path | None, overrides: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values as they were written, and where each stands."""
    text = "" if path is None else _read(path)
    tree = _parsed(text, path)
    places = {key: f"{path}:{line}" for key, line in _lines(text).items()}
    for word in overrides:
        key, value = _override(word)
        _put(tree, key.split("."), value, key)
        places[key] = "command line"
    return tree, places


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingError(f"{path}: not UTF-8 at byte {error.start}; settings are TOML text") from None


def _parsed(text: str, path: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: not TOML: {error}") from None


def _override(word: str) -> tuple[str, Any]:
    """`key=value`, the value as TOML has it; a word that is no TOML value stands for itself."""
    key, equal, value = word.partition("=")
    if not equal or not key.strip():
        raise SettingError(f"command line: {word!r}: expected KEY=VALUE, for example detection.port_scan.enabled=false")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _put(tree: dict[str, Any], path: list[str], value: Any, key: str) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise SettingError(f"command line: {key}: {name} is a value, not a group of settings")
    tree[path[-1]] = value


def _lines(text: str) -> dict[str, int]:
    """Dotted key -> line, for groups and values that stand on a line of their own."""
    found: dict[str, int] = {}
    group = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            group = re.sub(r"[\s\"]", "", header[1])
            found.setdefault(group, number)
        elif key := _KEY.match(line):
            name = key[1].replace('"', "")
            found[f"{group}.{name}" if group else name] = number
    return found


def _settings(tree: Mapping[str, Any], places: dict[str, str], source: str) -> Settings:
    try:
        return msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        match = _PLACE.match(str(error))
        problem, path = (match["problem"], match["path"] or "") if match else (str(error), "")
        key = re.sub(r"\[.*", "", path.lstrip("."))
        if unknown := _UNKNOWN.match(problem):
            key = f"{key}.{unknown[1]}" if key else unknown[1]
            problem = f"no such setting; known here: {', '.join(_known(key))}"
        else:
            problem = problem[:1].lower() + problem[1:]
        raise SettingError(problem, place=_place(key, places, source), key=key) from None


def _place(key: str, places: dict[str, str], source: str) -> str:
    """Where the key, or the nearest group around it, stands."""
    while key and key not in places:
        key = key.rpartition(".")[0]
    return places.get(key, source)


def _known(key: str) -> list[str]:
    """Names of the settings beside `key`."""
    kind: Any = Settings
    for name in key.split(".")[:-1]:
        kind = {field.name: field.type for field in msgspec.structs.fields(kind)}[name]
        kind = get_args(kind)[0] if get_origin(kind) is tuple else kind  # of the members of a list
    return [field.name for field in msgspec.structs.fields(kind)]
