"""What a set holds, as a small JSON file: records, lengths, letters, labels, duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlutil_core.preprocess.encode.alphabet import Alphabet
from dlutil_core.preprocess.read.blocks import Block

MAX_COUNTED_COLUMNS = 64
MAX_VALUES = 50


class LabelCounts:
    """Smallest, largest and mean label of each column; counts of the values where they are few.

    Attributes
    ----------
    classes, orders
        For each column the names of its classes and the final number of each, or None.
    """

    def __init__(self) -> None:
        self.classes: list[list[str] | None] = []
        self.orders: list[np.ndarray | None] = []
        self._columns: list[ColumnCounts] = []

    def add(self, labels: np.ndarray) -> None:
        """Count labels, shape (n, K)."""
        if not self._columns:
            few = labels.shape[1] <= MAX_COUNTED_COLUMNS
            self._columns = [ColumnCounts(few) for _ in range(labels.shape[1])]
        columns = np.ascontiguousarray(labels.T)
        if labels.dtype.kind == "f" and np.isnan(labels).any():
            for counted, values in zip(self._columns, columns, strict=True):
                counted.add_known(values[~np.isnan(values)], len(values))
            return
        low, high, total = columns.min(1), columns.max(1), columns.sum(1, dtype=np.float64)
        for k, counted in enumerate(self._columns):
            counted.add(columns[k], low[k], high[k], total[k])

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary a column."""
        nothing: list[None] = [None] * len(self._columns)
        found = zip(self._columns, self.classes or nothing, self.orders or nothing, strict=False)
        return [
            column.summary() if names is None or order is None else column.named(names, order)
            for column, names, order in found
        ]


class ColumnCounts:
    """One column of labels; missing ones (NaN) are counted apart."""

    def __init__(self, few: bool) -> None:
        self.records = 0
        self.missing = 0
        self._low, self._high, self._sum = np.inf, -np.inf, 0.0
        self._counts: dict[float, int] | None = {} if few else None

    def add(self, values: np.ndarray, low: float, high: float, total: float) -> None:
        """Count values, shape (n,), of this minimum, maximum and sum."""
        self.records += len(values)
        self._low, self._high = min(self._low, float(low)), max(self._high, float(high))
        self._sum += float(total)
        if self._counts is not None:
            self._counts = _count(self._counts, values)

    def add_known(self, known: np.ndarray, count: int) -> None:
        """Count `count` values of which these are not missing."""
        self.missing += count - len(known)
        if len(known):
            self.add(known, known.min(), known.max(), known.sum(dtype=np.float64))

    def summary(self) -> dict[str, Any]:
        """Minimum, maximum, mean, and counts where there are few values."""
        known = self.records > 0
        entry: dict[str, Any] = {
            "min": self._low if known else None,
            "max": self._high if known else None,
            "mean": self._sum / self.records if known else None,
        }
        if self._counts is not None:
            counts = sorted(self._counts.items())
            entry["counts"] = {f"{value:.15g}": count for value, count in counts}
        return entry | self._missing()

    def named(self, names: list[str], order: np.ndarray) -> dict[str, Any]:
        """The classes, and how many records each has where there are few."""
        if self._counts is None:
            return {"classes": names} | self._missing()
        counts = {names[order[int(code)]]: count for code, count in self._counts.items()}
        return {
            "classes": names,
            "counts": {name: counts.get(name, 0) for name in names},
        } | self._missing()

    def _missing(self) -> dict[str, int]:
        return {"missing": self.missing} if self.missing else {}


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
