"""Batches in pieces, for evaluation: cut only where each part is a row of a record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dlutil_core.common.nested import take, tree_leaves
from dlutil_core.loaders.generators import BatchGenerator
from dlutil_core.loaders.prediction_order import records_of


def gives_records(loader: Iterable[Any]) -> bool:
    """Whether every array of a batch has one row for each record, whatever its length."""
    return isinstance(loader, BatchGenerator) and records_of(loader) is not None


def cut(batch: Any, size: int, inputs: Any, of_records: bool) -> list[Any]:
    """A batch in pieces of at most `size` records; whole where that may take it apart.

    Parameters
    ----------
    batch
        The inputs, or a pair of inputs and labels.
    inputs
        The inputs alone. Of several arrays of one length one may still be shared by all records, so
        these are cut only where `of_records` says that their rows are records.
    """
    length = common_length(batch)
    several = sum(1 for _ in tree_leaves(inputs)) > 1
    if length is None or length <= size or (several and not of_records):
        return [batch]
    return [take(batch, slice(start, start + size)) for start in range(0, length, size)]


def common_length(tree: Any) -> int | None:
    """The first dimension that all arrays share; `None` where they share none."""
    lengths = {
        len(leaf) if np.ndim(leaf) else -1 for _, leaf in tree_leaves(tree) if leaf is not None
    }
    (found,) = lengths if len(lengths) == 1 else (-1,)
    return None if found < 0 else found


def may_be_records(x: Any, count: int) -> bool:
    """Whether inputs may be of this many records: the first dimension of an array, or the second
    of one whose first are positions.
    """
    sizes = [leaf.shape[:2] for _, leaf in tree_leaves(x) if np.ndim(leaf)]
    return any(count in shape for shape in sizes)
