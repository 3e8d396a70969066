"""Labels in the shape of predictions: `(N, 1)` and `(N,)` are the same numbers, never a broadcast.

A network may give `(N, 1)` where labels are `(N,)`. In a loss or metric of a user's own,
`y_true - y_pred` is then right with labels of the predictions' shape, and `y_true - y_pred[:, 0]`
with labels as they are; the other of each is a table `(N, N)` whose mean is a wrong number without
a word. So both forms are tried on the first batch, and the one that makes no such table is taken.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves, tree_map
from dlutil_core.common.seeds import kept_random_state
from dlutil_core.model.criterion import ELEMENTWISE

PRODUCTS = {
    "matmul",
    "__matmul__",
    "__rmatmul__",
    "mm",
    "bmm",
    "outer",
    "einsum",
    "cdist",
    "linear",
}
"""Functions whose results may be larger than their arguments."""

LOSSES = {*ELEMENTWISE.values(), "gaussian_nll_loss", "margin_ranking_loss"}
"""torch's functions that broadcast their first two arguments and return one number."""

MOST_FORMS = 16

ARRAYS = (torch.Tensor, np.ndarray)


def aligned(y_true: Any, y_pred: Any) -> Any:
    """Labels with the shape of predictions, where they differ by dimensions of 1 alone.

    Parameters
    ----------
    y_true
        A tensor, or a dictionary, list or tuple of such.
    y_pred
        Predictions: in the same form, or one tensor (or tensors of one shape) for all labels.
    """
    if isinstance(y_pred, ARRAYS):
        if isinstance(y_true, ARRAYS):
            return _aligned(y_true, y_pred.shape)
        return tree_map(lambda leaf: _aligned(leaf, y_pred.shape), y_true)
    if isinstance(y_true, dict) and isinstance(y_pred, dict) and set(y_true) <= set(y_pred):
        return {key: aligned(part, y_pred[key]) for key, part in y_true.items()}
    if _are_alike(y_true, y_pred):
        return type(y_true)(aligned(a, b) for a, b in zip(y_true, y_pred, strict=True))
    shapes = {leaf.shape for _, leaf in tree_leaves(y_pred) if isinstance(leaf, ARRAYS)}
    if len(shapes) != 1:
        return y_true
    (shape,) = shapes
    return tree_map(lambda leaf: _aligned(leaf, shape), y_true)


def _are_alike(a: Any, b: Any) -> bool:
    lists = isinstance(a, (list, tuple)) and isinstance(b, (list, tuple))
    return lists and len(a) == len(b) and not hasattr(a, "_fields")


def _aligned(label: Any, shape: Any) -> Any:
    if not isinstance(label, ARRAYS) or label.shape == shape:
        return label
    same = label.shape[:1] == shape[:1] and _without_ones(label.shape) == _without_ones(shape)
    return label.reshape(shape) if same and label.ndim else label


def _without_ones(shape: Any) -> list[int]:
    """The dimensions of one sample that are not 1."""
    return [size for size in shape[1:] if size != 1]


def check_shapes(y_true: Any, y_pred: Any, what: str = "a loss of torch's") -> None:
    """Refuse labels and predictions of unequal shape, which torch may broadcast, and several arrays
    where `what` takes one.
    """
    if not isinstance(y_true, ARRAYS) or not isinstance(y_pred, ARRAYS):
        raise UserError(
            f"the labels or predictions are several arrays, and {what} cannot be computed of them: "
            "define the criterion, train_metrics and eval_metrics yourself"
        )
    if y_true.shape != y_pred.shape:
        raise UserError(
            f"labels have shape {tuple(y_true.shape)} but predictions {tuple(y_pred.shape)}: give "
            "them the same shape, for example by squeezing the network's output or choosing a "
            "column of the labels"
        )


class LabelForms:
    """Which labels are given in the predictions' shape, for each loss and metric of one's own."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[bool, ...]] = {}

    def fitting(
        self,
        name: str,
        function: Callable[[Any, Any], Any],
        y_true: Any,
        y_pred: Any,
        known: bool = False,
    ) -> Any:
        """Labels in the form in which `function(y_true, y_pred)` broadcasts least.

        Parameters
        ----------
        name
            Of the function; one that was tried on labels of this form is not tried again.
        known
            Whether the function is known to take labels of the predictions' shape.
        """
        if known:
            return aligned(y_true, y_pred)
        leaves = [leaf for _, leaf in tree_leaves(y_true)]
        whole = [leaf for _, leaf in tree_leaves(aligned(y_true, y_pred))]
        unclear = [i for i, leaf in enumerate(leaves) if leaf is not whole[i]]
        if not unclear:
            return y_true
        key = name, tuple(unclear), tuple(leaf.shape[1:] for leaf in whole)
        found = self._kept.get(key)
        if found is None:
            forms = list(itertools.product((True, False), repeat=len(unclear)))[:MOST_FORMS]
            tried = {form: _with(y_true, leaves, whole, unclear, form) for form in forms}
            found = min(forms, key=lambda form: _tables(function, tried[form], y_pred))
            if len(whole[unclear[0]]) > 1:  # one record broadcasts to nothing larger
                self._kept[key] = found
        return _with(y_true, leaves, whole, unclear, found)


def _with(
    y_true: Any, leaves: list[Any], whole: list[Any], unclear: list[int], form: tuple[bool, ...]
) -> Any:
    """Labels of which the unclear ones are in the predictions' shape where `form` says so."""
    taken = dict(zip(unclear, form, strict=True))
    chosen = iter([whole[i] if taken.get(i) else leaves[i] for i in range(len(leaves))])
    return tree_map(lambda _: next(chosen), y_true)


def _tables(function: Callable[[Any, Any], Any], y_true: Any, y_pred: Any) -> float:
    """How many operations of a function broadcast to something larger; infinite where it fails."""
    try:
        with kept_random_state(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what one of the forms broadcasts
            return _counted(function, y_true, y_pred)
    except Exception:  # the other form may do; if not, it is raised where it is not tried but meant
        return float("inf")


def _counted(function: Callable[[Any, Any], Any], y_true: Any, y_pred: Any) -> int:
    if any(isinstance(leaf, np.ndarray) for _, leaf in tree_leaves(y_true)):
        counter = [0]
        function(_watched(y_true, counter), _watched(y_pred, counter))
        return counter[0]
    with torch.no_grad(), BroadcastWatch(trying=True) as watch:
        function(y_true, y_pred)
    return watch.found


class BroadcastWatch(TorchFunctionMode):
    """Counts operations of torch whose result is larger than each of the tensors in it."""

    trials = 0
    """How many functions are being tried: what they do is not counted by who watches outside."""

    def __init__(self, trying: bool = False) -> None:
        super().__init__()
        self.found = 0
        self.trying = trying

    def __enter__(self) -> Any:
        BroadcastWatch.trials += self.trying
        return super().__enter__()

    def __exit__(self, *given: Any) -> None:
        BroadcastWatch.trials -= self.trying
        super().__exit__(*given)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        result = func(*args, **named)
        given = [a.shape for a in (*args, *named.values()) if isinstance(a, torch.Tensor)]
        if getattr(func, "__name__", "") in LOSSES:  # which broadcast inside
            self.found += self._counts() and _would_be_table(given[:2])
            return result
        first = result[0] if isinstance(result, (tuple, list)) and result else result
        plain = isinstance(first, torch.Tensor) and func.__name__ not in PRODUCTS
        self.found += plain and self._counts() and _is_table(first.shape, given)
        return result

    def _counts(self) -> bool:
        return self.trying or not BroadcastWatch.trials


class _WatchedArray(np.ndarray):
    """An array that counts operations whose result is larger than each array in them."""

    counter: list[int]

    def __array_finalize__(self, other: Any) -> None:
        self.counter = getattr(other, "counter", [0])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        plain = [i.view(np.ndarray) if isinstance(i, _WatchedArray) else i for i in inputs]
        if "out" in named:
            named["out"] = tuple(np.asarray(o) for o in named["out"])
        result = getattr(ufunc, method)(*plain, **named)
        if not isinstance(result, np.ndarray):
            return result
        given = [i.shape for i in plain if isinstance(i, np.ndarray)]
        if method == "__call__" and ufunc is not np.matmul:
            self.counter[0] += _is_table(result.shape, given)
        return _watched(result, self.counter)


def _watched(tree: Any, counter: list[int]) -> Any:
    def watched(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        view = leaf.view(_WatchedArray)
        view.counter = counter
        return view

    return tree_map(watched, tree)


def _would_be_table(given: list[Any]) -> bool:
    """Whether arrays of these shapes are broadcast against each other."""
    try:
        return _is_table(np.broadcast_shapes(*given), given)
    except ValueError:
        return False


def _is_table(result: Any, given: list[Any]) -> bool:
    """Whether arrays were broadcast against each other, such as `(N,)` and `(N, 1)` to `(N, N)`."""
    if len(given) < 2:
        return False
    size = int(np.prod(result))
    try:
        return size > max(int(np.prod(s)) for s in given) and tuple(result) == np.broadcast_shapes(
            *given
        )
    except ValueError:
        return False


def own_step(model: Any, x: Any, y: Any) -> tuple[Any, torch.Tensor]:
    """`fit_batch` of a user's own, with labels that broadcast nowhere.

    What it computes is not known before, so labels get the predictions' shape where that has fewer
    dimensions, and a table that is made of labels with fewer is refused.
    """
    forms = model.__dict__.setdefault("_step_forms", {})
    key = tuple(tuple(leaf.shape[1:]) for _, leaf in tree_leaves(y))
    unclear = any(leaf.dim() and leaf.numel() == len(leaf) > 1 for _, leaf in tree_leaves(y))
    if key not in forms and unclear:
        forms[key] = _tried_step(model, x, y)
        if forms[key] == "watch":
            return _watched_step(model, x, y)
    if forms.get(key) == "squeeze":
        y = tree_map(lambda leaf: leaf.reshape(len(leaf)) if leaf.numel() == len(leaf) else leaf, y)
    found: tuple[Any, torch.Tensor] = model.fit_batch(x, y)
    return found


def _tried_step(model: Any, x: Any, y: Any) -> str:
    """What is to be done with labels beside the predictions that the network gives."""
    model.network.eval()
    with torch.no_grad(), kept_random_state():
        y_pred = model.forward(x)[1]
    model.network.train()
    pairs = zip(tree_leaves(y), tree_leaves(aligned(y, y_pred)), strict=True)
    more = [whole.dim() - leaf.dim() for (_, leaf), (_, whole) in pairs]
    if any(d < 0 for d in more):
        return "squeeze"
    return "watch" if any(more) else "plain"


def _watched_step(model: Any, x: Any, y: Any) -> tuple[Any, torch.Tensor]:
    with BroadcastWatch() as watch:
        found: tuple[Any, torch.Tensor] = model.fit_batch(x, y)
    if watch.found:
        raise UserError(
            "fit_batch compares labels (N,) with predictions (N, 1), which torch broadcasts to a "
            "table (N, N): squeeze the network's output, or use self.loss(y, y_pred_loss)"
        )
    return found
