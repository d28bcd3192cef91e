"""What a run saw, added up: in: batches; out: the figures of the summary.

The one law: work and memory per batch are bounded, whatever the traffic: of each batch only the most frequent
TOP_PER_BATCH endpoints and clients are looked at, at most TOP_KEPT of each are remembered, and at most ALERTS_KEPT
alerts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor.schema import Anomaly, Proto, TcpFlag, TransactionFlag

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.batch import Batch
    from sensor.structures.string_pool import StringPool

TOP_PER_BATCH = 64
TOP_KEPT = 10_000
ALERTS_KEPT = 10_000
_DONE = TransactionFlag.REQUEST_DONE | TransactionFlag.RESPONSE_DONE
_GAPS = Anomaly.REQUEST_GAP | Anomaly.RESPONSE_GAP


class Summary:
    """Figures over all batches so far."""

    def __init__(self) -> None:
        self.first_ts: int | None = None
        self.last_ts = 0
        self.flows: Counter[str] = Counter()
        self.flows_one_sided = 0
        self.flows_answered = self.flows_halved = 0  # TCP with an acknowledgement; of it one-sided
        self.both_ways_bytes = self.both_ways_missing = 0  # TCP with both directions: payload, and lost
        self.flows_both_ways = self.flows_vlans_differ = 0  # any transport
        self.payload_bytes = self.missing_bytes = self.retransmitted_bytes = 0
        self.transactions = self.complete = self.unanswered = 0
        self.anomalies: Counter[str] = Counter()
        self.endpoints: Counter[tuple[str, str, str]] = Counter()   # method, host, endpoint
        self.clients: Counter[str] = Counter()
        self.alerts: dict[str, Alert] = {}

    def add(self, batch: Batch, pool: StringPool) -> None:
        """Count what one batch brought."""
        if len(batch.flows):
            self._add_flows(batch.flows, batch.streams)
        if len(batch.transactions):
            self._add_transactions(batch.transactions, pool)
        for alert in batch.alerts:
            if alert.alert_id in self.alerts or len(self.alerts) < ALERTS_KEPT:
                self.alerts[alert.alert_id] = alert

    def _add_flows(self, flows: Any, streams: Any) -> None:
        first = int(flows["start_ts"].min())
        self.first_ts = first if self.first_ts is None else min(self.first_ts, first)
        self.last_ts = max(self.last_ts, int(flows["last_ts"].max()))
        protos, counts = np.unique(flows["proto"], return_counts=True)
        for proto, count in zip(protos.tolist(), counts.tolist(), strict=True):
            self.flows[_proto_name(proto)] += count
        packets = streams["packets"].reshape(-1, 2)
        tcp, one_sided = flows["proto"] == Proto.TCP, packets.min(axis=1) == 0
        self.flows_one_sided += int(np.count_nonzero(one_sided & tcp))
        answered = tcp & ((streams["tcp_flags"] & TcpFlag.ACK).reshape(-1, 2).max(axis=1) != 0)
        self.flows_answered += int(np.count_nonzero(answered))
        self.flows_halved += int(np.count_nonzero(answered & one_sided))
        lost, payload = streams["missing_bytes"].reshape(-1, 2), streams["payload_bytes"].reshape(-1, 2)
        self.both_ways_missing += int(lost[tcp & ~one_sided].sum())
        self.both_ways_bytes += int(payload[tcp & ~one_sided].sum())
        path = streams["path"].reshape(-1, 2)
        self.flows_both_ways += int(np.count_nonzero(~one_sided))
        self.flows_vlans_differ += int(np.count_nonzero(~one_sided & ((path[:, 0] ^ path[:, 1]) & 0xFFFF != 0)))
        self.payload_bytes += int(streams["payload_bytes"].sum())
        self.missing_bytes += int(streams["missing_bytes"].sum())
        self.retransmitted_bytes += int(streams["retransmitted_bytes"].sum())

    def _add_transactions(self, rows: Any, pool: StringPool) -> None:
        self.transactions += len(rows)
        done = (rows["flags"] & _DONE == _DONE) & (rows["anomalies"] & _GAPS == 0)
        self.complete += int(np.count_nonzero(done))
        self.unanswered += int(np.count_nonzero(rows["flags"] & TransactionFlag.RESPONSE == 0))
        seen = int(np.bitwise_or.reduce(rows["anomalies"]))
        for anomaly in Anomaly:
            if seen & anomaly:
                self.anomalies[anomaly.name.lower()] += int(np.count_nonzero(rows["anomalies"] & np.uint64(anomaly)))
        for (method, host, endpoint), count in _most_frequent(rows, ("method", "host", "endpoint")):
            _count(self.endpoints, (pool.text(method), pool.text(host), pool.text(endpoint)), count)
        for (hi, lo), count in _most_frequent(rows, ("client_hi", "client_lo")):
            _count(self.clients, _address(hi, lo), count)


def _most_frequent(rows: Any, fields: tuple[str, ...]) -> list[tuple[tuple[int, ...], int]]:
    """The TOP_PER_BATCH most frequent combinations of some columns, each with its count."""
    keys = np.stack([rows[field].astype(np.uint64) for field in fields])
    order = np.lexsort(keys)
    keys = keys[:, order]
    starts = np.flatnonzero(np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)))
    counts = np.diff(np.append(starts, keys.shape[1]))
    top = np.argsort(-counts, kind="stable")[:TOP_PER_BATCH]
    return [(tuple(keys[:, starts[i]].tolist()), int(counts[i])) for i in top]


def _count(counter: Counter[Any], key: Any, count: int) -> None:
    if key in counter or len(counter) < TOP_KEPT:
        counter[key] += count


def _proto_name(number: int) -> str:
    if number in (Proto.ICMP, Proto.ICMP6):
        return "icmp"
    known = Proto.__members__.values()
    return Proto(number).name.lower() if number in known else f"ip protocol {number}"


def _address(hi: int, lo: int) -> str:
    import ipaddress

    if hi == 0 and lo >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(lo & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(hi << 64 | lo))
