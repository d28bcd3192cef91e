"""Secrets that stand in the environment and not in a file: text with ${VARIABLE} goes in, the text meant comes out.

Law: what is not in the environment is an error that names the variable, and nothing here is ever shown.
"""

from __future__ import annotations

import os
import re

from sensor.errors import SettingError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expanded(text: str, key: str) -> str:
    """With ${VARIABLE} taken from the environment; `key` names the setting in errors."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SettingError(f"{key}: ${{{match[1]}}} is not in the environment")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text)
