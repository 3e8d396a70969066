"""Batches of tensors from tables that are held on the device, as training and evaluation take them.

A generator's arrays go to the device once, where they fit, and batches are indexed there: the same
samples in the same order and with the same bits as iterating over the generator and moving each
batch. Wherever something of a user's own comes between, the generator is simply iterated over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.common.nested import tree_leaves, tree_map
from dlutil_core.loaders.batching import (
    RUN_BYTES,
    check_range,
    input_type,
    label_type,
    row_bytes,
    runs_of_batches,
    taken,
)
from dlutil_core.loaders.generators import BatchGenerator, H5pyBatchGenerator, MatrixBatchGenerator

DEVICE_SHARE = 0.5
"""The part of a device's free memory that a table may take."""

DEVICE_RUN_BYTES = 2**26
"""Bytes of stored rows that are indexed together on a GPU, where each indexing is a launch."""

_MOVABLE = {np.dtype(t) for t in ("f2", "f4", "f8", "u1", "i1", "i2", "i4", "i8", "?")}


class Column:
    """One array or tensor of a table, and how its rows become part of a batch.

    Parameters
    ----------
    leaf
        An array or tensor `(N, …)`.
    device
        Where its rows are wanted. On the CPU nothing is copied but the rows of batches.
    conversions
        The types that rows are converted to, one after the other.
    """

    def __init__(self, leaf: Any, device: torch.device, conversions: list[torch.dtype]) -> None:
        self.device = device
        self.conversions = conversions
        self.values = leaf
        if device.type != "cpu" and isinstance(leaf, np.ndarray) and not leaf.flags.writeable:
            leaf = leaf.copy()  # torch warns of arrays that it must not write to
        if device.type != "cpu" or isinstance(leaf, torch.Tensor):
            self.values = torch.as_tensor(leaf).to(device)

    def rows(self, rows: Any) -> torch.Tensor:
        """These rows (a slice, or an index array or tensor) in memory of their own."""
        part = taken(self.values, rows)
        tensor = part if isinstance(part, torch.Tensor) else torch.from_numpy(part)
        for dtype in self.conversions:
            tensor = tensor.to(dtype)
        return tensor


class DeviceTable:
    """Inputs and labels of a generator on a device."""

    def __init__(self, x: Any, y: Any, device: torch.device, dtype: torch.dtype) -> None:
        self.source = (x, y)
        self.device = device
        self.row_bytes = row_bytes(x, y)
        self.x = tree_map(lambda leaf: Column(leaf, device, _steps(leaf, dtype, input_type)), x)
        self.y = None
        if y is not None:
            self.y = tree_map(lambda leaf: Column(leaf, device, _steps(leaf, dtype, label_type)), y)

    def is_of(self, x: Any, y: Any) -> bool:
        """Whether it was made of these very arrays."""
        return self.source[0] is x and self.source[1] is y

    def rows(self, rows: Any) -> tuple[Any, Any]:
        """`(x, y)` of these rows."""
        x = tree_map(lambda column: column.rows(rows), self.x)
        return x, None if self.y is None else tree_map(lambda column: column.rows(rows), self.y)


def batches(
    loader: Iterable[Any],
    device: torch.device,
    dtype: torch.dtype,
    piece: int | None = None,
) -> Iterable[Any]:
    """A loader's batches: tensors on the device where it has a plain table that fits there.

    Parameters
    ----------
    dtype
        What floating-point inputs and labels become.
    piece
        Samples of a batch where a generator would give its whole set at once.
    """
    if not isinstance(loader, BatchGenerator):
        return loader
    table = _table_of(loader, device, dtype)
    if table is not None:
        return _indexed(loader, table, piece)
    return loader if piece is None else loader.in_pieces(piece)


def may_miss_labels(loader: Iterable[Any]) -> bool:
    """Whether a label of a loader may be NaN: known once, of arrays that are in memory."""
    if not isinstance(loader, BatchGenerator) or not _is_plain(loader):
        return True
    found = loader.plain_table()
    if found is None or found[1] is None:
        return True
    known = loader.known_missing
    if known is None or known[0] is not found[1]:
        known = found[1], any(_has_nan(leaf) for _, leaf in tree_leaves(found[1]))
        loader.known_missing = known
    return known[1]


def _has_nan(leaf: Any) -> bool:
    if isinstance(leaf, np.ndarray):
        return leaf.dtype.kind == "f" and bool(np.isnan(leaf).any())
    return not isinstance(leaf, torch.Tensor) or bool(leaf.isnan().any())


def _indexed(loader: BatchGenerator, table: DeviceTable, piece: int | None) -> Iterator[Any]:
    """What `BatchGenerator.__iter__` gives, from a table on the device."""
    ordering, augmenting = loader.generators()
    order: Any = loader.order(ordering)
    on_cpu = table.device.type == "cpu"
    if order is not None and not on_cpu:
        order = torch.from_numpy(order).to(table.device)
    size = loader.batch_size or piece or max(loader.samples, 1)
    count = len(loader) if loader.batch_size else -(-loader.samples // size)
    run_bytes = RUN_BYTES if on_cpu else DEVICE_RUN_BYTES
    for start, stop in runs_of_batches(count, size, loader.samples, table.row_bytes, run_bytes):
        x, y = table.rows(slice(start, stop) if order is None else order[start:stop])
        for low in range(0, stop - start, size):
            cut = slice(low, low + size)
            batch_x, batch_y = _cut(x, cut), None if y is None else _cut(y, cut)
            if augmenting is not None:
                batch_x, batch_y = loader.augmented(batch_x, batch_y, augmenting)
            yield batch_x if table.y is None else (batch_x, batch_y)


def _cut(tree: Any, rows: slice) -> Any:
    return tree[rows] if isinstance(tree, torch.Tensor) else tree_map(lambda t: t[rows], tree)


def _table_of(
    loader: BatchGenerator, device: torch.device, dtype: torch.dtype
) -> DeviceTable | None:
    """The loader's table on the device, made once; `None` where batches need more than rows."""
    if not _is_plain(loader):
        return None
    found = loader.plain_table()
    if found is None or not all(_can_move(leaf) for leaf in _leaves(*found)):
        return None
    held: dict[Any, DeviceTable] = loader.device_tables
    key = (device, dtype)
    if key not in held or not held[key].is_of(*found):
        if not _fits(sum(leaf.nbytes for leaf in _leaves(*found)), device):
            return None
        _check_ranges(*found)
        held[key] = DeviceTable(*found, device, dtype)
    return held[key]


def _check_ranges(x: Any, y: Any) -> None:
    for tree, type_of, what in ((x, input_type, "inputs"), (y, label_type, "labels")):
        for _, leaf in tree_leaves(tree) if tree is not None else ():
            if isinstance(leaf, np.ndarray):
                check_range(leaf, type_of(leaf.dtype), what)


def _is_plain(loader: BatchGenerator) -> bool:
    """Whether no subclass changes what batches are."""
    kind = type(loader)
    own = (MatrixBatchGenerator, H5pyBatchGenerator)
    return (
        kind.__iter__ is BatchGenerator.__iter__
        and kind.prepare in (BatchGenerator.prepare, H5pyBatchGenerator.prepare)
        and any(kind.raw_batches is c.raw_batches and kind.order is c.order for c in own)
    )


def _can_move(leaf: Any) -> bool:
    if isinstance(leaf, torch.Tensor):
        return leaf.layout is torch.strided and not leaf.requires_grad
    return isinstance(leaf, np.ndarray) and leaf.dtype.isnative and leaf.dtype in _MOVABLE


def _fits(size: int, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return size <= DEVICE_SHARE * free


def _steps(
    leaf: Any, dtype: torch.dtype, type_of: Callable[[np.dtype], np.dtype]
) -> list[torch.dtype]:
    """The conversions of the generator and then of the model, which gives floating numbers the
    type that the network takes; tensors know the second alone."""
    if not isinstance(leaf, np.ndarray):
        return _distinct(leaf.dtype, [dtype] if leaf.dtype.is_floating_point else [])
    taken = _torch_type(type_of(leaf.dtype))
    wanted = [taken, dtype] if taken.is_floating_point else [taken]
    return _distinct(_torch_type(leaf.dtype), wanted)


def _distinct(stored: torch.dtype, wanted: list[torch.dtype]) -> list[torch.dtype]:
    """The conversions that change something."""
    steps = []
    for dtype in wanted:
        if dtype is not stored:
            steps.append(dtype)
            stored = dtype
    return steps


def _torch_type(stored: np.dtype) -> torch.dtype:
    return torch.from_numpy(np.empty(0, stored)).dtype


def _leaves(x: Any, y: Any) -> list[Any]:
    leaves = [leaf for _, leaf in tree_leaves(x)]
    return leaves if y is None else leaves + [leaf for _, leaf in tree_leaves(y)]
