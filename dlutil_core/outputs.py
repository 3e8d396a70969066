"""What a pass over a loader leaves: predictions and losses, kept on the device until its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.trees import take, tree_join, tree_leaves, tree_length, tree_map

FLUSH_VALUES = 2**24
"""Predicted values that are kept at most before metrics are computed: bounds the memory."""


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
        self.losses: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.rows: list[dict[str, float]] = []
        self._waiting: list[tuple[Any, torch.Tensor]] = []
        self._values = 0

    def add(self, y_true: Any, y_pred: torch.Tensor, loss: torch.Tensor) -> None:
        """Keep one batch."""
        size = len(y_true) if isinstance(y_true, torch.Tensor) else tree_length(y_true)
        self.samples += size
        self.sizes.append(size)
        self.losses.append(loss)
        self._waiting.append((y_true, y_pred))
        self._values += y_pred.numel()
        if self._values > FLUSH_VALUES:
            self.flush()

    def flush(self) -> None:
        """Compute the metrics of what waits, brought from the device all at once."""
        for y_true, y_pred in in_memory(self._waiting):
            self.rows.append(self.metrics(y_true, y_pred))
        self._waiting = []
        self._values = 0


def in_memory(batches: list[Any]) -> Iterator[Any]:
    """Batches of tensors as batches of numpy arrays: one copy from the device for all."""
    if not batches:
        return
    if len({_form(batch) for batch in batches}) > 1:  # sequences of several lengths, say
        yield from (numpy_tree(batch) for batch in batches)
        return
    together = numpy_tree(joined(batches))
    start = 0
    for batch in batches:
        stop = start + tree_length(batch)
        yield take(together, slice(start, stop))
        start = stop


def _form(batch: Any) -> tuple[Any, ...]:
    """What batches must agree in to be joined: all but their numbers of samples."""
    return tuple((name, leaf.dtype, leaf.shape[1:]) for name, leaf in tree_leaves(batch))


def mean_over_batches(outputs: EpochOutputs) -> dict[str, float]:
    """`loss` and every metric, as means over batches weighted by their number of samples.

    A metric that is not defined on a batch (NaN or left out) does not count there. A loss that is
    not finite stays so.
    """
    outputs.flush()
    weights = np.asarray(outputs.sizes, dtype=np.float64)
    losses = torch.stack([loss.float() for loss in outputs.losses]).cpu().numpy()
    means = {"loss": float(np.dot(losses.astype(np.float64), weights) / weights.sum())}
    names = list(dict.fromkeys(name for row in outputs.rows for name in row))
    for name in names:
        values = [float(row.get(name, math.nan)) for row in outputs.rows]
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
