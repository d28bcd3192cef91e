"""What a collector with a store does about alerts: settings go in, consequences and duties come out.

Law: each duty has a connection of its own, and faults of settings show before the first alert is received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from sensor.collector.channels import channel
from sensor.collector.databases import Database
from sensor.collector.delivery import Dispatcher
from sensor.collector.duties import Duties, Step
from sensor.collector.escalation import Escalation
from sensor.collector.investigation.investigate import Investigator
from sensor.collector.response.act import Responder
from sensor.collector.response.choose import Chooser
from sensor.collector.routing import Router
from sensor.collector.sinks import Feed, sink
from sensor.collector.store import Store
from sensor.collector.tables import opened
from sensor.config import BusSettings, CollectorSettings
from sensor.errors import SettingError


class Sensors(NamedTuple):
    """Whom the collector listens to; `keys` and `plaintext` as of Subscriber."""

    addresses: Sequence[str] = ()
    keys: str = ""
    plaintext: bool = False


NOBODY = Sensors()


@contextmanager
def kept(
    place: str, settings: CollectorSettings, report: Callable[[str], None], sensors: Sensors = NOBODY
) -> Iterator[Store]:
    """The store at `place`, with all that follows from what is stored. Raises SettingError, and BusError for `sensors`.
    """
    with ExitStack() as stack:
        store = stack.enter_context(Store(place, settings.incident_idle_seconds))

        def base() -> Database:
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
        store.consequences.append(Chooser(store.base, settings.response))
        steps["responses"] = Responder(base(), settings.response).step  # also what an earlier run left to undo
        recent = None
        if settings.investigation.transactions_kept:
            from sensor.collector.investigation.recent import Recent

            recent = Recent(*sensors, settings.investigation.transactions_kept)
            stack.callback(recent.close)
        steps["investigation"] = Investigator(base(), settings.investigation, recent).step
        if settings.allow_listen:
            steps["allowances"] = _offering(base(), settings.allow_listen, sensors, report, stack)
        if len({one.name for one in settings.sinks}) < len(settings.sinks):
            raise SettingError("collector.sinks: two have the same name")
        for each in settings.sinks:
            steps[f"sink {each.name}"] = Feed(base(), each.name, sink(each)).step
        stack.enter_context(Duties(steps, report))
        yield store


def _offering(
    base: Database, address: str, sensors: Sensors, report: Callable[[str], None], stack: ExitStack
) -> Step:
    """Lets sensors fetch what is allowed."""
    from sensor.bus.allowances import AllowanceServer
    from sensor.collector.allowances import offered

    server = AllowanceServer(BusSettings(publish=address, keys=sensors.keys, plaintext=sensors.plaintext), report)
    stack.callback(server.close)
    return lambda now: server.step(offered(base, now))
