"""What a collector with a store does about alerts: settings go in, consequences and duties come out.

Law: each duty has a connection of its own, and faults of settings show before the first alert is received.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sensor.collector.channels import channel
from sensor.collector.delivery import Dispatcher
from sensor.collector.duties import Duties, Step
from sensor.collector.escalation import Escalation
from sensor.collector.routing import Router
from sensor.collector.store import Store
from sensor.collector.tables import opened
from sensor.config import CollectorSettings


@contextmanager
def kept(place: str, settings: CollectorSettings, report: Callable[[str], None]) -> Iterator[Store]:
    """The store at `place`, with all that follows from what is stored. Raises SettingError."""
    with ExitStack() as stack:
        store = stack.enter_context(Store(place, settings.incident_idle_seconds))

        def base() -> sqlite3.Connection:
            connection = opened(place)
            stack.callback(connection.close)
            return connection

        store.consequences.append(Router(store.base, settings))
        steps: dict[str, Step] = {}
        for one in settings.channels:
            send = channel(one, settings.timeout_seconds)
            steps[f"channel {one.name}"] = Dispatcher(base(), one.name, send, settings).step
        if settings.on_call:
            steps["on-call"] = Escalation(base(), settings).step
        stack.enter_context(Duties(steps, report))
        yield store
