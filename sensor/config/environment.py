"""Secrets that stand in the environment: in: a setting's text; out: the text with ${VARIABLE} filled in.

The one law: a variable that is not there is an error that names the setting, never the text.
"""

from __future__ import annotations

import os
import re

from sensor.errors import SettingError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expanded(text: str, key: str) -> str:
    """With ${VARIABLE} taken from the environment."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SettingError(f"{key}: ${{{match[1]}}} is not in the environment")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text)
