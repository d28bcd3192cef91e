"""Settings of what a collector finds out when an incident opens. Law: what is asked of others is off until it is set.
"""

from __future__ import annotations

import msgspec

from sensor.config.values import Seconds


class InvestigationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is attached to an incident when it opens, besides the actor's earlier alerts and the rule's playbook."""

    location_tables: tuple[str, ...] = ()
    """Tables in MaxMind's format (cities, countries, networks) that the client's address is looked up in."""
    transactions_kept: int = 0
    """Newest transactions of sensors that run with --publish-tables, kept in memory to be attached; 0 keeps none."""
    command: tuple[str, ...] = ()
    """Program and arguments that get the notice as JSON on standard input, and print what they know as lines."""
    command_seconds: Seconds = 10.0
    """How long that program may take."""
