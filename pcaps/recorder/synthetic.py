"""Captures crafted for corner cases that no program here produces on demand; their names begin with `synthetic-`.
"""
from __future__ import annotations
CAPTURES: dict = {}
