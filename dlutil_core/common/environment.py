"""Environment variables that are part of a run: their values stay in the environment.

Values may be secrets. What is written holds a hash in their place, which is enough to tell whether
a value is the one of before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.hashes import sha256_text

MARK = "sha256:"


def hashed_env(env: Mapping[str, Any]) -> dict[str, str]:
    """The names with a hash of each value; what is a hash already stays."""
    return {name: value if is_hash(value) else hashed(str(value)) for name, value in env.items()}


def hashed(value: str) -> str:
    """What stands for a value."""
    return MARK + sha256_text(value)


def is_hash(value: Any) -> bool:
    """Whether this stands for a value."""
    return isinstance(value, str) and re.fullmatch(MARK + "[0-9a-f]{64}", value) is not None


def env_values(section: Mapping[str, Any], source: str = "config") -> dict[str, str]:
    """The values of `env:` as texts; one that is left empty is that of the environment."""
    found = {}
    for name, value in section.items():
        if value is None and name not in os.environ:
            raise UserError(
                f"{source}: env.{name} is empty and the environment has no {name}; set it, for "
                f"example with export {name}=VALUE"
            )
        text = {True: "1", False: "0"}.get(value) if isinstance(value, bool) else str(value)
        found[name] = os.environ[name] if value is None else str(text)
    return found


def unlike(env: Mapping[str, str]) -> list[str]:
    """Names whose values in the environment are not those that these hashes stand for."""
    wanted = hashed_env(env)
    return [n for n, h in wanted.items() if n not in os.environ or hashed(os.environ[n]) != h]
