"""The checks of `tapir check`: in: options; out: a line for each check and each setting that differs, an exit code.

    check_host.py    interfaces, permissions, kernels, folders, addresses
    check_rules.py   detectors, with their rules and files
    check_wiring.py  allowances, the other stages, the collector's settings

The one law: a check does what the sensor would do, and leaves nothing behind that the sensor would not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sensor.cli.exit_codes import ExitCode
from sensor.cli.running import RunOptions
from sensor.errors import SettingError

if TYPE_CHECKING:
    from sensor.config import Settings

_SECRET = ("collector.channels", "detection.honeytokens.values")
"""Settings that hold secrets: that they are set is said, not to what."""

Level = Literal["ok", "notice", "trouble"]


class Checked(NamedTuple):
    """`where` is FILE:LINE, an interface, a folder or an address; `key` the setting, where it is one."""

    check: str
    level: Level
    where: str
    text: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckOptions(RunOptions):
    """What the command line says; `rules` as of --rules."""

    rules: tuple[str, ...] | list[str] = ()


def run_checks(options: CheckOptions) -> ExitCode:
    """All checks, each printed as it is done."""
    from sensor.cli.reading import with_options
    from sensor.cli.rules import rules_setting
    from sensor.settings_file import examine_settings

    overrides = [*options.overrides, *rules_setting(list(options.rules) or None)]
    try:
        examined = examine_settings(options.settings, overrides)
    except SettingError as fault:
        _show([_setting_fault(fault)], options)
        return ExitCode.USAGE
    settings = with_options(options, examined.settings)
    faults = _show(map(_setting_fault, examined.faults), options)
    if not faults:
        text = str(options.settings) if options.settings else "no file: defaults, and what the command line says"
        _show([Checked("settings", "ok", "", text)], options)
    if not options.quiet:
        _show_effective(settings, examined.places, options)
    troubles = _show(_on_this_host(settings, options), options)
    return ExitCode.USAGE if faults else ExitCode.UNHEALTHY if troubles else ExitCode.OK


def _on_this_host(settings: Settings, options: CheckOptions) -> Iterator[Checked]:
    from sensor.cli.check_host import check_host
    from sensor.cli.check_rules import check_detectors
    from sensor.cli.check_wiring import check_allowances, check_collector, check_offer, check_stages
    from sensor.cli.compiling import told_when_compiling

    yield from check_host(settings, options.interfaces or settings.capture.interfaces)
    with told_when_compiling(options.quiet):
        yield from check_detectors(settings)
        yield from check_allowances(settings.alerting.allow_file)
        yield from check_offer(settings)
        yield from check_stages(settings)
    yield from check_collector(settings)


def _setting_fault(fault: SettingError) -> Checked:
    return Checked("settings", "trouble", fault.place, fault.problem, fault.key)


def _show(found: Iterable[Checked], options: CheckOptions) -> int:
    """Print them as they come; returns how many are trouble."""
    troubles = 0
    for each in found:
        troubles += each.level == "trouble"
        if options.quiet and each.level != "trouble":
            continue
        if options.json:
            line = json.dumps(each._asdict())
        else:
            place = ": ".join(part for part in (each.where, each.key) if part)
            line = f"{each.level:8} {each.check:12} {place}{': ' if place else ''}{each.text}"
        print(line, file=sys.stdout, flush=True)
    return troubles


def _show_effective(settings: Settings, places: dict[str, str], options: CheckOptions) -> None:
    """Every setting that differs from its default, and where that was said."""
    from sensor.config import Settings as Defaults
    from sensor.config.reload import differences, needs_restart

    for key, set_to in differences(Defaults(), settings):
        place = places.get(key) or "command line"
        value = "(set, not shown)" if key in _SECRET else set_to
        if options.json:
            row = {"setting": key, "value": _builtins(value), "from": place, "needs_restart": needs_restart(key)}
            print(json.dumps(row))
        else:
            from sensor.cli.settings_text import toml_value

            restart = "; to change it, restart" if needs_restart(key) else ""
            print(f"{'set':8} {key} = {toml_value(value)}   ({place}{restart})")


def _builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
