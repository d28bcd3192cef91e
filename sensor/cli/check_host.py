"""What a sensor needs of its host: in: settings, interfaces; out: Checked for interfaces, permissions, kernels,
folders, keys and addresses.

The one law: whatever is opened or bound here is closed again at once, and no folder is made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from sensor.cli.checks import Checked
from sensor.config import BusSettings, Settings
from sensor.errors import CacheError, SettingError, TapirError

_UP = 0x1
"""IFF_UP of an interface's flags."""
_BYTES_FREE_MIN = 1 << 30
"""Less free space than this is worth a notice: the state alone may take hundreds of megabytes."""


def check_host(settings: Settings, interfaces: Sequence[str]) -> Iterator[Checked]:
    """All of them, in the order in which a sensor that starts would stumble over them."""
    yield from _interfaces(interfaces)
    yield from _filter(settings.capture.filter)
    yield from _permissions()
    yield from _kernels()
    systemd = os.environ.get("STATE_DIRECTORY", "")
    state = settings.state.folder or systemd
    journal = settings.journal.folder or (str(Path(state) / "journal") if state else "")
    yield from _folder("state", state, "nothing learned is kept from run to run (state.folder)")
    yield from _state_lock(state)
    yield from _key_file(settings, state)
    yield from _folder("journal", journal, "alerts are not kept before they are published (journal.folder)")
    if settings.evidence.enabled:
        kept = settings.evidence.folder or (str(Path(state) / "evidence") if state else "")
        yield from _folder("evidence", kept, "evidence.enabled is set, and there is no folder for it")
    if settings.bus.publish:
        yield from _stream(settings.bus)
    if settings.service.metrics:
        yield from _metrics(settings.service.metrics)


def _interfaces(names: Sequence[str]) -> Iterator[Checked]:
    if not names:
        yield Checked("interface", "notice", "", "none is named: tapir run INTERFACE, or capture.interfaces")
    for name in names:
        flags = Path("/sys/class/net", name, "flags")
        if name not in {each for _, each in socket.if_nameindex()}:
            there = ", ".join(each for _, each in socket.if_nameindex())
            yield Checked("interface", "trouble", name, f"no such interface; there are: {there}")
        elif flags.exists() and not int(flags.read_text(), 16) & _UP:
            yield Checked("interface", "trouble", name, f"is down: ip link set {name} up")
        else:
            yield Checked("interface", "ok", name, "is there and up")


def _filter(expression: str) -> Iterator[Checked]:
    from sensor.capture.bpf import compile_filter

    if expression:
        try:
            instructions = compile_filter(expression)
            yield Checked("filter", "ok", "", f"{expression!r} compiles to {len(instructions)} instructions")
        except SettingError as error:
            yield Checked("filter", "trouble", "", str(error))


def _permissions() -> Iterator[Checked]:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        remedy = "the unit gives it; otherwise setcap cap_net_raw=ep on this Python, or run as root"
        yield Checked("permissions", "trouble", "", f"CAP_NET_RAW is missing, capturing is not allowed: {remedy}")
        return
    root = "; started as root `tapir run` goes on as user tapir, if there is one" if os.geteuid() == 0 else ""
    yield Checked("permissions", "ok", "", f"may capture (CAP_NET_RAW), as uid {os.geteuid()}{root}")


def _kernels() -> Iterator[Checked]:
    try:
        from sensor._jit import cache_complete

        marker = cache_complete()
    except (CacheError, OSError) as error:
        yield Checked("kernels", "trouble", "", str(error))
        return
    if marker.exists():
        yield Checked("kernels", "ok", str(marker.parent), "compiled")
    else:
        text = "not compiled yet for this version, machine and user: that is done now, so that the first start is quick"
        yield Checked("kernels", "notice", str(marker.parent), text)


def _folder(check: str, path: str, none: str) -> Iterator[Checked]:
    if not path:
        yield Checked(check, "notice", "", none)
        return
    folder = Path(path).absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Checked(check, "trouble", path, f"{there} cannot be written to by uid {os.geteuid()}")
        return
    free = shutil.disk_usage(there).free
    level, left = ("notice", "only ") if free < _BYTES_FREE_MIN else ("ok", "")
    made = "" if folder.exists() else "will be made; "
    yield Checked(check, level, path, f"{made}{left}{free / 1e9:.1f} GB free")  # type: ignore[arg-type]


def _state_lock(path: str) -> Iterator[Checked]:
    lock = Path(path or "/nonexistent", "lock")
    if path and lock.exists() and os.access(lock, os.R_OK):
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                yield Checked("state", "notice", path, "in use by a sensor that runs")


def _key_file(settings: Settings, state: str) -> Iterator[Checked]:
    from sensor.fingerprint import default_path, read_key

    in_state = str(Path(state) / "fingerprint.key") if state else ""
    path = settings.protocols.fingerprint_key_file or in_state or str(default_path())
    try:
        read_key(Path(path))
        yield Checked("fingerprints", "ok", path, "their key is there")
    except FileNotFoundError:
        yield Checked("fingerprints", "ok", path, "their key will be made")
    except SettingError as error:
        yield Checked("fingerprints", "trouble", "", str(error))
    except OSError as error:
        yield Checked("fingerprints", "trouble", path, f"their key cannot be read: {error.strerror}")


def _stream(settings: BusSettings) -> Iterator[Checked]:
    import zmq

    from sensor.bus.addresses import listen
    from sensor.bus.stream import keys_for

    try:
        keys = keys_for(settings)
        if keys is not None:
            keys.own()
            allowed, problems = keys.allowed()
            yield from (Checked("keys", "trouble", "", problem) for problem in problems)
            level, text = ("ok", f"{len(allowed)} collectors are allowed") if allowed else (
                "notice", "no collector is allowed: tapir keys allow NAME KEY"
            )  # fmt: skip
            yield Checked("keys", level, str(keys.path), text)  # type: ignore[arg-type]
        else:
            yield Checked("keys", "ok", settings.publish, "without keys: " + (
                "everyone who reaches the address may read" if settings.plaintext else "this host only"
            ))  # fmt: skip
        with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
            publisher.linger = 0
            listen(publisher, settings.publish)
        yield Checked("publish", "ok", settings.publish, "can be listened on")
    except TapirError as error:
        level = "notice" if "in use" in str(error) else "trouble"
        yield Checked("publish", level, "", f"{error}{' (a sensor that runs?)' if level == 'notice' else ''}")  # type: ignore[arg-type]


def _metrics(address: str) -> Iterator[Checked]:
    try:
        from sensor.metrics import host_and_port

        with socket.create_server(host_and_port(address)):
            yield Checked("metrics", "ok", address, "can be listened on")
    except ImportError as error:
        yield Checked("metrics", "trouble", address, f"needs {error.name}: pip install 'tapir-sensor[live]'")
    except SettingError as error:
        yield Checked("metrics", "trouble", "", str(error))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        text = f"{error.strerror}{' (by a sensor that runs?)' if taken else ''}"
        yield Checked("metrics", "notice" if taken else "trouble", address, text)
