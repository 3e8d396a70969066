"""Rows of stored arrays: how many are taken together, taken as copies, converted for a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
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
    return _as_type(x, input_type(x.dtype), "inputs") if isinstance(x, np.ndarray) else x


def as_label(y: Any) -> Any:
    """Labels in the type that a model takes; tensors stay as they are."""
    return _as_type(y, label_type(y.dtype), "labels") if isinstance(y, np.ndarray) else y


def _as_type(values: np.ndarray, dtype: np.dtype, what: str) -> np.ndarray:
    check_range(values, dtype, what)
    return values.astype(dtype, copy=False)


def check_range(values: np.ndarray, dtype: np.dtype, what: str) -> None:
    """Refuse finite numbers that are too large for the type that a model takes.

    Raises
    ------
    UserError
        The first such number; `what` says whether they are inputs or labels.
    """
    if values.dtype.kind not in "fu" or np.can_cast(values.dtype, dtype):
        return
    limit = np.iinfo(dtype).max if dtype.kind == "i" else np.finfo(dtype).max
    with np.errstate(invalid="ignore"):
        beyond = np.isfinite(values) & (np.abs(values) > limit)
    if beyond.any():
        raise UserError(
            f"the {what} hold {values[beyond][0]!s}, which is larger than {dtype} holds, {limit!s}:"
            " scale or correct them"
        )
