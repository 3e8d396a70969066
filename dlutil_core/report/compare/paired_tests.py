"""How sure a difference between two models is that were tested on the same records.

Every draw is seeded and the same for both models, so that what is compared is paired, and a
comparison gives the same numbers on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlutil_core.report import bootstrap
from dlutil_core.report.tasks import Task

DELONG = "DeLong"
PERMUTATION = "permutation"


@dataclass(frozen=True)
class Interval:
    """Limits of a difference: percentiles of its resamples."""

    low: float
    high: float


def paired_bootstrap(a: Task, b: Task) -> dict[str, Interval]:
    """Intervals of the metrics' differences (b - a): the same records are drawn for both.

    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Returns
    -------
    The limits by metric; a metric that no resample defines is left out.
    """
    first, second = bootstrap.weighted_statistics(a), bootstrap.weighted_statistics(b)
    drawn: dict[str, list[float]] = {}
    for weights in bootstrap.draws(a.records, bootstrap.resamples_for(2 * a.scores.size)):
        there, here = first(weights), second(weights)
        for name in there.keys() & here.keys():
            drawn.setdefault(name, []).append(here[name] - there[name])
    found = {}
    for name in sorted(drawn):
        kept = np.array([value for value in drawn[name] if math.isfinite(value)])
        if kept.size:
            limits = ((1 - bootstrap.LEVEL) / 2, (1 + bootstrap.LEVEL) / 2)
            low, high = np.quantile(kept, limits)
            found[name] = Interval(float(low), float(high))
    return found


def delong(positive: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The p-value, two-sided, of equal areas under two ROC curves of the same records.

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; placements by ranks as in Sun
    and Xu (2014), IEEE Signal Processing Letters 21, 1389-1393.

    Parameters
    ----------
    positive
        Bool `(N,)`.
    a, b
        Scores of the two models `(N,)`; higher means more likely positive.

    Returns
    -------
    The p-value; 1 where the two rank the records alike, NaN where one class has fewer than two.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if min(positives, negatives) < 2:
        return math.nan
    first, second = _placements(positive, a), _placements(positive, b)
    above, below = first[0] - second[0], first[1] - second[1]
    difference = float(above.mean())
    variance = float(above.var(ddof=1)) / positives + float(below.var(ddof=1)) / negatives
    if variance == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / math.sqrt(2 * variance))


def _placements(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive the share of negatives below it, for each negative of positives above it.

    Ties count half.
    """
    high, low = scores[positive], scores[~positive]
    return _share_below(high, low), 1 - _share_below(low, high)


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    ordered = np.sort(others)
    strictly = np.searchsorted(ordered, values, side="left")
    at_most = np.searchsorted(ordered, values, side="right")
    share: np.ndarray = (strictly + at_most) / (2 * len(others))
    return share


def permutation(a: Task, b: Task) -> dict[str, float]:
    """p-values, two-sided, of equal metrics: the two predictions of a record are exchangeable.

    Each permutation swaps them for about half of the records (Good 2005, Permutation, Parametric
    and Bootstrap Tests of Hypotheses, 3rd edition, chapter 3). The observed order counts as one, so
    that the smallest value is 1 / (permutations + 1).

    Returns
    -------
    The p-value by metric.
    """
    observed = differences(a, b)
    rng = np.random.default_rng(bootstrap.SEED)
    count = bootstrap.resamples_for(2 * a.scores.size)
    reached = dict.fromkeys(observed, 1)
    for _ in range(count):
        swapped = rng.integers(0, 2, a.records).astype(bool)[:, None]
        one = _with_scores(a, np.where(swapped, b.scores, a.scores))
        two = _with_scores(b, np.where(swapped, a.scores, b.scores))
        drawn = differences(one, two)
        for name, value in observed.items():
            # Sums in another order may differ in the last bits where nothing else does.
            reached[name] += abs(drawn.get(name, math.nan)) >= abs(value) * (1 - 1e-12)
    return {name: hits / (count + 1) for name, hits in reached.items()}


def differences(a: Task, b: Task) -> dict[str, float]:
    """The metrics that both tasks have, b - a; those that are not finite are left out."""
    first, second = bootstrap.statistics(a), bootstrap.statistics(b)
    found = {name: second[name] - first[name] for name in first if name in second}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _with_scores(task: Task, scores: np.ndarray) -> Task:
    return Task(task.kind, task.truth, scores, task.probabilities, task.names, task.known)
