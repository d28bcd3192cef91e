"""Rows for the detectors' tests: a string pool in plain Python, transactions and flows built field by field.

The one law: what a test does not name is as ordinary as can be.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import pytest

import sensor
from sensor.alert import Detection
from sensor.config import DetectionSettings, FeatureSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors import DETECTORS
from sensor.detection.stage import DetectionStage
from sensor.features.stage import FeatureStage
from sensor.schema import FLOW, STREAM, TRANSACTION, ConnState, Proto, TransactionFlag
from sensor.structures.string_pool_kernels import ENTRY
from sensor.tls import TlsConnection

SECOND = 1_000_000_000
START = 1_795_250_000 * SECOND
REAL = Path(__file__).parents[3] / "shared" / "real"


class Pool:
    """Codes for texts, as the string pool gives them; hashes are spread, and alike for alike texts."""

    def __init__(self) -> None:
        self.texts = [""]
        self.codes = {"": 0}
        self.tables = SimpleNamespace(entries=np.zeros(65_536, ENTRY), bytes=np.zeros(1 << 20, np.uint8))
        self.used = 0

    def code(self, text: str) -> int:
        if text not in self.codes:
            self.codes[text] = len(self.texts)
            self.tables.entries[len(self.texts)]["hash"] = (0x9E3779B97F4A7C15 * len(self.texts)) & (2**64 - 1)
            entry, raw = self.tables.entries[len(self.texts)], text.encode()
            entry["start"], entry["length"] = self.used, len(raw)
            self.tables.bytes[self.used : self.used + len(raw)] = np.frombuffer(raw, np.uint8)
            self.used += len(raw)
            self.texts.append(text)
        return self.codes[text]

    def text(self, code: int) -> str:
        return self.texts[code]

    def gather(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        texts = [self.texts[code].encode() for code in codes.tolist()]
        return np.cumsum([0, *map(len, texts)]), np.frombuffer(b"".join(texts), np.uint8)


def words(address: str) -> tuple[int, int]:
    ip = ipaddress.ip_address(address)
    number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
    return number >> 64, number & (2**64 - 1)


def put(row: Any, side: str, address: str, port: int) -> None:
    row[f"{side}_hi"], row[f"{side}_lo"] = words(address)
    if side == "client":
        row["peer_hi"], row["peer_lo"] = words(address)
    row[f"{side}_port"] = port


def transaction(pool: Pool, seconds: float, client: str = "10.0.0.1", **given: Any) -> np.ndarray:
    """One row, TRANSACTION[1]: a successful GET of 100 bytes at `seconds` after START; texts may be given as text."""
    table = np.zeros(1, TRANSACTION)
    row = table[0]
    put(row, "client", client, given.pop("client_port", 40_000))
    put(row, "server", given.pop("server", "10.0.1.1"), 80)
    row["ts"] = row["now"] = row["response_end_ts"] = START + round(seconds * SECOND)
    values = {
        "method": "GET", "host": "api.test", "uri": "/things", "endpoint": "/things", "auth_scheme": "bearer",
        "status_code": 200, "response_body_len": 100, "records": -1, "proto": Proto.TCP,
        "flags": TransactionFlag.REQUEST | TransactionFlag.RESPONSE,
    } | given  # fmt: skip
    for name, value in values.items():
        row[name] = pool.code(value) if isinstance(value, str) else value
    return table


def login(pool: Pool, seconds: float, client: str = "10.0.0.1", status: int = 401, account: int = 0, **given: Any):
    """A login that failed."""
    values = {"method": "POST", "endpoint": "/login", "uri": "/login", "auth_scheme": ""} | given
    values.setdefault("flags", TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.LOGIN)
    return transaction(pool, seconds, client, status_code=status, account=account, **values)


def flow(
    seconds: float,
    state: ConnState = ConnState.S0,
    client: str = "10.0.0.1",
    host: str = "10.0.1.1",
    port: int = 80,
    payload: tuple[int, int] = (0, 0),
    **given: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """One flow that began and ended at `seconds` after START, with its two streams."""
    table, streams = np.zeros(1, FLOW), np.zeros(2, STREAM)
    put(table[0], "orig", client, given.pop("client_port", 50_000))
    put(table[0], "resp", host, port)
    table["start_ts"] = table["last_ts"] = table["end_now"] = START + round(seconds * SECOND)
    table["conn_state"], table["proto"] = state, Proto.TCP
    for name, value in given.items():
        table[name] = value
    streams["payload_bytes"] = payload
    return table, streams


NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS = np.zeros(0, TRANSACTION), np.zeros(0, FLOW), np.zeros(0, STREAM)


def join(tables: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(tables)


FEW = FeatureSettings(
    clients_max=4_096, identities_max=4_096, endpoints_max=1_024, servers_max=64, identity_endpoints_max=16_384,
    credentials_max=1_024,
)  # fmt: skip
"""Tables that are quickly made and larger than any test here fills."""


NO_TABLES = FeatureStage(FEW, Pool().tables).tables
"""For detectors that know no entities."""
_FEATURES: WeakKeyDictionary[DetectionStage, FeatureStage] = WeakKeyDictionary()


def features_of(stage: DetectionStage) -> FeatureStage:
    """The features that go with a stage, the same at each call."""
    if stage not in _FEATURES:
        _FEATURES[stage] = FeatureStage(FEW, stage.strings.tables)
    return _FEATURES[stage]


def alone(**settings: Any) -> DetectionSettings:
    """Settings with no detectors but those named."""
    shipped = DetectionSettings()
    others = {name: msgspec.structs.replace(getattr(shipped, name), enabled=False) for name in DETECTORS}
    return DetectionSettings(**(others | settings))


def run_transactions(stage: DetectionStage, rows: np.ndarray, batch: int = 1 << 30) -> list[Detection]:
    """All detections of the rows, given in batches, the entities of each resolved as the sensor does."""
    found = []
    rows = rows.copy()
    features = features_of(stage)
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        entities = features.process(part)
        found += stage.process(part, NO_FLOWS, NO_STREAMS, int(part["now"][-1]), entities, features.tables)
    return found


def run_flows(stage: DetectionStage, rows: list[tuple[np.ndarray, np.ndarray]], batch: int = 1 << 30):
    """All detections of the flows, given in batches."""
    found = []
    features = features_of(stage)
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        flows = join([flows for flows, _ in part])
        streams = join([streams for _, streams in part])
        entities = features.process(NO_TRANSACTIONS)
        now = int(flows["end_now"][-1])
        found += stage.process(NO_TRANSACTIONS, flows, streams, now, entities, features.tables)
    return found


def tls_batch(rows: list[TlsConnection]) -> Batch:
    """A batch of nothing but TLS connections, as late as the last."""
    none = np.zeros(0)
    return Batch(none, none, none, rows[-1].end_now, none, None, tls=rows)  # type: ignore[arg-type]


def real_alerts(name: str) -> list[dict[str, Any]]:
    """The last revision of every alert of a real capture, with the shipped settings."""
    path = REAL / f"{name}.pcap.xz"
    if not path.exists():
        pytest.skip(f"{path} is not there: the captures that the project does not own lie beside its checkout")
    alerts = {alert["alert_id"]: alert for alert in sensor.read(str(path)).alerts.to_dicts()}
    return list(alerts.values())


def read_server_log(name: str, pool: Pool) -> np.ndarray:
    """The API's own log of a real capture as transactions: what the sensor should see, without its packets."""
    path = REAL / f"{name}.access.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there: the captures that the project does not own lie beside its checkout")
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    rows = np.zeros(len(lines), TRANSACTION)
    lines.sort(key=lambda line: line["ts"] + line["rt"])
    for row, line in zip(rows, lines, strict=True):
        put(row, "client", line["ip"], line["port"])
        put(row, "server", line["dst"], 80)
        row["ts"] = round(line["ts"] * 1000) * 1_000_000
        row["now"] = row["response_end_ts"] = round((line["ts"] + line["rt"]) * 1000) * 1_000_000
        row["status_code"], row["response_body_len"], row["records"] = line["status"], line["out"], -1
        row["method"], row["uri"] = pool.code(line["m"]), pool.code(line["uri"])
        row["endpoint"] = pool.code(re.sub(r"/(\d+|[0-9a-f-]{8,})(?=/|$)", "/{id}", line["uri"].split("?")[0]))
        row["user_agent"], row["proto"] = pool.code(line["ua"]), Proto.TCP
        row["user"] = 0x5851F42D4C957F2D * (1 + pool.code(line["auth"])) % 2**64 if line["auth"] else 0
        row["flags"] = TransactionFlag.REQUEST | TransactionFlag.RESPONSE
        if "/login" in line["uri"] and line["m"] == "POST":
            row["flags"] |= TransactionFlag.LOGIN
    return rows
