"""Means over members, and how far they spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95
"""Of the intervals."""


@dataclass(frozen=True)
class Spread:
    """A metric over all members.

    Attributes
    ----------
    mean
        Over all members.
    sd
        Standard deviation of one member (N - 1 below the line); `None` of fewer than two.
    interval
        Limits of the mean: Student's t of the folds' means, or of the seeds where there is one
        fold; `None` of fewer than two.
    """

    mean: float | None
    sd: float | None
    interval: tuple[float, float] | None


def spread_of(values: Mapping[int, Sequence[float]]) -> Spread:
    """Of values by fold.

    Members of one fold are tested on the same records, so that they are no independent looks at
    what is asked: with several folds the interval is that of the folds' means.
    """
    every = [value for fold in values.values() for value in fold if math.isfinite(value)]
    if not every:
        return Spread(None, None, None)
    finite = [[v for v in fold if math.isfinite(v)] for fold in values.values()]
    means = [mean_of(fold) for fold in finite if fold]
    units = means if len(values) > 1 else every
    return Spread(mean_of(every), sd_of(every), _interval(units))


def mean_of(values: Sequence[float]) -> float:
    """The mean, summed exactly."""
    return math.fsum(values) / len(values)


def sd_of(values: Sequence[float]) -> float | None:
    """The standard deviation; `None` of fewer than two values."""
    if len(values) < 2:
        return None
    center = mean_of(values)
    return math.sqrt(math.fsum((v - center) ** 2 for v in values) / (len(values) - 1))


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    from scipy.special import stdtrit

    sd = sd_of(values)
    if sd is None:
        return None
    count = len(values)
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * sd / math.sqrt(count)
    return mean_of(values) - half, mean_of(values) + half
