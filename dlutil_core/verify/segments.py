"""Segments of a search: from a stored checkpoint of a trial to the next, and samples of them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, order=True)
class Segment:
    """Epochs `start + 1` to `end` of a trial; `start` 0: from its first initialisation."""

    trial: int
    start: int
    end: int

    @property
    def epochs(self) -> int:
        """How many epochs it takes to train it again."""
        return self.end - self.start


def segments_of(ends: Mapping[int, int], stored: Mapping[int, Sequence[int]]) -> list[Segment]:
    """All segments of a search.

    Parameters
    ----------
    ends
        How many epochs each trial was trained, by its number; one that failed in an epoch counts
        it, where training it again tells whether it fails.
    stored
        Epochs after which a checkpoint of the trial is there; none: one segment from the start.
    """
    found = []
    for trial, end in sorted(ends.items()):
        inside = {epoch for epoch in stored.get(trial, ()) if 0 < epoch < end}
        marks = [0, *sorted(inside), end]
        found += [Segment(trial, a, b) for a, b in pairwise(marks) if b > a]
    return found


def sample(segments: Sequence[Segment], share: float, seed: int | None) -> list[Segment]:
    """A random sample without replacement, of at least one segment.

    Parameters
    ----------
    share
        Of the segments, above 0 and at most 1; rounded up.
    seed
        Of the choice; `None`: nobody can know it before.
    """
    # 0.1 * 30 is a bit more than 3.
    count = min(len(segments), max(1, math.ceil(share * len(segments) - 1e-9)))
    chooser = random.SystemRandom() if seed is None else random.Random(seed)
    return sorted(chooser.sample(list(segments), count)) if segments else []


def chance_missed(segments: int, sampled: int, falsified: int = 1) -> float:
    """The probability that none of `falsified` false segments is in a sample.

    The hypergeometric distribution's: C(N - m, n) / C(N, n) for n sampled of N segments.
    """
    return math.comb(segments - falsified, sampled) / math.comb(segments, sampled)
