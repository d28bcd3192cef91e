"""How messages are named: an alert goes in, its topic comes out.

A topic is `alert.<severity>.<category>.<rule>`, so that a subscriber chooses by prefix: `alert.`, `alert.high.`,
`alert.high.authentication.`. Law: a topic starts with the kind of message, and no kind is a prefix of another.
"""

from __future__ import annotations

import msgspec

from sensor.alert import Alert
from sensor.alert_log import Record

ALERTS = "alert."
"""The prefix of every alert's topic, and of nothing else."""


def topic_of(alert: Alert) -> str:
    """`alert.high.authentication.brute-force-login` for a high alert of that category and rule."""
    return f"{ALERTS}{alert.severity}.{alert.category}.{alert.rule_id}"


def record_of(alert: Alert) -> Record:
    """An alert as it is kept and published."""
    return Record(alert.epoch, alert.sequence, topic_of(alert).encode(), msgspec.json.encode(alert))


def covers_all_alerts(topics: tuple[str, ...]) -> bool:
    """Whether a subscriber to these prefixes gets every alert, and can thus tell a missing one by its sequence number.
    """
    return any(ALERTS.startswith(topic) for topic in topics)
