"""Every setting, with its default and unit. A stage is built from its slice; nothing else reads settings.

Unknown keys and wrong values are errors that name the key and what was expected.
"""

from __future__ import annotations

import msgspec

from sensor import limits


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    batch_frames: int = limits.BATCH_FRAMES
    """Frames per batch; results do not depend on it."""


class DecodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ReassemblySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    flows_max: int = limits.FLOWS_MAX
    """Concurrent flows; the oldest is evicted and counted beyond it."""


class ProtocolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    show_secrets: bool = False
    """Leave tokens, keys, passwords and card numbers in uri and referrer."""


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class AlertingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sensor: str = ""
    """Name of this sensor in its alerts; the host's name when empty."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    capture: CaptureSettings = CaptureSettings()
    decode: DecodeSettings = DecodeSettings()
    reassembly: ReassemblySettings = ReassemblySettings()
    protocols: ProtocolSettings = ProtocolSettings()
    detection: DetectionSettings = DetectionSettings()
    alerting: AlertingSettings = AlertingSettings()
