"""Addresses of the alert stream: text from the operator goes in, an address that ZeroMQ takes literally comes out.

    tcp://127.0.0.1:5556   tcp://[::1]:5556   tcp://sensor.example:5556   ipc:///run/tapir/alerts
    to listen also:  tcp://*:5556  tcp://[::]:5556 (IPv4 and IPv6)  tcp://eth0:5556  tcp://127.0.0.1:* (any free port)

Law: ZeroMQ never sees an address that it would bend into another (it takes port 99999 for 34463, and removes a file
that stands where an ipc socket is to be). Every fault is one BusError line with the address and the remedy.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat

import zmq

from sensor.errors import BusError

_TCP = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|\*|[\w.-]+):(?P<port>\d+|\*)", re.ASCII)
_EXPECTED = "expected tcp://HOST:PORT, tcp://[IPV6]:PORT or ipc://PATH"
_IPC_PATH_BYTES_MAX = 107  # sun_path of Linux, less the closing zero

_REMEDIES = {
    errno.EADDRINUSE: "the address is in use: another program listens there",
    errno.EADDRNOTAVAIL: "this host has no such address",
    errno.ENODEV: "this host has no such address or interface; give an IP address, an interface name or *",
    errno.EACCES: "no permission to listen there",
    errno.ENOENT: "the folder does not exist",
}


def listen(zmq_socket: zmq.Socket[bytes], address: str) -> str:
    """Bind the socket; returns the address with the port that was chosen. Raises BusError when it cannot be."""
    _check(address, listening=True)
    if address.startswith("ipc://"):
        _check_path_is_free(address)
    _choose_ip_version(zmq_socket, address)
    try:
        zmq_socket.bind(address)
    except zmq.ZMQError as error:
        raise BusError(f"{address}: {_reason(error)}") from None
    return zmq_socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]


def connect(zmq_socket: zmq.Socket[bytes], address: str) -> None:
    """Connect the socket, now or as soon as someone listens there. Raises BusError for an address that can never work.
    """
    _check(address, listening=False)
    _choose_ip_version(zmq_socket, address)
    try:
        zmq_socket.connect(address)
    except zmq.ZMQError as error:
        raise BusError(f"{address}: {_reason(error)}") from None


def keep_alive(zmq_socket: zmq.Socket[bytes]) -> None:
    """Notice within a minute that the other host is gone. TCP's own means: not every ZeroMQ peer answers ZeroMQ's
    pings.
    """
    zmq_socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    zmq_socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 30)
    zmq_socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 10)
    zmq_socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)


def is_local(address: str) -> bool:
    """Whether only programs of this host reach an address: a path, loopback."""
    if address.startswith("ipc://"):
        return True
    parts = _TCP.fullmatch(address)
    if parts is None:
        return True  # no address: `listen` says so
    host = parts["host"].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "lo")


def beside(bound: str, asked: str) -> str:
    """The address next to one that is listened on: its next port (any, where any was asked for), or a path beside it.
    """
    if bound.startswith("ipc://"):
        return f"{bound}-replay"
    host, _, port = (asked if _TCP.fullmatch(asked) else bound).rpartition(":")
    return f"{host}:*" if port in ("*", "0") else f"{host}:{int(port) + 1}"


def as_reached(listened: str, address: str) -> str:
    """Where a peer that connects to `address` reaches what the other side listens on as `listened`."""
    if listened.startswith("ipc://") or address.startswith("ipc://"):
        return listened
    return f"{address.rpartition(':')[0]}:{listened.rpartition(':')[2]}"


def _choose_ip_version(zmq_socket: zmq.Socket[bytes], address: str) -> None:
    """IPv6 only where it is written: with it on, ZeroMQ would look up `localhost` as ::1 alone."""
    zmq_socket.setsockopt(zmq.IPV6, int("[" in address))


def _reason(error: zmq.ZMQError) -> str:
    number = error.errno or 0
    return _REMEDIES.get(number, zmq.strerror(number))


def _check(address: str, *, listening: bool) -> None:
    if address.startswith("ipc://"):
        _check_path(address)
        return
    parts = _TCP.fullmatch(address)
    if parts is None:
        raise BusError(f"{address}: not an address; {_EXPECTED}")
    host, port = parts["host"], parts["port"]
    if not listening and (host == "*" or port == "*" or int(port) == 0):
        raise BusError(f"{address}: to connect, give the host and the port that the sensor listens on")
    if port != "*" and int(port) > 65535:
        raise BusError(f"{address}: a port is a number up to 65535")


def _check_path(address: str) -> None:
    path = address.removeprefix("ipc://")
    if path in ("", "@", "*"):
        raise BusError(f"{address}: give the path of the socket, as in ipc:///run/tapir/alerts")
    if len(os.fsencode(path)) > _IPC_PATH_BYTES_MAX:
        raise BusError(f"{address}: the path of a socket is at most {_IPC_PATH_BYTES_MAX} bytes long")


def _check_path_is_free(address: str) -> None:
    """ZeroMQ would silently take the path from a program that listens there, or remove a file that is no socket."""
    path = address.removeprefix("ipc://")
    if path.startswith("@") or not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise BusError(f"{address}: a file that is no socket stands there")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise BusError(f"{address}: {_REMEDIES[errno.EADDRINUSE]}")
