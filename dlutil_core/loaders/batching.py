"""Rows of stored arrays: how many are taken together, taken as copies, converted for a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.common.nested import tree_leaves, tree_map

RUN_BYTES = 2**20
"""Bytes of stored rows that are indexed together, and then cut into batches."""


def runs_of_batches(
    count: int, size: int, samples: int, row_bytes: int, run_bytes: int = RUN_BYTES
) -> Iterator[tuple[int, int]]:
    """Bounds of runs of whole batches of about `run_bytes`: one indexing serves many batches."""
    together = max(1, run_bytes // (size * row_bytes))
    for k in range(0, count, together):
        yield k * size, min((k + together) * size, count * size, samples)


def row_bytes(x: Any, y: Any) -> int:
    """Bytes of a stored sample, its label included; at least 1."""
    leaves = [leaf for tree in (x, y) if tree is not None for _, leaf in tree_leaves(tree)]
    return max(1, sum(leaf[:1].nbytes for leaf in leaves))


def take_copy(tree: Any, rows: Any) -> Any:
    """These rows of every array and tensor, in memory of their own; `None` stays `None`."""
    return None if tree is None else tree_map(lambda leaf: taken(leaf, rows), tree)


def taken(leaf: Any, rows: Any) -> Any:
    """Rows (a slice, or an array or tensor of indices) of one array or tensor, as a copy."""
    if leaf is None:
        return None
    if isinstance(leaf, np.ndarray):
        return leaf[rows].copy() if isinstance(rows, slice) else leaf.take(rows, axis=0)
    if isinstance(rows, slice):
        return leaf[rows].clone()
    return leaf.index_select(0, torch.as_tensor(rows, device=leaf.device))


def as_input(x: Any) -> Any:
    """Inputs as float32; tensors stay as they are."""
    if isinstance(x, np.ndarray) and x.dtype != np.float32 and x.dtype.kind in "fiub":
        return x.astype(np.float32)
    return x


def as_label(y: Any) -> Any:
    """Labels as int64 where they are whole numbers, as float32 otherwise."""
    if not isinstance(y, np.ndarray) or y.dtype in (np.int64, np.float32):
        return y
    if y.dtype.kind in "iub":
        return y.astype(np.int64)
    return y.astype(np.float32) if y.dtype.kind == "f" else y
