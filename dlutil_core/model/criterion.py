"""Which argument of a criterion is the label and which the prediction.

The contract of `def.py` calls a criterion of one's own with `(y_true, y_pred)`; torch's losses take
`(input, target)`. `bind_criterion` tells them apart once, so that the loop has one way to call.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Criterion = Callable[[Any, Any], torch.Tensor]

_PREDICTIONS = {"input", "inputs"}
_LABELS = {"target", "targets"}
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_WRAPPERS = ("torch.jit", "torch._dynamo")  # they carry functions of anyone's


ELEMENTWISE = {
    "MSELoss": "mse_loss",
    "L1Loss": "l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "PoissonNLLLoss": "poisson_nll_loss",
    "KLDivLoss": "kl_div",
    "SoftMarginLoss": "soft_margin_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
}
"""torch's losses that compare one label with one prediction each, by class and function."""

OF_CLASSES = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "MultiMarginLoss": "multi_margin_loss",
}
"""torch's losses that take a class number for a row of predictions."""


def torch_loss(criterion: Any) -> str:
    """The function's name in `torch.nn.functional`, of a loss of torch's; empty for one's own."""
    if not _is_of_torch(criterion):
        return ""
    criterion = getattr(criterion, "_orig_mod", criterion)
    while isinstance(criterion, functools.partial):
        criterion = criterion.func
    if inspect.isroutine(criterion):
        return str(getattr(criterion, "__name__", ""))
    known = ELEMENTWISE | OF_CLASSES
    return next(
        (known[c.__name__] for c in type(criterion).__mro__ if c.__name__ in known), "other"
    )


def is_elementwise(name: str) -> bool:
    """Whether a loss of this `torch_loss` compares number with number."""
    return name in ELEMENTWISE.values()


def is_of_classes(name: str) -> bool:
    """Whether a loss of this `torch_loss` takes class numbers."""
    return name in OF_CLASSES.values()


def without_reduction(criterion: Any) -> tuple[Any, str]:
    """An elementwise loss of torch's that gives each element's value, and how it puts them together
    (an empty text where that is unknown).
    """
    if isinstance(criterion, nn.Module):
        apart: Any = copy.copy(criterion)
        how, apart.reduction = str(getattr(criterion, "reduction", "")), "none"
        return apart, how
    keywords = criterion.keywords if isinstance(criterion, functools.partial) else {}
    return functools.partial(criterion, reduction="none"), str(keywords.get("reduction", "mean"))


def bind_criterion(criterion: Callable[..., torch.Tensor]) -> Criterion:
    """Return `loss(y_true, y_pred)` for a criterion of any of the accepted kinds.

    Parameters named `y_true…` and `y_pred…` are bound by name, `input` and `target` by name too;
    a function or module of torch takes `(input, target)`; everything else `(y_true, y_pred)`.
    """
    parameters = _parameters(criterion)
    true, pred = _pair(parameters)
    if true is not None and pred is not None:
        if all(parameters[name] in _BY_NAME for name in (true, pred)):
            return lambda y_true, y_pred: criterion(**{true: y_true, pred: y_pred})
        if list(parameters).index(pred) < list(parameters).index(true):
            return lambda y_true, y_pred: criterion(y_pred, y_true)
        return lambda y_true, y_pred: criterion(y_true, y_pred)
    if _is_of_torch(criterion):
        return lambda y_true, y_pred: criterion(y_pred, y_true)
    return lambda y_true, y_pred: criterion(y_true, y_pred)


def _pair(parameters: dict[str, Any]) -> tuple[str | None, str | None]:
    """Names of the parameters for the label and for the prediction, where they tell."""
    names = list(parameters)
    true = next((n for n in names if n.startswith("y_true")), None)
    pred = next((n for n in names if n.startswith("y_pred")), None)
    if true is None and pred is None:
        true = next((n for n in names if n in _LABELS), None)
        pred = next((n for n in names if n in _PREDICTIONS), None)
    elif true is None or pred is None:  # one of the first two is named, so the other is the other
        other = next((n for n in names[:2] if n not in (true, pred)), None)
        true, pred = (true or other), (pred or other)
    return true, pred


def _parameters(criterion: Callable[..., Any]) -> dict[str, Any]:
    """The kind of each parameter that the label and the prediction can be given as, by name."""
    target: Any = getattr(criterion, "_orig_mod", criterion)  # of a compiled module
    if isinstance(target, nn.Module):
        target = target.forward
    if isinstance(target, torch.jit.ScriptFunction):
        schema: Any = target.schema
        return {a.name: inspect.Parameter.POSITIONAL_OR_KEYWORD for a in schema.arguments}
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return {}
    kinds = (inspect.Parameter.POSITIONAL_ONLY, *_BY_NAME)
    bound = set(target.keywords) if isinstance(target, functools.partial) else set()
    return {p.name: p.kind for p in parameters if p.kind in kinds and p.name not in bound}


def _is_of_torch(criterion: Any) -> bool:
    """Whether torch itself says how the criterion is called."""
    criterion = getattr(criterion, "_orig_mod", criterion)
    if isinstance(criterion, functools.partial):
        return _is_of_torch(criterion.func)
    owner: Any = criterion if inspect.isroutine(criterion) else type(criterion)
    if isinstance(criterion, nn.Module):  # a subclass may have inherited its `forward`
        owner = next((c for c in type(criterion).__mro__ if "forward" in vars(c)), owner)
    module = getattr(owner, "__module__", None) or ""
    return module.partition(".")[0] == "torch" and not module.startswith(_WRAPPERS)
