"""Channels of notification: settings go in, a function that delivers one notice comes out; a file a kind.

Law: a channel delivers or raises Undelivered, whose text never holds an address, a header or a secret.
"""

from __future__ import annotations

from collections.abc import Callable

from sensor.collector.notice import Notice
from sensor.config import ChannelSettings
from sensor.config.environment import expanded
from sensor.errors import SettingError

Send = Callable[[Notice, int], None]
"""Delivers a notice; the number is the delivery's, the same when it is tried again."""


class Undelivered(Exception):
    """Why a notice could not be delivered, in words that may be stored and shown."""


def channel(settings: ChannelSettings, timeout_seconds: float) -> Send:
    """Raises SettingError, naming the channel, for settings that cannot work."""
    from sensor.collector.channels.apprise_channel import apprise_channel
    from sensor.collector.channels.webhook import Webhook

    key = f"collector.channels: {settings.name}"
    if bool(settings.apprise) == bool(settings.webhook):
        raise SettingError(f"{key}: expected one of apprise and webhook")
    if settings.apprise:
        return apprise_channel(expanded(settings.apprise, key), settings.title, settings.body, key)
    if settings.title:
        raise SettingError(f"{key}: title: a webhook has none; expected it in the body")
    return Webhook(
        expanded(settings.webhook, key),
        {name: expanded(value, key) for name, value in settings.headers.items()},
        settings.body,
        expanded(settings.secret, key),
        timeout_seconds,
        key,
    ).send
