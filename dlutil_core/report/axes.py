"""Axes of hyperparameters: numbers, categories, places for `None` and for what a trial lacks."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from dlutil_core.report.collect import ABSENT, Results
from dlutil_core.report.scales import Scale, categories, linear, logarithmic, suits_log
from dlutil_core.search.leaderboard import Standing

MAX_CATEGORIES = 12
FEW = 6
"""Numbers of at most so many different values get a tick each."""

NOT_USED = "not used"
MARGIN = 0.06


class Axis:
    """A hyperparameter: numbers, on a linear or logarithmic axis, or categories.

    Parameters
    ----------
    name
        The hyperparameter.
    results
        The report's content, with the values of all trials.

    `None` is a value like others, and a trial without the hyperparameter lies at "not used": beside
    numbers both have places of their own below the axis's lowest number.
    """

    def __init__(self, name: str, results: Results) -> None:
        self.name = name
        self.results = results
        every = [results.value(trial, name) for trial in results.trials]
        distinct = {value_text(value): value for value in every}
        special = [text for text, value in distinct.items() if value is None or value is ABSENT]
        others = [value for value in distinct.values() if value is not None and value is not ABSENT]
        self.varies = len(distinct) > 1
        self.numeric = len(others) > 1 and all(map(_is_number, others))
        self.special = sorted(special, reverse=True)
        self.names = [value_text(v) for v in sorted(distinct.values(), key=_order)]
        self.values = np.array(sorted({float(v) for v in others})) if self.numeric else np.empty(0)
        if self.numeric and special and len(self.values) <= FEW:
            self.numeric = False  # all are categories then, in the order of the numbers
        self.log = self.numeric and suits_log(self.values)
        self.few = not self.numeric or len(self.values) <= FEW
        self.scale = self._scale()

    @property
    def label(self) -> str:
        """The axis's label."""
        return f"{self.name}{' (logarithmic)' if self.log else ''}"

    def _scale(self) -> Scale:
        if not self.numeric:
            shown = self.names if len(self.names) <= MAX_CATEGORIES else [""] * len(self.names)
            return categories(shown or [""])
        low, high = float(self.values[0]), float(self.values[-1])
        made = (logarithmic if self.log else linear)(low, high, MARGIN)
        ticks = tuple((v, f"{v:.5g}") for v in self.values) if self.few else made.ticks
        if not self.special:
            return Scale(made.low, made.high, ticks, made.log)
        beside = tuple(zip(self._special_places(), self.special, strict=True))
        kept = tuple(tick for tick in ticks if tick[0] >= low)
        return Scale(self._below(len(self.special) + 0.6), made.high, (*beside, *kept), made.log)

    def _below(self, steps: float) -> float:
        """A place below the lowest number, in steps of a seventh of the axis."""
        low, high = float(self.values[0]), float(self.values[-1])
        if self.log:
            return low * (low / high) ** (steps / 7)
        return low - steps * (high - low) / 7

    def _special_places(self) -> list[float]:
        return [self._below(k + 1) for k in range(len(self.special))]

    def place(self, trial: Standing) -> float:
        """Where a trial lies on the axis."""
        value = self.results.value(trial, self.name)
        if not self.numeric:
            return float(self.names.index(value_text(value)))
        if value is None or value is ABSENT:
            return self._special_places()[self.special.index(value_text(value))]
        return float(value)

    def fraction(self, trial: Standing) -> float:
        """The same as a fraction of the axis."""
        return self.scale.fraction(self.place(trial))


def value_text(value: Any) -> str:
    """A hyperparameter's value as it is shown: `none`, `true`, `0.1`, `[64, 32]`."""
    if value is ABSENT:
        return NOT_USED
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.5g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _order(value: Any) -> tuple[int, float, list[tuple[int, float, str]]]:
    """What is not used first, then None, truths, numbers, and texts with their numbers in order."""
    if value is ABSENT or value is None:
        return (0 if value is ABSENT else 1), 0.0, []
    if isinstance(value, (bool, int, float)):
        return (2 if isinstance(value, bool) else 3), float(value), []
    parts = re.split(r"(\d+(?:\.\d+)?)", value_text(value))
    keys = [(1, float(p), "") if p[:1].isdigit() else (0, 0.0, p) for p in parts if p]
    return 4, 0.0, keys
