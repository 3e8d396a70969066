"""Labels that are missing (NaN): what of a batch has labels, and a loss over that alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dlutil_core.model.criterion import Criterion, bind_criterion, without_reduction


def labelled_records(y_true: torch.Tensor, ignored: int | None = None) -> float:
    """How many records of a batch have labels; of columns a share of a record each.

    Parameters
    ----------
    ignored
        A class number that stands for a missing label.
    """
    if y_true.dtype.is_floating_point:
        missing = y_true.isnan()
    elif ignored is not None:
        missing = y_true == ignored
    else:
        return float(len(y_true))
    each = max(y_true[:1].numel(), 1)
    return float(y_true.numel() - int(missing.sum())) / each


def rows_with_labels(y_true: torch.Tensor, y_pred: torch.Tensor) -> tuple[Any, Any]:
    """The records in which no label is missing."""
    if not y_true.dtype.is_floating_point:
        return y_true, y_pred
    missing = y_true.isnan()
    if not bool(missing.any()):
        return y_true, y_pred
    kept = ~missing.reshape(len(y_true), -1).any(1)
    return y_true[kept], y_pred[kept]


def elementwise(
    criterion: Callable[..., Any], function: Criterion, y_true: torch.Tensor, y_pred: torch.Tensor
) -> torch.Tensor:
    """An elementwise loss of torch's over the labels that are there.

    Parameters
    ----------
    criterion, function
        The loss as it was given, and as `bind_criterion` made it.
    """
    missing = y_true.isnan()
    apart, how = without_reduction(criterion)
    if how not in ("mean", "sum") or not bool(missing.any()):
        return function(y_true, y_pred)
    values = bind_criterion(apart)(torch.where(missing, torch.zeros_like(y_true), y_true), y_pred)
    kept = values[~missing] if values.shape == missing.shape else values[~missing.any(1)]
    return kept.mean() if how == "mean" else kept.sum()


def present(y_true: np.ndarray, ignored: int | None = None) -> np.ndarray | None:
    """Where labels are there, of their shape; `None`: everywhere.

    Parameters
    ----------
    ignored
        A class number that stands for a missing label; so do negative ones.
    """
    if y_true.dtype.kind == "f":
        missing = np.isnan(y_true)
    else:
        missing = np.zeros(y_true.shape, bool)
    if ignored is not None and y_true.dtype.kind in "iuf":
        missing |= (y_true < 0) | (y_true == ignored)
    return ~missing if missing.any() else None
