"""The unit that flows from the readers to the HDF5 files: a block of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dlutil_core.preprocess.read.text_files import readable


@dataclass(frozen=True)
class Block:
    """Some thousand records of one raw file, in file order.

    Attributes
    ----------
    path
        The raw file, for messages.
    first
        Number of the first record in its file, from 1.
    names
        One name a record.
    sequences
        One sequence a record, as in the file but for white space; empty where there are features.
    features
        Numbers, float64 or uint8, shape (n, F), or None.
    paired
        The second sequence of each record, or None.
    labels
        Numbers, float64 or uint8, shape (n, K), or None.
    intervals
        Where each sequence was cut from the genome, as ``chr1:100-200(-)``, or None.
    chromosomes
        Chromosome of each record where the reader knows it, or None.
    groups
        What each record belongs to, where the split keeps groups together, or None.
    places
        Number of each record in the input that folds are made of, from 0, int64, or None.
    """

    path: str
    first: int
    names: list[bytes]
    sequences: list[bytes]
    features: np.ndarray | None = None
    paired: list[bytes] | None = None
    labels: np.ndarray | None = None
    intervals: list[bytes] | None = None
    chromosomes: list[bytes] | None = None
    groups: list[bytes] | None = None
    places: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def lengths(self) -> set[int]:
        """The distinct lengths of the sequences."""
        return set(map(len, self.sequences))

    def where(self, index: int) -> str:
        """The file, number and name of a record, for a message."""
        return f"{self.path}: record {self.first + index} ({readable(self.names[index])})"

    def with_labels(self, labels: np.ndarray) -> Block:
        """The same records with these labels, shape (n, K)."""
        return replace(self, labels=labels)

    def take(self, indices: Sequence[int] | np.ndarray) -> Block:
        """The records at these indices."""
        chosen = np.asarray(indices).tolist()

        def of(values: Any) -> Any:
            if values is None or isinstance(values, np.ndarray):
                return None if values is None else values[chosen]
            return [values[i] for i in chosen] if len(values) else []

        return Block(
            self.path,
            self.first,
            of(self.names),
            of(self.sequences),
            of(self.features),
            of(self.paired),
            of(self.labels),
            of(self.intervals),
            of(self.chromosomes),
            of(self.groups),
            of(self.places),
        )
