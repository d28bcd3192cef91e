"""The file of allowed edges: in: TOML; out: whether a call, or what a role does, is among them.

    [groups]
    web = ["10.0.1.0/24"]

    [[edges]]
    from = ["web", "10.0.2.7"]
    to = ["10.0.3.5:8080", "api.internal"]
    endpoints = ["GET /users/{id}", "POST /login", "* /health*"]

    [[roles]]
    role = "9f3c0a1b2c3d4e5f"
    endpoints = ["GET /users/{id}"]

`to` may be a network, a group or a name, with a port or any; without `endpoints` everything there may be called, HTTP
or not. The one law: what is not allowed by one edge, or one line of the role, is not allowed.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from sensor.errors import SettingError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Edge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    from_: tuple[str, ...] = msgspec.field(name="from")
    to: tuple[str, ...]
    endpoints: tuple[str, ...] | None = None


class Role(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    role: str
    endpoints: tuple[str, ...]


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written."""

    groups: dict[str, tuple[str, ...]] = {}
    edges: tuple[Edge, ...] = ()
    roles: tuple[Role, ...] = ()


class Call(NamedTuple):
    """A request, or a flow that is not HTTP: then `endpoint` is None and `host` empty."""

    client: str
    server: str
    port: int
    host: str = ""
    endpoint: str | None = None


class _End(NamedTuple):
    """One end of an edge: a network or a name, and a port or any (0)."""

    network: _Network | None
    name: str
    port: int

    def is_of(self, address: _Address, port: int, host: str) -> bool:
        if self.port and self.port != port:
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return host == self.name or host.endswith("." + self.name)


class Allowed:
    """Of one file; SettingError names what in it cannot be understood."""

    def __init__(self, file: File, where: str) -> None:
        self._where = where
        self._groups = file.groups
        self._edges = [
            (
                [end for text in edge.from_ for end in self._ends(text, f"edges[{place}].from")],
                [end for text in edge.to for end in self._ends(text, f"edges[{place}].to")],
                None if edge.endpoints is None else patterns(edge.endpoints),
            )
            for place, edge in enumerate(file.edges)
        ]
        self._roles = {role.role: patterns(role.endpoints) for role in file.roles}

    def _ends(self, text: str, key: str, depth: int = 0) -> list[_End]:
        if text in self._groups:
            if depth > 8:
                raise SettingError(f"group {text!r} contains itself", place=self._where, key=key)
            return [end for member in self._groups[text] for end in self._ends(member, key, depth + 1)]
        name, colon, port = text.rpartition(":")
        has_port = bool(colon) and port.isdigit() and (":" not in name or name.endswith("]"))
        name = (name if has_port else text).strip("[]").lower()
        try:
            return [_End(ipaddress.ip_network(name, strict=False), "", int(port) if has_port else 0)]
        except ValueError:
            pass
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name) or name.replace(".", "").isdigit():
            problem = f"{text!r}: expected a network, a name or a group, with :PORT or without"
            raise SettingError(problem, place=self._where, key=key)
        return [_End(None, name, int(port) if has_port else 0)]

    def allows(self, call: Call) -> bool:
        client, server = ipaddress.ip_address(call.client), ipaddress.ip_address(call.server)
        host = call.host.lower().partition(":")[0]
        return any(
            any(end.is_of(client, 0, "") for end in sources)
            and any(end.is_of(server, call.port, host) for end in targets)
            and (endpoints is None or (call.endpoint is not None and bool(endpoints.fullmatch(call.endpoint))))
            for sources, targets, endpoints in self._edges
        )

    def role_may(self, role: str, endpoint: str) -> bool:
        """Roles that the file does not name may do anything."""
        return role not in self._roles or bool(self._roles[role].fullmatch(endpoint))

    @property
    def names_roles(self) -> bool:
        return bool(self._roles)

    @property
    def names_edges(self) -> bool:
        return bool(self._edges)


@lru_cache(maxsize=1024)
def patterns(endpoints: tuple[str, ...]) -> re.Pattern[str]:
    """METHOD /template, * for anything; the method may be left out."""
    whole = [text if " " in text else f"* {text}" for text in endpoints]
    return re.compile("|".join(".*".join(map(re.escape, text.split("*"))) for text in whole) or r"(?!)", re.DOTALL)


def read(path: Path) -> Allowed:
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), File)
    except OSError as error:
        raise SettingError(f"{error.strerror}: make one with `tapir edges learn`", place=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingError(str(error), place=str(path)) from None
    return Allowed(file, str(path))
