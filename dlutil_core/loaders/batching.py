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


def input_type(stored: np.dtype) -> np.dtype:
    """What a model takes inputs as: numbers as float32; all else as it is stored."""
    return np.dtype(np.float32) if stored.kind in "fiub" else stored


def label_type(stored: np.dtype) -> np.dtype:
    """What a model takes labels as: whole numbers as int64, others as float32."""
    return np.dtype(np.int64) if stored.kind in "iub" else input_type(stored)


def as_input(x: Any) -> Any:
    """Inputs in the type that a model takes; tensors stay as they are."""
    return x.astype(input_type(x.dtype), copy=False) if isinstance(x, np.ndarray) else x


def as_label(y: Any) -> Any:
    """Labels in the type that a model takes; tensors stay as they are."""
    return y.astype(label_type(y.dtype), copy=False) if isinstance(y, np.ndarray) else y
