"""What is run for a response: an action and a target go in, a program and its standard input come out.

Law: a target is an address in its canonical text, and no shell ever sees it.
"""

from __future__ import annotations

import ipaddress
import subprocess
from typing import Literal, NamedTuple

import msgspec

from sensor.config import ActionSettings
from sensor.errors import SettingError

Verb = Literal["apply", "undo"]


class Command(NamedTuple):
    arguments: tuple[str, ...]
    input: bytes


class CommandFailed(Exception):
    """A command did not end well; the text may be stored and shown."""


def command_for(action: ActionSettings, verb: Verb, target: str, incident: int, response: int, until: float) -> Command:
    """`response` is the same number whenever the same is asked again. Either verb may be run twice without harm."""
    if action.command:
        asked = {
            "verb": verb, "action": action.name, "target": target, "incident": incident, "response": response,
            "ttl_seconds": action.ttl_seconds, "until": until,
        }  # fmt: skip
        return Command(action.command, msgspec.json.encode(asked) + b"\n")
    return Command(action.nft, nft_script(action, verb, target).encode())


def nft_script(action: ActionSettings, verb: Verb, target: str) -> str:
    """An undo adds before it deletes, in one transaction: what has expired already can be deleted too."""
    address = ipaddress.ip_address(target)
    into = action.nft_set_ipv6 if address.version == 6 else action.nft_set_ipv4
    if verb == "apply":
        return f"add element {into} {{ {address} timeout {int(action.ttl_seconds)}s }}\n"
    return f"add element {into} {{ {address} }}\ndelete element {into} {{ {address} }}\n"


def can_touch(action: ActionSettings, target: str) -> bool:
    """False for an address of a version that the action has no set for."""
    six = ipaddress.ip_address(target).version == 6
    return bool(action.command or (action.nft_set_ipv6 if six else action.nft_set_ipv4))


def check(action: ActionSettings) -> None:
    """Raises SettingError for an action that cannot do anything, or could do two things."""
    sets = [one for one in (action.nft_set_ipv4, action.nft_set_ipv6) if one]
    if bool(action.command) == bool(sets):
        raise SettingError(f"collector.response.actions: {action.name}: expected one of command and nft_set_ipv4/6")
    for one in sets:
        words = one.split()
        if len(words) != 3 or not all(word.replace("_", "").replace("-", "").isalnum() for word in words):
            raise SettingError(
                f"collector.response.actions: {action.name}: {one!r}: expected FAMILY TABLE SET, as inet tapir blocked4"
            )


def run(command: Command, timeout_seconds: float) -> None:
    """Raises CommandFailed, without what the program said: that may hold secrets."""
    try:
        done = subprocess.run(
            command.arguments, input=command.input, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=timeout_seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"took longer than {timeout_seconds:g} s and was ended") from None
    except OSError as error:
        raise CommandFailed(f"cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        raise CommandFailed(f"ended with {done.returncode}")
