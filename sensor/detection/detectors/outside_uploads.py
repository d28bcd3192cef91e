"""Uploads to outside: in: flows, also those that still live; out: detections of inside clients that send much outside.

What a client sends to one server outside in ten minutes is compared with what others send to theirs, with what came
back, and with its own earlier days (a nightly backup is a habit after three). A connection that stays open is told of
every 20 seconds, so that it need not end to be noticed. What also looks like this: the first nights of such a backup.
The one law: sizes alone decide, so that it holds for TLS as well.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import OutsideUploadsSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, Table, nanoseconds, sweep
from sensor.detection.detectors.outside_uploads_kernel import HIT, PAIR, STRETCHES, Progress, find_uploads
from sensor.detection.evidence import address, community_id
from sensor.errors import SettingError
from sensor.structures.entity_table import EntityTable
from sensor.structures.log_histogram import BINS
from sensor.structures.memory import Memory
from sensor.structures.records import joined, picked

UPLOAD = Rule(
    id="outside-upload",
    version=1,
    title="Upload to outside: a client inside sends far more to a server outside than others do",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API10:2023",),
    attack=("T1048", "T1567"),
)
HIGH_TIMES = 8.0
"""Times the threshold from which it is of high severity."""


def ranges_of(networks: tuple[str, ...], key: str) -> npt.NDArray[np.uint64]:
    """First and last address of each network, two words each, IPv4 as ::ffff:a.b.c.d; SettingError for what is none."""
    words: list[int] = []
    for text in networks:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise SettingError(
                f'{key}: "{text}": {error}; expected networks like 10.0.0.0/8'
            ) from error
        mapped = 0xFFFF << 32 if network.version == 4 else 0
        for edge in (int(network.network_address) | mapped, int(network.broadcast_address) | mapped):
            words += [edge >> 64, edge & (1 << 64) - 1]
    return np.array(words, np.uint64)


class OutsideUploads:
    """See the file's head; settings: OutsideUploadsSettings."""

    rules = (UPLOAD,)

    def __init__(self, settings: OutsideUploadsSettings, strings: Strings) -> None:
        self.settings = settings
        self.ranges = ranges_of(settings.inside_networks, "detection.outside_uploads.inside_networks")
        self.thresholds = np.array(
            [
                nanoseconds(settings.window_seconds / STRETCHES), nanoseconds(REPORT_SECONDS), settings.bytes_min,
                settings.alone_bytes_min, settings.up_ratio_min, settings.others_ratio_min, settings.peers_min,
            ],
            np.float64,
        )  # fmt: skip
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.table = EntityTable(settings.pairs_max)
        self.pairs = np.zeros(settings.pairs_max, PAIR)
        self.rings = np.zeros(settings.pairs_max * 2 * STRETCHES, np.int64)
        self.histogram, self.members = np.zeros(BINS, np.int32), np.zeros(1, np.int64)
        self.memory = Memory()
        self.memory.keep("pairs", self.table, pairs=self.pairs, rings=self.rings)
        self.memory.keep_arrays(histogram=self.histogram, members=self.members)
        self.state, self.restore = self.memory.state, self.memory.restore
        self.faults = 0

    @property
    def evicted(self) -> int:
        return self.table.evicted

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        flows, streams = self._in_order(batch)
        living = len(batch.told) > 0
        self.faults += sweep(
            lambda start: self._find(flows, streams, start),
            len(flows),
            self.progress,
            lambda hits: detections.extend(
                self._detection(hit, flows[hit["row"]], living) for hit in self.hits[:hits]
            ),
        )  # fmt: skip
        return detections

    def _in_order(self, batch: Batch) -> tuple[Table, Table]:
        """Flows that ended and flows that live, with their streams, in order of packet time."""
        if not len(batch.told):
            return batch.flows, batch.streams
        flows = joined([batch.flows, batch.told])
        order = np.lexsort((flows["serial"], flows["end_now"]))
        streams = joined([batch.streams, batch.told_streams]).reshape(-1, 2)
        return picked(flows, order), picked(streams, order).reshape(-1)

    def _find(self, flows: Table, streams: Table, start: int) -> int:
        return find_uploads(
            flows, streams, start, self.ranges, *self.table.arrays, self.pairs, self.rings, self.histogram,
            self.members, self.thresholds, self.hits, self.progress,
        )  # type: ignore[no-any-return]  # fmt: skip

    def _detection(self, hit: Any, flow: Any, living: bool) -> Detection:
        client, server = address(flow, "orig"), address(flow, "resp")
        sent, threshold = int(hit["sent"]), float(hit["threshold"])
        return Detection(
            now=int(flow["end_now"]),
            rule=UPLOAD,
            entity=Entity("client", client),
            numbers=Numbers(
                observed=float(sent),
                threshold=round(threshold),
                unit="payload bytes sent",
                window_seconds=self.settings.window_seconds,
                baseline=float(hit["baseline"]) if hit["baseline"] else None,
            ),
            count=int(hit["flows"]),
            run=f"{server}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            last_ts=int(flow["last_ts"]),
            confidence=0.8 if hit["baseline"] else 0.5,
            client_ip=client,
            client_port=int(flow["orig_port"]),
            server_ip=server,
            server_port=int(flow["resp_port"]),
            community_id=community_id(flow, "orig", "resp"),
            severity=Severity.HIGH if sent >= HIGH_TIMES * threshold else None,
            details={
                "destination": server,
                "bytes_got": int(hit["got"]),
                "connection_is_open": living and int(flow["wheel_bucket"]) >= 0,
                "others": int(hit["others"]),
            },
        )
