"""Settings of what is learned of identities and of third parties. Law: a setting has a default, a unit and a line that
says what it is for.
"""

from __future__ import annotations

import msgspec

from sensor.config.values import AtLeastOne, NotNegativeNumber, Seconds, SecondsOrNone


class VerificationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = False
    """Keep a risk score for each identity, which rises with requests unlike those that it made before."""
    known_seconds: SecondsOrNone = 3_600.0
    """Packet time for which an identity must be known; what it shows until then is what it is like."""
    half_life_seconds: Seconds = 3_600.0
    """Packet time in which a risk score that nothing adds to falls to half."""
    score_min: NotNegativeNumber = 10.0
    """Risk score from which it is told; from three times as much on it is of high severity."""
    adopt_seconds: Seconds = 86_400.0
    """Packet time after which what was unlike and went on is what the identity is like."""
    identities_max: AtLeastOne = 16_384
    """Identities that are known; those known for longest give way and are counted."""


class ThirdPartiesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = False
    """Keep an inventory of APIs outside that are called from inside, and judge what they answer."""
    inside_networks: tuple[str, ...] = (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7",
        "fe80::/10", "::1/128",
    )  # fmt: skip
    """Networks that are one's own; everything else is outside (RFC 1918, 4193, 6598 and the links' own)."""
    allowed: tuple[str, ...] = ()
    """Names of third parties, each with all below it, that are meant to be called; any when empty."""
    known_seconds: SecondsOrNone = 86_400.0
    """Packet time since the first call outside after which a third party that was not called before is new."""
    answers_min: AtLeastOne = 30
    """Answers of a third party from which on its types and sizes are known."""
    size_ratio_min: NotNegativeNumber = 20.0
    """Times the largest answer before, from which an answer is told."""
    size_bytes_min: AtLeastOne = 1_000_000
    """Smaller answers are never large."""
    parties_max: AtLeastOne = 4_096
    """Third parties that are known; those known for longest give way and are counted."""
