"""Settings of who may call what. Law: a setting has a default, a unit and a line that says what it is for."""

from __future__ import annotations

import msgspec

from sensor.config.values import AtLeastOne


class SegmentationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Compare calls with the allowed edges, if there is a file of them."""
    file: str = ""
    """Who may call what: `tapir edges learn` writes it; it is read again when it changes. None when empty."""
    entities_max: AtLeastOne = 8_192
    """Edges and roles whose findings are remembered, for each rule; the oldest give way and are counted."""
