"""Tapir: a passive network sensor for API security."""

from sensor._version import __version__

__all__ = ["__version__"]
