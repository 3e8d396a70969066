"""Where a loader's inputs or labels hold NaN or infinity: the record, for an error sentence."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.common.nested import take, tree_leaves
from dlutil_core.loaders.generators import BatchGenerator

ROWS = 4096
"""Rows of a stored array that are looked at together."""


def not_finite(
    loader: Iterable[Any], labelled: bool = True, nan_labels: bool = False
) -> str | None:
    """What is not finite in a loader, in words, such as "record 17 of the inputs holds nan".

    Parameters
    ----------
    labelled
        Whether batches are pairs of inputs and labels.
    nan_labels
        Whether a label may be NaN, since it is missing.
    """
    for start, record_wise, x, y in _batches(loader, labelled):
        for what, tree in (("inputs", x), ("labels", y)):
            found = _first(tree, what == "labels" and nan_labels)
            if found is not None:
                name, row, value = found
                where = f"record {start + row}" if record_wise else f"row {row} of batch {start}"
                part = f"{what} {name!r}" if name else what
                source = _source(loader, start + row) if record_wise else ""
                return f"{where} of the {part}{source} holds {value:g}"
    return None


def _batches(loader: Iterable[Any], labelled: bool) -> Iterator[tuple[int, bool, Any, Any]]:
    """Batches, each with its first record's number, or with its own where records are shuffled."""
    table = loader.plain_table() if isinstance(loader, BatchGenerator) else None
    if isinstance(loader, BatchGenerator) and table is not None:
        for start in range(0, loader.samples, ROWS):
            rows = slice(start, start + ROWS)
            yield start, True, _taken(table[0], rows), _taken(table[1], rows)
        return
    if isinstance(loader, BatchGenerator):
        ordered = copy.copy(loader)
        ordered.shuffle, ordered.drop_last, ordered.reverse_complement = False, False, 0.0
        loader = ordered
    in_order = isinstance(loader, (BatchGenerator, list, tuple))
    start = 0
    for number, batch in enumerate(loader):
        x, y = batch if labelled and _is_pair(batch) else (batch, None)
        yield (start if in_order else number), in_order, x, y
        start += len(next((leaf for _, leaf in tree_leaves(batch) if _rows(leaf)), ()))


def _taken(tree: Any, rows: slice) -> Any:
    return None if tree is None else take(tree, rows)


def _rows(leaf: Any) -> bool:
    return len(getattr(leaf, "shape", ())) > 0


def _is_pair(batch: Any) -> bool:
    return isinstance(batch, (tuple, list)) and len(batch) == 2


def _first(tree: Any, nan_allowed: bool) -> tuple[str, int, float] | None:
    """The name, row and value of the first number that is not finite."""
    for name, leaf in tree_leaves(tree):
        values = leaf.detach().cpu().numpy() if isinstance(leaf, torch.Tensor) else leaf
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            continue
        wrong = np.isinf(values) if nan_allowed else ~np.isfinite(values)
        if wrong.any():
            place = np.unravel_index(int(wrong.argmax()), wrong.shape)
            return name, int(place[0]) if place else 0, float(values[place])
    return None


def _source(loader: Any, record: int) -> str:
    """The file and the record in it, of a generator of HDF5 files."""
    source = getattr(loader, "source", None)
    files, starts = getattr(source, "files", None), getattr(source, "starts", None)
    if not files or starts is None:
        return ""
    index = int(np.searchsorted(starts, record, side="right")) - 1
    return f" ({files[index]}, record {record - int(starts[index])})"
