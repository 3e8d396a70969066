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
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_WRAPPERS = ("torch.jit", "torch._dynamo")  # they carry functions of anyone's


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
