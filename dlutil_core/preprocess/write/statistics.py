"""What a set holds, as a small JSON file: records, lengths, letters, labels, duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlutil_core.preprocess.encode.alphabet import Alphabet
from dlutil_core.preprocess.read.blocks import Block

MAX_COUNTED_COLUMNS = 64
MAX_VALUES = 50


class LabelCounts:
    """Smallest, largest and mean label of each column; counts of the values where they are few."""

    def __init__(self) -> None:
        self.records = 0
        self._low: np.ndarray | None = None
        self._high: np.ndarray | None = None
        self._sum: np.ndarray | None = None
        self._counts: list[dict[float, int] | None] = []

    def add(self, labels: np.ndarray) -> None:
        """Count labels, shape (n, K)."""
        columns = np.ascontiguousarray(labels.T)
        low, high, total = columns.min(1), columns.max(1), columns.sum(1, dtype=np.float64)
        if self._low is None or self._high is None or self._sum is None:
            self._low, self._high, self._sum = low, high, total
            few = labels.shape[1] <= MAX_COUNTED_COLUMNS
            self._counts = [{} if few else None for _ in range(labels.shape[1])]
        else:
            self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
            self._sum = self._sum + total
        self.records += len(labels)
        for column, counts in enumerate(self._counts):
            if counts is not None:
                self._counts[column] = _count(counts, columns[column])

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary a column."""
        if self._low is None or self._high is None or self._sum is None:
            return []
        columns = []
        for column in range(len(self._low)):
            entry: dict[str, Any] = {
                "min": float(self._low[column]),
                "max": float(self._high[column]),
                "mean": float(self._sum[column] / self.records),
            }
            counts = self._counts[column]
            if counts is not None:
                entry["counts"] = {f"{value:.15g}": counts[value] for value in sorted(counts)}
            columns.append(entry)
        return columns


def _count(counts: dict[float, int], values: np.ndarray) -> dict[float, int] | None:
    """The counts with these values added, or None where there are too many values to count."""
    if values.dtype == np.uint8:
        found = np.bincount(values)
        pairs = [(value, found[value]) for value in np.flatnonzero(found)]
    else:
        distinct, numbers = np.unique(values, return_counts=True)
        if len(distinct) > MAX_VALUES:
            return None
        pairs = list(zip(distinct, numbers, strict=True))
    for value, number in pairs:
        counts[float(value)] = counts.get(float(value), 0) + int(number)
    return counts if len(counts) <= MAX_VALUES else None


class SequenceCounts:
    """Lengths (as in the raw file) and letters (as stored) of a set."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet
        self._letters = np.zeros(len(alphabet.letters), np.int64)
        self._zero = 0
        self.records = 0
        self._shortest = self._longest = self._total = 0

    def add_lengths(self, block: Block) -> None:
        """Count the lengths of a block's raw sequences."""
        low, high = min(block.lengths), max(block.lengths)
        self._shortest = min(self._shortest, low) if self.records else low
        self._longest = max(self._longest, high)
        self._total += low * len(block) if low == high else sum(map(len, block.sequences))
        self.records += len(block)

    def add_letters(self, counts: np.ndarray, stored: int) -> None:
        """Count letters: how often each code occurs among `stored` letters, padding left out."""
        self._letters += counts
        self._zero += stored - int(counts.sum())

    def summary(self) -> dict[str, Any]:
        """Lengths, counts of letters, GC and N fractions; GC is None without G and C."""
        letters = dict(zip(self._alphabet.letters, self._letters.tolist(), strict=True))
        every = sum(letters.values()) + self._zero
        strong = sum(letters.get(letter, 0) for letter in "GCgcSs")
        bases = sum(letters.get(letter, 0) for letter in "ACGTUacgtuSsWw")
        nucleic = self._alphabet.has_complements and bases
        return {
            "lengths": {
                "min": self._shortest,
                "max": self._longest,
                "mean": self._total / max(1, self.records),
            },
            "letters": letters | {"zero": self._zero},
            "gc": strong / bases if nucleic else None,
            "n_fraction": self._zero / every if every else 0.0,
        }
