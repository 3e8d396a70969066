"""Axes of charts: values to pixels, and the values that get a tick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_TICKS = 6
"""About how many ticks an axis gets."""

LOG_SPAN = 7.99
"""Positive values that span less than this factor are drawn on a linear axis."""


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`.

    `ticks` are pairs of a value and its label. On a logarithmic axis `low` is above zero.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def fraction(self, value: float) -> float:
        """Where a value lies: 0 at `low`, 1 at `high`; values outside are moved to the edge."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            value = math.log(max(value, self.low))
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def inside(self, value: float) -> bool:
        """Whether the axis shows this value where it is."""
        slack = 1e-9 * abs(self.high - self.low)
        return self.low - slack <= value <= self.high + slack


def linear(low: float, high: float, margin: float = 0.0, whole: bool = False) -> Scale:
    """A linear axis; `margin` is added on both sides, as a fraction of the span; ticks may be whole
    numbers alone.
    """
    if not high > low:
        half = abs(low) * 0.1 or 0.5
        low, high = low - half, high + half
    low, high = low - margin * (high - low), high + margin * (high - low)
    step = nice_step((high - low) / MAX_TICKS)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [k * step for k in range(first, last + 1)]
    return Scale(low, high, tuple((v, tick_label(v, step)) for v in values))


def logarithmic(low: float, high: float, margin: float = 0.0) -> Scale:
    """A logarithmic axis over positive values, with ticks at 1, 2, 5 or powers of ten."""
    if not high > low:
        low, high = low / 2, high * 2
    factor = (high / low) ** margin
    low, high = low / factor, high * factor
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if len(decades) > 4 else (1, 3) if len(decades) > 2 else (1, 2, 5)
    values = [m * 10.0**d for d in decades for m in steps]
    kept = tuple((v, f"{v:g}") for v in values if low <= v <= high)
    return Scale(low, high, kept, log=True)


def at_values(values: Sequence[float], low: float, high: float, log: bool = False) -> Scale:
    """An axis with ticks at exactly these values."""
    return Scale(low, high, tuple((v, f"{v:g}") for v in values), log)


def categories(names: Sequence[str]) -> Scale:
    """An axis of categories, at 0, 1, 2, …"""
    return Scale(-0.5, len(names) - 0.5, tuple((float(i), n) for i, n in enumerate(names)))


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 5) if m * power >= rough * (1 - 1e-9)), 10 * power)


def tick_label(value: float, step: float) -> str:
    """A tick's text with as many decimals as the step between ticks needs."""
    if value == 0:
        return "0"
    if abs(value) >= 1e5 or step < 1e-4:
        return f"{value:.3g}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{decimals}f}"


def robust_range(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value, without what lies far outside the middle 96 %."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, (0.02, 0.98))
    reach = 2 * (high - low)
    return float(max(finite.min(), low - reach)), float(min(finite.max(), high + reach))


def reward_range(values: np.ndarray) -> tuple[float, float]:
    """From the largest value down, but not below four times the distance to the median."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    high = float(finite.max())
    return max(float(finite.min()), high - 4 * (high - float(np.median(finite)))), high


def suits_log(values: np.ndarray) -> bool:
    """Whether a logarithmic axis shows values better: they are positive, span much, and lie more
    evenly on it than on a linear one, as those of a log-uniform range or of 1, 10, 100 do.
    """
    if not values.size or values.min() <= 0 or values.max() / values.min() < LOG_SPAN:
        return False
    return _unevenness(np.log(values)) <= _unevenness(values) + 1e-9


def _unevenness(values: np.ndarray) -> float:
    """The largest distance of sorted values from evenly spaced ones, as a fraction of the span."""
    ordered = np.unique(values)
    places = (ordered - ordered[0]) / (ordered[-1] - ordered[0])
    return float(np.abs(places - np.linspace(0, 1, len(ordered))).max())
