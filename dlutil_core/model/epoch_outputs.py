"""What a pass over a loader leaves: predictions and losses, kept on the device until its end."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.common.nested import take, tree_join, tree_leaves, tree_length, tree_map

FLUSH_VALUES = 2**24
"""Predicted values that are kept at most before metrics are computed: bounds the memory."""

FLUSH_BATCHES = 256
"""Batches that are kept at most on the CPU, where nothing is won by waiting longer."""


class EpochOutputs:
    """Labels, predictions and losses of an epoch's batches.

    Metrics are computed when many have come together, so that a GPU is not waited for at every
    batch.

    Parameters
    ----------
    metrics
        A function `(y_true, y_pred)` of one batch's numpy arrays that gives numbers by name.
    """

    def __init__(self, metrics: Callable[[Any, Any], dict[str, float]]) -> None:
        self.metrics = metrics
        self.samples = 0
        self.losses = array("d")
        self.sizes = array("d")
        self.columns: dict[str, array[float]] = {}
        self._waiting: list[tuple[Any, Any]] = []
        self._losses: list[torch.Tensor] = []
        self._values = 0
        self._rows = 0

    def add(
        self, y_true: Any, y_pred: Any, loss: torch.Tensor, labelled: float | None = None
    ) -> None:
        """Keep one batch; `labelled`: how many of its records have labels, if not all."""
        size = len(y_true) if isinstance(y_true, torch.Tensor) else tree_length(y_true)
        self.samples += size
        self.sizes.append(size if labelled is None else labelled)
        self._losses.append(loss)
        self._waiting.append((y_true, y_pred))
        self._values += values_of(y_pred)
        on_cpu = loss.device.type == "cpu"
        if self._values > FLUSH_VALUES or (on_cpu and len(self._waiting) >= FLUSH_BATCHES):
            self.flush()

    def flush(self) -> None:
        """Compute the metrics of what waits, brought from the device all at once."""
        for y_true, y_pred in in_memory(self._waiting):
            self._add_row(self.metrics(y_true, y_pred))
        if self._losses:
            self.losses.extend(torch.stack([loss.float() for loss in self._losses]).tolist())
        self._waiting, self._losses = [], []
        self._values = 0

    def _add_row(self, row: dict[str, float]) -> None:
        """Put a batch's metrics under those before; NaN where there is none."""
        for name in [name for name in row if name not in self.columns]:
            self.columns[name] = array("d", [math.nan]) * self._rows
        for name, column in self.columns.items():
            column.append(row.get(name, math.nan))
        self._rows += 1


def in_memory(batches: list[Any]) -> Iterator[Any]:
    """Batches of tensors as batches of numpy arrays: one copy from the device for all."""
    if not batches:
        return
    forms = {_form(batch) for batch in batches}
    if len(forms) > 1 or None in forms:  # sequences of several lengths, say
        yield from (numpy_tree(batch) for batch in batches)
        return
    y_true, y_pred = numpy_tree(joined(batches))
    start = 0
    for _, part in batches:
        rows = slice(start, start + tree_length(part))
        yield take(y_true, rows), take(y_pred, rows)
        start = rows.stop


def values_of(y_pred: Any) -> int:
    """How many numbers predictions are."""
    if isinstance(y_pred, torch.Tensor):
        return y_pred.numel()
    return sum(leaf.numel() for _, leaf in tree_leaves(y_pred))


def _form(batch: Any) -> tuple[Any, ...] | None:
    """What batches must agree in to be joined: all but their numbers of samples. `None` where the
    parts of a batch do not have one number of samples.
    """
    y_true, y_pred = batch
    if isinstance(y_true, torch.Tensor) and isinstance(y_pred, torch.Tensor):
        true, pred = y_true.shape, y_pred.shape
        if not true or true[:1] != pred[:1]:
            return None
        return y_true.dtype, true[1:], y_pred.dtype, pred[1:]
    leaves = list(tree_leaves(batch))
    if any(leaf.dim() == 0 for _, leaf in leaves) or len({len(leaf) for _, leaf in leaves}) > 1:
        return None
    return tuple((name, leaf.dtype, leaf.shape[1:]) for name, leaf in leaves)


def mean_over_batches(outputs: EpochOutputs) -> dict[str, float]:
    """`loss` and every metric, as means over batches weighted by their number of samples.

    A metric that is not defined on a batch (NaN or left out) does not count there. A loss that is
    not finite stays so.
    """
    outputs.flush()
    weights = np.asarray(outputs.sizes, dtype=np.float64)
    means = {"loss": float(np.dot(np.asarray(outputs.losses), weights) / weights.sum())}
    for name, values in outputs.columns.items():
        means[name] = weighted_mean(np.asarray(values), weights)
    return means


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN where there is none."""
    defined = ~np.isnan(values)
    if not defined.any():
        return math.nan
    return float(np.dot(values[defined], weights[defined]) / weights[defined].sum())


def joined(parts: list[Any]) -> Any:
    """Batches of tensors, joined along the first dimension."""
    return tree_join(torch.cat, parts)


def numpy_tree(tree: Any) -> Any:
    """Tensors as numpy arrays in memory."""
    return tree_map(lambda leaf: leaf.detach().cpu().numpy(), tree)


def shape_of(batch: Any) -> str:
    """A batch's form in words, for error messages."""
    shapes = [str(tuple(getattr(leaf, "shape", ()))) for _, leaf in tree_leaves(batch)]
    return f"{type(batch).__name__} with shapes {', '.join(shapes[:4])}"
