"""Which argument of a criterion is the label and which the prediction.

The contract of `def.py` calls a criterion of one's own with `(y_true, y_pred)`; torch's losses take
`(input, target)`. `bind_criterion` tells them apart once, so that the loop has one way to call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Criterion = Callable[[Any, Any], torch.Tensor]

_PREDICTIONS = {"input", "inputs"}
_LABELS = {"target", "targets"}


def bind_criterion(criterion: Callable[..., torch.Tensor]) -> Criterion:
    """Return `loss(y_true, y_pred)` for a criterion of any of the accepted kinds.

    Parameters named `y_true…` and `y_pred…` are bound by name, `input` and `target` by name too;
    a function or module of torch takes `(input, target)`; everything else `(y_true, y_pred)`.
    """
    names = parameter_names(criterion)
    true = next((n for n in names if n.startswith("y_true")), None)
    pred = next((n for n in names if n.startswith("y_pred")), None)
    if true is None or pred is None:
        true = next((n for n in names if n in _LABELS), None)
        pred = next((n for n in names if n in _PREDICTIONS), None)
    if true is not None and pred is not None:
        return lambda y_true, y_pred: criterion(**{true: y_true, pred: y_pred})
    if _is_of_torch(criterion):
        return lambda y_true, y_pred: criterion(y_pred, y_true)
    return lambda y_true, y_pred: criterion(y_true, y_pred)


def parameter_names(criterion: Callable[..., Any]) -> list[str]:
    """Names that a criterion can be called with (of `forward` for a module); none where unknown."""
    target = criterion.forward if isinstance(criterion, nn.Module) else criterion
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return []
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    bound = set(target.keywords) if isinstance(target, functools.partial) else set()
    return [p.name for p in parameters if p.kind in by_name and p.name not in bound]


def _is_of_torch(criterion: Any) -> bool:
    if isinstance(criterion, functools.partial):
        return _is_of_torch(criterion.func)
    owner = criterion if inspect.isroutine(criterion) else type(criterion)
    module = getattr(owner, "__module__", None) or ""
    return module == "torch" or module.startswith("torch.")
