"""Slack, Teams, e-mail, PagerDuty and a hundred others: an address of apprise goes in, a way to deliver comes out.

Law: apprise is imported when a channel asks for it and not before; what it logs, which may hold addresses, is dropped.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sensor.collector.notice import Notice, check_places, filled
from sensor.errors import SettingError

if TYPE_CHECKING:
    from sensor.collector.channels import Send


def apprise_channel(address: str, title: str, body: str, key: str) -> Send:
    """`title` and `body` are templates, or empty for what notices say by themselves.

    Raises SettingError when apprise is missing or does not know such an address, and for a template's unknown place.
    """
    check_places(title, f"{key}: title")
    check_places(body, f"{key}: body")
    try:
        import apprise
    except ImportError:
        raise SettingError(f"{key}: needs apprise: pip install 'tapir-sensor[notify]'") from None
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    service = apprise.Apprise()
    if not service.add(address):
        raise SettingError(f"{key}: not an address that apprise knows: expected SERVICE://..., see its documentation")

    def send(notice: Notice, delivery: int) -> None:
        from sensor.collector.channels import Undelivered

        try:
            text = filled(body, notice, as_json=False) if body else notice.text
            head = filled(title, notice, as_json=False) if title else notice.title
            delivered = service.notify(title=head, body=text)
        except Exception as error:  # of any of its hundred services
            raise Undelivered(f"apprise failed: {type(error).__name__}") from None
        if not delivered:
            raise Undelivered("apprise could not deliver it")

    return send
