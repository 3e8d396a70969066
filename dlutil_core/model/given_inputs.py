"""What `predict` is given, as a loader: arrays and tensors are batched, loaders stay."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from numbers import Number
from typing import Any, Protocol

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves
from dlutil_core.loaders.generators import MatrixBatchGenerator


class RawInputs(Protocol):
    """Encodes raw records as a model's training data were; `trained/` has it."""

    def loader(self, records: Any) -> AbstractContextManager[Any]:
        """The loader of these texts or of this data frame, which lives meanwhile."""
        ...


def loader_of(given: Any, raw: RawInputs | None) -> AbstractContextManager[Any]:
    """The loader that is to be predicted.

    Parameters
    ----------
    given
        An array, a tensor, a dictionary of such, or a list of numbers: inputs `(N, …)`. Sequences
        as text (one, or a list or Series; two lists for pairs) or a data frame. Or a loader, which
        is given back; so is a list or tuple of arrays, which are batches.
    raw
        What encodes texts and data frames; None for a model that was not loaded from a result.

    Raises
    ------
    UserError
        Texts or a data frame without `raw`, or values that are no numbers.
    """
    if is_raw(given):
        if raw is None:
            raise UserError(
                "texts and data frames are encoded as a model's training data were, which only a"
                " model from dlutil_core.load knows;"
                " give this one arrays in the shape that its network takes"
            )
        return raw.loader(given)
    if hasattr(given, "to_numpy"):  # a Series of numbers
        given = given.to_numpy()
    if not isinstance(given, (np.ndarray, torch.Tensor, dict)) and not _are_numbers(given):
        if not hasattr(given, "__iter__") and not hasattr(given, "__getitem__"):
            raise UserError(
                f"a value of type {type(given).__name__} cannot be predicted; give an array, texts,"
                " a data frame or a loader"
            )
        return nullcontext(given)
    for name, leaf in tree_leaves(given):
        if np.ndim(leaf) == 0 and not isinstance(given, list):
            what = f"the input {name}" if name else "what is to be predicted"
            raise UserError(f"{what} is a single value; give an array of N records (N, ...)")
    try:
        return nullcontext(MatrixBatchGenerator(given))
    except ValueError as error:
        raise UserError(f"the inputs cannot be predicted: {error}") from error


def is_raw(given: Any) -> bool:
    """Whether these are texts, a data frame, or a list of such."""
    if are_texts(given) or is_frame(given):
        return True
    if not isinstance(given, (list, tuple)) or not given:
        return False
    return all(are_texts(part) or is_frame(part) for part in given)


def is_frame(given: Any) -> bool:
    """Whether this is a data frame."""
    return hasattr(given, "iloc") and hasattr(given, "columns")


def are_texts(given: Any) -> bool:
    """Whether this is a text, or a list, array or Series with texts in it."""
    if isinstance(given, str):
        return True
    if isinstance(given, np.ndarray):
        texts = given.dtype.kind == "U" or given.dtype == object
        return texts and any(isinstance(item, str) for item in given.flat)
    if isinstance(given, (list, tuple)) or _is_series(given):
        return any(isinstance(item, str) for item in given)
    return False


def _is_series(given: Any) -> bool:
    return hasattr(given, "to_numpy") and not is_frame(given)


def _are_numbers(given: Any) -> bool:
    """Whether this is a list of numbers, or of such lists."""
    if not isinstance(given, list):
        return False
    leaves = [leaf for _, leaf in tree_leaves(given)]
    return bool(leaves) and all(isinstance(leaf, Number) for leaf in leaves)
