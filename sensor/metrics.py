"""A snapshot as Prometheus metrics: in: what vitals.py makes; out: metric families, and the page that serves them.

Names follow https://prometheus.io/docs/practices/naming/. The one law: the page is read-only, asking for it never
waits for the sensor, and whoever asks slowly or not at all takes the place of nobody.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sensor.errors import SettingError
from sensor.vitals import Snapshot

_LAG = "Alerts that the slowest subscriber has not taken."
_TOGETHER = 8
"""Connections at a time; the oldest gives way to a new one."""
_TIMEOUT_SECONDS = 5.0


class SensorMetrics(Collector):
    """Turns the newest snapshot into metrics whenever it is asked."""

    def __init__(self, newest: Callable[[], Snapshot]) -> None:
        self._newest = newest

    def collect(self) -> Iterator[Metric]:
        snapshot = self._newest()
        if snapshot:
            yield from families(snapshot)


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """All metrics of a snapshot."""
    yield _gauge("tapir_info", "The sensor.", ("version", "source"), [((snapshot["version"], snapshot["source"]), 1)])
    yield _gauge("tapir_start_time_seconds", "When the sensor started.", (), [((), snapshot["started"])])
    yield _gauge("tapir_packet_time_seconds", "Packet time.", (), [((), snapshot["packet_time"])])
    yield _counter(
        "tapir_stage", "What each stage counts.", ("stage", "what"),
        [((stage, what), value) for stage, counts in snapshot["counters"].items() for what, value in counts.items()],
    )  # fmt: skip
    for unit in ("used", "size"):
        rows = [((table,), fill[unit]) for table, fill in snapshot["fills"].items()]
        yield _gauge(f"tapir_table_rows_{unit}", f"Rows of each table: {unit}.", ("table",), rows)
    memory = [((kind,), size) for kind, size in snapshot["memory_bytes"].items()]
    yield _gauge("tapir_memory_bytes", "Resident memory by kind.", ("kind",), memory)
    for name, about in (("subscribers", "Who reads the alert stream."), ("lag_alerts", _LAG)):
        figures: list[tuple[tuple[str, ...], float]] = [
            ((), value) for key, value in snapshot["stream"].items() if key == name
        ]
        yield _gauge(f"tapir_stream_{name}", about, (), figures)
    spent = [((name,), seconds) for name, seconds in snapshot["detector_seconds"].items()]
    yield _counter("tapir_detector_seconds", "Time that each detector took.", ("detector",), spent)
    yield _counter(
        "tapir_alert_revisions", "Revisions of alerts.", ("rule", "severity", "state"),
        [((row["rule_id"], row["severity"], row["state"]), row["count"]) for row in snapshot["alerts"]],
    )  # fmt: skip
    yield _batches(snapshot["batches"])


def _batches(batches: dict[str, Any]) -> Metric:
    about = "Time that a batch took, from its first stage to its outputs."
    family = HistogramMetricFamily("tapir_batch_seconds", about)
    below, buckets = 0, []
    for bound, count in batches["seconds_buckets"].items():
        below += count
        buckets.append((bound, below))
    family.add_metric([], buckets, batches["seconds_sum"])
    return family


def _gauge(name: str, about: str, labels: tuple[str, ...], rows: Sequence[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _counter(name: str, about: str, labels: tuple[str, ...], rows: Sequence[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


class _Asked(WSGIRequestHandler):
    timeout = _TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Who asks is not said."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], asked: type[WSGIRequestHandler]) -> None:
        self._open: list[Any] = []
        self._changing = threading.Lock()
        super().__init__(address, asked)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            self._open.append(request)
            oldest = self._open.pop(0) if len(self._open) > _TOGETHER else None
        if oldest:
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread ends by itself
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changing:
            if request in self._open:
                self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that broke off, or was too slow."""


def host_and_port(address: str) -> tuple[str, int]:
    """HOST:PORT in its parts; SettingError when it is none."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) < 1 << 16:
        raise SettingError(f"service.metrics: {address!r} is no HOST:PORT, such as 127.0.0.1:9464")
    return host.strip("[]"), int(port)


def serve(address: str, newest: Callable[[], Snapshot]) -> Callable[[], None]:
    """Serve the metrics at http://`address`/metrics in a thread of their own; the function returned ends it.

    Raises SettingError when the address is none, OSError when it cannot be bound.
    """
    host, port = host_and_port(address)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SensorMetrics(newest))
    _Server.address_family = socket.getaddrinfo(host or None, port, flags=socket.AI_PASSIVE)[0][0]
    server = _Server((host, port), _Asked)
    server.set_app(make_wsgi_app(registry))
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
