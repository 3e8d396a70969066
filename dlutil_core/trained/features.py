"""Inputs of a network as columns for a linear model: counts of words of sequences, and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves

WORDS = 1024
"""So many different words are counted at most, unless their length is given."""

MAX_COLUMNS = 1_000_000


@dataclass
class Features:
    """How inputs become columns; decided by the first batch, and the same for all others.

    Parameters
    ----------
    kmer
        Letters of a word; `None`: the longest of which there are at most `WORDS`.
    """

    kmer: int | None = None
    _letters: dict[str, int] = field(default_factory=dict)
    """The axis of the letters of each input that is a one-hot sequence."""
    _told: dict[str, str] = field(default_factory=dict)
    _scale: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def text(self) -> str:
        """What the columns are."""
        return " and ".join(self._told.values())

    def of(self, x: Any) -> tuple[list[Any], list[np.ndarray]]:
        """A batch's counts of words, as sparse matrices, and its tables."""
        counts, tables = [], []
        for name, leaf in tree_leaves(x):
            values = as_array(leaf)
            if name not in self._told:
                self._look(name, values)
            if name in self._letters:
                counts.append(self._counted(values, self._letters[name]))
            else:
                tables.append(values.reshape(len(values), -1).astype(np.float64))
        return counts, tables

    def _look(self, name: str, values: np.ndarray) -> None:
        if values.dtype.kind not in "fiub" or values.ndim < 1:
            raise UserError(f"baseline: inputs are {values.dtype}, of which it makes no columns")
        axis = letters_axis(_without_ones(values))
        if axis is not None:
            self._letters[name] = axis
            count = _without_ones(values).shape[axis]
            self._told[name] = f"counts of words of {_times(self._word(count), 'letter')}"
            return
        width = int(np.prod(values.shape[1:], initial=1))
        if width > MAX_COLUMNS:
            raise UserError(
                f"baseline: inputs of shape {values.shape[1:]} are {width} numbers a record, and "
                "no one-hot sequences; set baseline: false"
            )
        self._told[name] = _times(width, "standardised column")

    def _word(self, letters: int) -> int:
        if self.kmer is None:
            return next(k for k in range(10, 0, -1) if letters**k <= max(WORDS, letters))
        if letters**self.kmer > MAX_COLUMNS:
            raise UserError(
                f"baseline.kmer is {self.kmer}, but there are {letters**self.kmer} such words of "
                f"{letters} letters; take fewer"
            )
        return self.kmer

    def _counted(self, values: np.ndarray, axis: int) -> Any:
        """How often each word occurs in each sequence, `(N, A**k)`; one with an unknown letter does
        not count.
        """
        from scipy.sparse import csr_matrix

        values = _without_ones(values)
        count = values.shape[axis]
        size = self._word(count)
        known = values.max(axis=axis) > 0.99
        letters = np.where(known, values.argmax(axis=axis), 0)
        places = max(letters.shape[1] - size + 1, 0)
        words = np.zeros((len(values), places), np.int64)
        whole = np.ones(words.shape, bool)
        for k in range(size):
            words = words * count + letters[:, k : k + places]
            whole &= known[:, k : k + places]
        rows, _ = np.nonzero(whole)
        ones = np.ones(len(rows))
        return csr_matrix((ones, (rows, words[whole])), shape=(len(values), count**size))

    def joined(self, batches: list[tuple[list[Any], list[np.ndarray]]]) -> Any:
        """All batches' columns; tables are standardised as the first set is, and what is missing in
        them is its mean.
        """
        from scipy.sparse import csr_matrix, hstack, vstack

        counts = [vstack(parts) for parts in zip(*(c for c, _ in batches), strict=True)]
        tables = [np.concatenate(parts) for parts in zip(*(t for _, t in batches), strict=True)]
        if not tables:
            return hstack(counts).tocsr()
        table = self._standardised(np.concatenate(tables, axis=1))
        return hstack([*counts, csr_matrix(table)]).tocsr() if counts else table

    def _standardised(self, table: np.ndarray) -> np.ndarray:
        table = np.where(np.isfinite(table), table, np.nan)
        if self._scale is None:
            known = np.maximum((~np.isnan(table)).sum(axis=0), 1)
            mean = np.nansum(table, axis=0) / known
            spread = np.sqrt(np.nansum((table - mean) ** 2, axis=0) / known)
            self._scale = mean, np.where(spread > 0, spread, 1.0)
        mean, spread = self._scale
        return np.asarray(np.nan_to_num((table - mean) / spread, nan=0.0))


def letters_axis(values: np.ndarray) -> int | None:
    """The axis of the letters of one-hot sequences, `(N, A, L)` or `(N, L, A)`; `None`: no such.

    A letter that is not known may be all zeros, or equal shares.
    """
    if values.ndim != 3 or not len(values):
        return None
    for axis in (1, 2):
        one = values.max(axis=axis) > 0.99
        total = values.sum(axis=axis)
        ones = values.shape[axis] > 1 and bool((values >= 0).all())
        if ones and bool((total < 1.001).all()) and one.mean() > 0.5:
            return axis
    return None


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _without_ones(values: np.ndarray) -> np.ndarray:
    """Without axes of length 1 but that of the records."""
    axes = tuple(k for k in range(1, values.ndim) if values.shape[k] == 1)
    return values.squeeze(axes)


def as_array(leaf: Any) -> np.ndarray:
    """A batch's array or tensor as an array."""
    return np.asarray(leaf.detach().cpu().numpy() if hasattr(leaf, "detach") else leaf)
