"""How alike motifs are, over all offsets and on both strands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlutil_core.explain.motifs import Motif

MIN_OVERLAP = 5
PERMUTATIONS = 999
SEED = 0


@dataclass(frozen=True)
class Match:
    """How a motif lies on another one.

    Attributes
    ----------
    target
        The motif that it was compared with.
    strand
        `+`, or `-` where the target's reverse complement matches.
    offset
        Column of the motif under which the (turned) target begins; may be negative.
    similarity
        Cosine of the two matrices of frequencies less 1/4, with columns that only one of them has
        counted as nothing in the other: 1 for equal motifs, lower the less they overlap.
    pearson
        Pearson's correlation of the frequencies of the aligned columns.
    overlap
        Number of aligned columns.
    """

    target: Motif
    strand: str
    offset: int
    similarity: float
    pearson: float
    overlap: int


def compare(motif: Motif, target: Motif) -> Match:
    """The best of all offsets and strands by similarity; ties go to the plus strand.

    Columns are compared as in tools that search motif databases by correlation (Pietrokovski 1996,
    NAR 24, 3836; Gupta et al. 2007, Genome Biology 8, R24, for a discussion of scores).
    """
    query = motif.frequencies - 0.25
    best: tuple[float, str, int] | None = None
    for strand, turned in (("+", target), ("-", target.reverse_complement())):
        scores = _similarities(query, turned.frequencies - 0.25)
        place = int(np.argmax(scores))
        if best is None or scores[place] > best[0] + 1e-12:
            best = (float(scores[place]), strand, place - (target.width - 1))
    assert best is not None
    similarity, strand, offset = best
    turned = target if strand == "+" else target.reverse_complement()
    ours, theirs = aligned(motif, turned, offset)
    return Match(target, strand, offset, similarity, _pearson(ours, theirs), len(ours))


def best_match(motif: Motif, targets: Sequence[Motif]) -> tuple[Match, float]:
    """The most similar target, and how often its columns in another order are as similar.

    Returns
    -------
    The match and its p-value by permutation of the target's columns; it is not corrected for the
    number of targets.
    """
    match = max((compare(motif, target) for target in targets), key=lambda m: m.similarity)
    rng = np.random.default_rng(SEED)
    counts = match.target.counts
    shuffled = (Motif("", rng.permutation(counts, axis=0)) for _ in range(PERMUTATIONS))
    reached = sum(_highest(motif, other) >= match.similarity - 1e-12 for other in shuffled)
    return match, (reached + 1) / (PERMUTATIONS + 1)


def aligned(motif: Motif, target: Motif, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies `(overlap, 4)` of both where they overlap."""
    start, end = max(offset, 0), min(offset + target.width, motif.width)
    return motif.frequencies[start:end], target.frequencies[start - offset : end - offset]


def _highest(motif: Motif, target: Motif) -> float:
    query = motif.frequencies - 0.25
    sides = (target.frequencies - 0.25, target.frequencies[::-1, ::-1] - 0.25)
    return max(float(_similarities(query, side).max()) for side in sides)


def _similarities(query: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Cosines for the offsets `-(W_target - 1)` … `W_query - 1`; -1 where too few overlap."""
    products = sum(np.correlate(query[:, c], target[:, c], mode="full") for c in range(4))
    overlaps = np.correlate(np.ones(len(query)), np.ones(len(target)), mode="full")
    scale = float(np.linalg.norm(query) * np.linalg.norm(target))
    least = min(MIN_OVERLAP, len(query), len(target))
    cosines = products / scale if scale > 0 else np.zeros(len(overlaps))
    return np.where(overlaps >= least - 0.5, cosines, -1.0)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    from dlutil_core.model.metrics import pearson

    return pearson(a.ravel(), b.ravel())
