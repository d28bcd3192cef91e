"""The collector's tables: a place goes in, an open database with all of them comes out.

Law: what belongs together is committed together (`transaction`), and the audit trail refuses changes by itself.
"""

from __future__ import annotations

import re

from sensor.collector.databases import Database, connected, transaction
from sensor.errors import InputError, OutputError

__all__ = ["Database", "opened", "transaction"]

VERSION = 5
_TABLES = """
CREATE TABLE IF NOT EXISTS cursors (
    sensor TEXT PRIMARY KEY, epoch BIGINT NOT NULL, sequence BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS incidents (
    id {serial}, actor TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
    title TEXT NOT NULL, opened FLOAT8 NOT NULL, due FLOAT8 NOT NULL, first_seen FLOAT8 NOT NULL,
    last_seen FLOAT8 NOT NULL, first_detected FLOAT8 NOT NULL, acknowledged FLOAT8, closed FLOAT8, owner TEXT,
    escalated BIGINT NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS incidents_by_actor ON incidents (actor, state);
CREATE TABLE IF NOT EXISTS alerts (
    id {serial}, incident BIGINT NOT NULL REFERENCES incidents, sensor TEXT NOT NULL,
    alert_id TEXT NOT NULL, revision BIGINT NOT NULL, epoch BIGINT NOT NULL, sequence BIGINT NOT NULL,
    stored FLOAT8 NOT NULL, rule_id TEXT NOT NULL, category TEXT NOT NULL, severity TEXT NOT NULL,
    body {bytes} NOT NULL,
    UNIQUE (sensor, alert_id, revision));
CREATE INDEX IF NOT EXISTS alerts_by_incident ON alerts (incident);
CREATE TABLE IF NOT EXISTS audit (
    id BIGINT PRIMARY KEY, at FLOAT8 NOT NULL, incident BIGINT, who TEXT NOT NULL, action TEXT NOT NULL,
    why TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id {serial}, channel TEXT NOT NULL, incident BIGINT NOT NULL REFERENCES incidents,
    severity TEXT NOT NULL, digest BIGINT NOT NULL, notice {bytes} NOT NULL, created FLOAT8 NOT NULL,
    not_before FLOAT8 NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', tries BIGINT NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (channel, not_before) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS responses (
    id {serial}, action TEXT NOT NULL, target TEXT NOT NULL,
    incident BIGINT NOT NULL REFERENCES incidents, asked FLOAT8 NOT NULL, until FLOAT8 NOT NULL,
    dry_run BIGINT NOT NULL, state TEXT NOT NULL DEFAULT 'wanted', tries BIGINT NOT NULL DEFAULT 0,
    not_before FLOAT8 NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS responses_once ON responses (action, target) WHERE state IN ('wanted', 'active');
CREATE TABLE IF NOT EXISTS investigations (
    incident BIGINT PRIMARY KEY REFERENCES incidents, at FLOAT8 NOT NULL, severity TEXT NOT NULL,
    body {bytes} NOT NULL);
CREATE TABLE IF NOT EXISTS sensor_rules (sensor TEXT PRIMARY KEY, at FLOAT8 NOT NULL, body {bytes} NOT NULL);
CREATE TABLE IF NOT EXISTS allowances (
    id {serial}, rule TEXT NOT NULL, entity TEXT NOT NULL, endpoint TEXT NOT NULL, until TEXT NOT NULL,
    reason TEXT NOT NULL, incident BIGINT, added FLOAT8 NOT NULL, ended FLOAT8);
CREATE TABLE IF NOT EXISTS sink_positions (name TEXT PRIMARY KEY, alert BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS sink_refusals (
    sink TEXT NOT NULL, alert BIGINT NOT NULL REFERENCES alerts, problem TEXT NOT NULL, at FLOAT8 NOT NULL,
    again BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (sink, alert));
"""
NAMES = tuple(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", _TABLES))
"""Of all tables, those that others refer to first."""
NUMBERED = frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) \(\s*id ", _TABLES))
"""Of those whose rows have numbers."""


def opened(place: str, create: bool = False) -> Database:
    """A connection of its own for one thread. Raises InputError when there is no store and `create` is False."""
    base = connected(place, create)
    try:
        _prepare(base, create)
    except BaseException:
        base.close()
        raise
    return base


def _prepare(base: Database, create: bool) -> None:
    version = base.version
    if version > VERSION:
        raise OutputError(f"{base.place}: a store of version {version}, this program reads {VERSION}: update it")
    if not version and not create:
        raise InputError(base.place, "no such store: expected what `tapir collect --store` writes")
    if version < VERSION:  # tables that an older version had no use for are added
        with transaction(base):
            for statement in (*_TABLES.format(**base.words).split(";\n"), *base.guards):
                base.execute(statement)
            base.version = VERSION
