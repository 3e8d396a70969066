"""What labels, class weights and predictions must be, and the sentences where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.wording import counted
from dlutil_core.model import metrics
from dlutil_core.model.checks.alignment import aligned, check_shapes
from dlutil_core.model.criterion import is_elementwise, is_of_classes


def weights_of_classes(weights: Any) -> torch.Tensor | None:
    """`class_weights` as a tensor `(K,)`."""
    if weights is None:
        return None
    try:
        found = torch.as_tensor(weights, dtype=torch.float).detach()
    except (TypeError, ValueError, RuntimeError):
        found = torch.empty(0)
    usable = found.dim() == 1 and bool(((found >= 0) & found.isfinite()).all())
    if not usable or not bool((found > 0).any()):
        raise UserError(
            f"class_weights is {weights!r}, but must be a list of numbers, one for each class, "
            "that are at least 0 and not all 0"
        )
    return found


def check_weights(weights: torch.Tensor | None, y_pred: torch.Tensor, columns: bool) -> None:
    """Refuse class weights that are not one for each class, or each column of a multi-label model;
    a network of one output tells two classes apart.
    """
    classes = y_pred.shape[1] if y_pred.dim() > 1 else 1
    classes = 2 if classes == 1 and not columns else classes
    if weights is not None and len(weights) != classes:
        raise UserError(
            f"class_weights has {counted(len(weights), 'number')}, but the network has "
            f"{counted(classes, 'class', 'classes')}: give one for each"
        )


def labels_for(loss: str, y_true: Any, y_pred: Any) -> Any:
    """Labels as a loss of torch's takes them beside these predictions.

    Parameters
    ----------
    loss
        Its name, `criterion.torch_loss`.
    """
    if is_elementwise(loss):
        y_true = aligned(y_true, y_pred)
        check_shapes(y_true, y_pred)
        return y_true if y_true.dtype.is_floating_point else y_true.to(y_pred.dtype)
    tensors = isinstance(y_true, torch.Tensor) and isinstance(y_pred, torch.Tensor)
    if not tensors or not is_of_classes(loss):
        return y_true
    if y_true.dim() == 2 and y_true.shape[1] == 1 and y_pred.dim() == 2:
        y_true = y_true[:, 0]
    numbers = y_true.dim() == y_pred.dim() - 1 and y_true.dtype is not torch.int64
    return class_numbers(y_true) if numbers else y_true


def class_numbers(y_true: torch.Tensor) -> torch.Tensor:
    """Labels `(N,)` as int64; fractions, which name no class, are refused."""
    numbers = y_true.long()
    if y_true.dtype.is_floating_point:
        why = "classes are whole numbers: change the labels (process_x_y), or use RegressionModel"
        refuse_labels(y_true, numbers != y_true, f"{why} for a quantity")
    return numbers


def labels_of_ones_own(y_true: torch.Tensor, y_pred: torch.Tensor, columns: bool) -> torch.Tensor:
    """Labels as a classification loss of one's own gets them: numbers like the predictions beside
    one output or for columns, otherwise class numbers, where all are.
    """
    one_output = y_pred.dim() < 2 or (y_pred.dim() == 2 and y_pred.shape[1] == 1)
    if columns or one_output:
        return y_true if y_true.dtype.is_floating_point else y_true.to(y_pred.dtype)
    if y_true.dim() == 2 and y_true.shape[1] == 1:
        y_true = y_true[:, 0]
    if y_true.dim() == 1:
        numbers = y_true.long()
        whole = not y_true.dtype.is_floating_point or bool((numbers == y_true).all())
        return numbers if whole else y_true
    return y_true if y_true.dtype.is_floating_point else y_true.to(y_pred.dtype)


def check_binary(y_true: torch.Tensor) -> None:
    """Refuse labels of a model of one output that are neither 0 nor 1."""
    why = "a network of one output takes labels 0 and 1: change the labels (process_x_y), or give "
    refuse_labels(y_true, (y_true != 0) & (y_true != 1), f"{why}it an output for each class")


def classes_lacking(y_true: np.ndarray, y_pred: np.ndarray) -> str | None:
    """The classes that no record of a set has, in words; `None` where all occur."""
    scores = metrics.class_scores(y_pred)
    count = scores.shape[1] if scores.ndim == 2 else 2
    lacking = sorted(set(range(count)) - set(metrics.class_labels(y_true).tolist()))
    if not lacking or not np.isfinite(scores).all():
        return None
    shown = ", ".join(str(k) for k in lacking[:5]) + ", …" * (len(lacking) > 5)
    return f"record of class{'es' * (len(lacking) > 1)} {shown} (of {count} classes)"


def check_probabilities(y_pred: np.ndarray) -> None:
    """Refuse predictions that are logits, on which accuracy would mean nothing."""
    wrong = y_pred[(y_pred < -1e-3) | (y_pred > 1 + 1e-3)]
    if len(wrong):
        raise UserError(
            f"the network predicts {wrong[0]:g}, which is no probability: let it return a "
            'dictionary {"y_pred": probabilities, "y_pred_loss": logits}, or put its layers into '
            "base_model.ConvClassificationNetwork(features, classifier), which does so"
        )


def check_yes_or_no(y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse labels that are not columns `(N, K)` of zeros and ones."""
    check_shapes(y_true, y_pred)
    if y_true.dim() > 2:
        raise UserError(
            f"labels have shape {tuple(y_true.shape)}, but multi_label=True takes columns (N, K)"
        )
    why = "multi_label=True takes columns of 0 and 1: change the labels (process_x_y)"
    refuse_labels(y_true, (y_true < 0) | (y_true > 1), why)  # NaN, a missing one, is neither


def refuse_labels(y_true: torch.Tensor, wrong: torch.Tensor, why: str) -> None:
    """Name the first label that is wrong. On a GPU none is looked at: a look would wait for it."""
    if y_true.device.type == "cpu" and bool(wrong.any()):
        raise UserError(f"there is a label {y_true[wrong][0].item():g}, but {why}")


def check_one_hot(y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse label columns `(N, K)` that do not name one of K classes in each row."""
    check_shapes(y_true, y_pred)
    if y_true.device.type == "cpu" and not bool((y_true.sum(1) == 1).all()):
        raise UserError(
            f"labels have {y_true.shape[1]} columns but do not name one class in each row: choose "
            "one column (process_x_y), or use multi_label=True where each column is a yes or no"
        )
