"""Configurations as points: what a kernel needs of whatever `get_config` returns.

A number stands at its mid-rank among the draws, so that no scale need be declared; texts,
booleans and `None` are one-hot; a key that some draws lack has a flag; what is nested or listed is
flattened.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE_HOT = 0.7
"""How far a category stands out: two that differ are about one whole range of a number apart."""

MISSING = 0.5
"""Where a number that a configuration lacks stands: in the middle."""


class Space:
    """The coordinates that draws of `get_config` show.

    Parameters
    ----------
    draws
        Configurations; what is the same in all of them is no coordinate.
    """

    def __init__(self, draws: Sequence[Mapping[str, Any]]) -> None:
        flat = [flattened(config) for config in draws]
        self.names = sorted({name for config in flat for name in config})
        self.flagged = {name for name in self.names if any(name not in c for c in flat)}
        self.numbers: dict[str, NDArray[np.float64]] = {}
        self.categories: dict[str, list[str]] = {}
        for name in self.names:
            values = [config[name] for config in flat if name in config]
            numbers = sorted(float(value) for value in values if is_number(value))
            if len(set(numbers)) > 1:
                self.numbers[name] = np.array(numbers)
            texts = sorted({_text(value) for value in values if not is_number(value)})
            if len(texts) > 1 or (texts and numbers):
                self.categories[name] = texts

    def points(self, configs: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
        """The points of configurations, shape (configurations, coordinates)."""
        rows = [self._point(flattened(config)) for config in configs]
        return np.array(rows, dtype=np.float64).reshape(len(rows), self.dimensions)

    @property
    def dimensions(self) -> int:
        """How many coordinates a point has."""
        categories = sum(len(texts) for texts in self.categories.values())
        return len(self.flagged) + len(self.numbers) + categories

    def _point(self, flat: Mapping[str, Any]) -> list[float]:
        point = []
        for name in self.names:
            value: Any = flat.get(name)
            if name in self.flagged:
                point.append(ONE_HOT if name in flat else 0.0)
            if name in self.numbers:
                point.append(mid_rank(self.numbers[name], value) if is_number(value) else MISSING)
            for text in self.categories.get(name, []):
                is_this = name in flat and not is_number(value) and _text(value) == text
                point.append(ONE_HOT if is_this else 0.0)
        return point


def mid_rank(ordered: NDArray[np.float64], value: float) -> float:
    """The share of numbers below a value, and half of those equal to it: 0 to 1."""
    below = int(np.searchsorted(ordered, value, "left"))
    up_to = int(np.searchsorted(ordered, value, "right"))
    return (below + up_to) / (2 * len(ordered))


def is_number(value: Any) -> bool:
    """Whether a value has a place among others; a boolean is a category."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def flattened(config: Any, name: str = "") -> dict[str, Any]:
    """The values of a configuration by path; lists by place, empty ones as they are."""
    parts: Iterable[tuple[Any, Any]]
    if isinstance(config, Mapping):
        parts = config.items()
    elif isinstance(config, list):
        parts = enumerate(config)
    else:
        return {name: config}
    found: dict[str, Any] = {}
    for key, value in parts:
        found |= flattened(value, f"{name}/{json.dumps(key)}")
    return found or {name: "{}" if isinstance(config, Mapping) else "[]"}


def _text(value: Any) -> str:
    return json.dumps(value)
