"""The parts of a `preprocess` section that are made apart: each depends on its own keys alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAIN = "preprocess"


def parts(section: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each part as a section of its own, by the name of its step; an empty section has none."""
    return {MAIN: dict(section)} if section else {}
