"""What the numbers of a network's last layer are: logits, probabilities, or logarithms of them."""

from __future__ import annotations

from typing import Any

import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import warn_once
from dlutil_core.model.criterion import is_of_classes

OF_LOGITS = {
    "cross_entropy",
    "binary_cross_entropy_with_logits",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
}
"""torch's losses that apply softmax or sigmoid themselves."""

SLACK = 1e-3
"""By how much a row of probabilities may differ from a sum of 1."""

SAME_NUMBERS = {
    *("Squeeze", "Unsqueeze", "View", "UnsafeView", "ReshapeAlias", "AsStrided", "Transpose"),
    *("T", "Permute", "Select", "Slice", "Clone", "ToCopy", "Alias"),
}
"""Operations, as torch names them in a graph, that only give numbers another shape or type."""

REMEDY = (
    "let the network return logits, without it, or a dictionary "
    '{"y_pred": probabilities, "y_pred_loss": logits}'
)


def is_one_output(y_pred: torch.Tensor) -> bool:
    """Whether there is one number a record: `(N,)` or `(N, 1)`."""
    return y_pred.dim() < 2 or (y_pred.dim() == 2 and y_pred.shape[1] == 1)


def probabilities(output: torch.Tensor, loss: str, by_column: bool) -> torch.Tensor:
    """The probabilities that a network's tensor stands for, in its shape.

    Parameters
    ----------
    output
        `(N,)`, `(N, 1)` or `(N, K)`.
    loss
        The name of torch's loss (`criterion.torch_loss`); empty for one's own.
    by_column
        Whether each column is a yes or no of its own.
    """
    output = output.detach()
    if loss == "binary_cross_entropy":  # which takes probabilities
        return output
    if by_column or is_one_output(output):
        return torch.sigmoid(output)
    return torch.softmax(output, dim=1)  # of logarithms of probabilities these very probabilities


def check_outputs(y_pred: Any, loss: str, taken_for_logits: bool) -> None:
    """Refuse outputs that are not what the loss takes; warn where they only look so.

    Parameters
    ----------
    y_pred
        What the network gives to the loss.
    taken_for_logits
        Whether softmax or sigmoid is applied to it for predictions, whatever the loss.
    """
    if not isinstance(y_pred, torch.Tensor) or not y_pred.numel() or not y_pred.dim():
        return
    if is_of_classes(loss) and is_one_output(y_pred):
        raise UserError(
            f"the network has one output, for which {loss} is always 0: give it two, or use "
            "BCEWithLogitsLoss"
        )
    values = y_pred.detach().float()
    if loss == "nll_loss":
        _check_logarithms(values)
    elif loss == "binary_cross_entropy":
        _check_within(values)
    elif loss in OF_LOGITS or (not loss and taken_for_logits):
        _check_logits(y_pred, values, loss)


def _check_logits(y_pred: torch.Tensor, values: torch.Tensor, loss: str) -> None:
    within = bool(((values >= 0) & (values <= 1)).all())
    why = f"{loss} applies softmax or sigmoid itself" if loss else "a tensor is taken for logits"
    rows = values.dim() > 1 and values.shape[1] > 1
    if within and rows and bool(((values.sum(1) - 1).abs() < SLACK).all()):
        raise UserError(
            f"the network's outputs for the loss are probabilities (rows sum to 1), but {why}, so "
            f"that softmax would be applied twice: {REMEDY}"
        )
    by_column = loss != "cross_entropy" and (not rows or loss != "")
    if by_column and within and _ends_in_sigmoid(y_pred):
        warn_once(
            f"warning: the network's outputs for the loss are all within 0 and 1, but {why}: if "
            f"it ends in a sigmoid, {REMEDY}"
        )


def _ends_in_sigmoid(y_pred: torch.Tensor) -> bool:
    """Whether the graph that made a tensor ends in a sigmoid."""
    made: Any = y_pred.grad_fn
    while made is not None:
        name = made.name().partition("Backward")[0]
        if name not in SAME_NUMBERS:
            return name in ("Sigmoid", "Hardsigmoid")
        made = made.next_functions[0][0] if made.next_functions else None
    return False


def _check_logarithms(values: torch.Tensor) -> None:
    if float(torch.logsumexp(values, 1).abs().max()) > SLACK * 10:
        raise UserError(
            "NLLLoss takes logarithms of probabilities, but the network's rows are none: end it in "
            "nn.LogSoftmax(1), or use CrossEntropyLoss, which takes logits"
        )


def _check_within(values: torch.Tensor) -> None:
    wrong = values[(values < 0) | (values > 1)]
    if wrong.numel():
        raise UserError(
            f"BCELoss takes probabilities, but the network gives {float(wrong[0]):g}: end it in "
            "nn.Sigmoid(), or use BCEWithLogitsLoss, which takes logits"
        )
