"""Which configurations a stage tries, given what came of the trials of the stages before.

A pure function of its arguments. Sums are taken over axes, never by `@`: a product of matrices
differs in its last bits with the number of threads that its library takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlutil_core.search.staged.points import Space

Array = NDArray[np.float64]

PLAIN_EVERY = 4
"""One trial in so many takes its plain draw, so that no part of the space is ever given up."""
LEAST_SEEN = 8
"""With fewer results than this nothing is modelled."""
MOST_SEEN = 200
BEST_SEEN = 100
SHRINKAGE = 0.3
"""How much the model believes in the mean where it knows nothing, in trials."""
BANDWIDTHS = 32
BANDWIDTHS_KEPT = 5
NARROWEST, WIDEST = 0.1, 3.0
DIGITS = 9
"""Candidates whose values agree to so many places are equal; the first of them is picked."""


@dataclass(frozen=True)
class Seen:
    """What came of a trial: its configuration, planned budget, and score at it (`None`: failed)."""

    trial: int
    config: Mapping[str, Any]
    budget: int
    score: float | None


def pool_size(trials: int) -> int:
    """How many draws a stage of so many trials picks from, beside its plain ones."""
    return min(400, max(150, 10 * trials))


def chosen(
    plain: Sequence[dict[str, Any]],
    pool: Sequence[dict[str, Any]],
    seen: Sequence[Seen],
    seed: int,
    known: int = 0,
) -> list[dict[str, Any]]:
    """The configurations of a stage's trials, in order.

    Parameters
    ----------
    plain
        The draw of each trial under its own seed.
    pool
        Further draws; what was seen or is picked before is left out.
    seen
        All trials of the stages before.
    seed
        Of the model's bandwidths.
    known
        How many of the first plain ones are kept in any case, as those of `search.start` are.
    """
    if len(seen) < LEAST_SEEN:
        return list(plain)
    is_plain = [j < known or j % PLAIN_EVERY == PLAIN_EVERY - 1 for j in range(len(plain))]
    picks: list[dict[str, Any] | None] = [
        config if kept else None for config, kept in zip(plain, is_plain, strict=True)
    ]
    taken = {_key(found.config) for found in seen} | {_key(c) for c in picks if c is not None}
    free = [c for c, kept in zip(plain, is_plain, strict=True) if not kept]
    options = _others([*free, *pool], taken)
    space = Space([*plain, *pool])
    if not options or not space.dimensions:
        return list(plain)
    used = _most_telling(seen)
    model = Kernel(space.points([s.config for s in used]), targets(used), seed)
    fixed = [config for config in picks if config is not None]
    order = model.spread(space.points(options), space.points(fixed), is_plain.count(False))
    found = iter([options[index] for index in order])
    # Where options run out, the plain draw is as good as any: it may be one that was tried.
    return [pick or next(found, plain[j]) for j, pick in enumerate(picks)]


def _key(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True)


def _others(configs: Sequence[dict[str, Any]], taken: set[str]) -> list[dict[str, Any]]:
    """Those that are not taken, each once."""
    found = {_key(config): config for config in reversed(configs)}
    ordered = dict.fromkeys(_key(config) for config in configs)
    return [found[key] for key in ordered if key not in taken]


def placed(seen: Sequence[Seen]) -> list[Seen]:
    """Best first: whom the plan gave more epochs, then the higher score; failed trials last."""
    return sorted(
        seen,
        key=lambda s: (s.score is None, -s.budget, -(s.score or 0.0), s.trial),
    )


def _most_telling(seen: Sequence[Seen]) -> list[Seen]:
    """The best hundred and others at even distances, all in their places."""
    order = placed(seen)
    if len(order) <= MOST_SEEN:
        return order
    rest = order[BEST_SEEN:]
    count = MOST_SEEN - BEST_SEEN
    return order[:BEST_SEEN] + [rest[i * len(rest) // count] for i in range(count)]


def targets(order: Sequence[Seen]) -> Array:
    """The normal score of each place, the best one's highest; failed trials share the last."""
    normal = NormalDist()
    count = len(order)
    good = sum(s.score is not None for s in order)
    last = (good + count - 1) / 2
    places = [float(place) if place < good else last for place in range(count)]
    return np.array([-normal.inv_cdf((place + 0.5) / count) for place in places])


class Kernel:
    """Kernel regression, `sum(k z) / (sum(k) + 0.3)`, averaged over the best of seeded bandwidths.

    Parameters
    ----------
    points
        Shape (trials, coordinates).
    values
        Shape (trials,).
    seed
        Of the bandwidths tried; the best are those of the least leave-one-out error.
    """

    def __init__(self, points: Array, values: Array, seed: int) -> None:
        self.points = points
        self.values = values
        rng = np.random.Generator(np.random.PCG64(seed))
        logs = rng.uniform(np.log(NARROWEST), np.log(WIDEST), (BANDWIDTHS, points.shape[1]))
        tried = np.exp(logs)
        errors = [round(self._error(widths), DIGITS) for widths in tried]
        order = sorted(range(BANDWIDTHS), key=lambda index: (errors[index], index))
        self.widths = [tried[index] for index in order[:BANDWIDTHS_KEPT]]

    def _error(self, widths: Array) -> float:
        k = kernel(self.points, self.points, widths)
        np.fill_diagonal(k, 0.0)
        missed = mean_of(k, self.values) - self.values
        return float((missed * missed).sum())

    def spread(self, options: Array, fixed: Array, count: int) -> list[int]:
        """Pick `count` of the options one after the other, each where little was picked so far.

        Parameters
        ----------
        options
            Points to pick from, shape (options, coordinates).
        fixed
            Points that are tried in any case.

        Returns
        -------
        Indices of options, fewer than `count` where there are fewer.
        """
        mean = np.zeros(len(options))
        near = np.zeros(len(options))
        for widths in self.widths:
            k = kernel(options, self.points, widths)
            mean += mean_of(k, self.values) / len(self.widths)
            near += (k.sum(axis=1) + kernel(options, fixed, widths).sum(axis=1)) / len(self.widths)
        picked: list[int] = []
        for _ in range(min(count, len(options))):
            worth = np.round(mean + 1.0 / np.sqrt(1.0 + near), DIGITS)
            worth[picked] = -np.inf
            pick = int(np.argmax(worth))
            picked.append(pick)
            for widths in self.widths:
                k = kernel(options, options[pick : pick + 1], widths)
                near += k[:, 0] / len(self.widths)
        return picked


def kernel(left: Array, right: Array, widths: Array) -> Array:
    """Gaussian kernel of each pair of points, shape (left, right)."""
    squares = np.zeros((len(left), len(right)))
    for axis, width in enumerate(widths):
        apart = (left[:, axis, None] - right[None, :, axis]) / width
        squares += apart * apart
    weights: Array = np.exp(-0.5 * squares)
    return weights


def mean_of(k: Array, values: Array) -> Array:
    """The model's mean at each row of a kernel matrix."""
    mean: Array = (k * values).sum(axis=1) / (k.sum(axis=1) + SHRINKAGE)
    return mean
