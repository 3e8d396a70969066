"""Reverse complements of a batch's one-hot sequences: one draw a record, for all its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves, tree_map

SLACK = 1e-3
"""By how much the four rows of a position may sum to more than 1."""


class Turner:
    """Replaces records of a batch by their reverse complements.

    Inputs `(N, 4, …, L)` of letters (rows A, C, G, T) are turned; one number or vector a record
    `(N,)` or `(N, F)` stays as it is; everything else is refused, since its other strand is not
    known.

    Parameters
    ----------
    probability
        With which a record is turned.
    labels
        Whether labels have one number for each position in their last dimension, which are turned
        with the sequence; `None`: labels whose last dimension is as long as the sequences are
        refused.
    """

    def __init__(self, probability: float, labels: bool | None = None) -> None:
        self.probability = probability
        self.labels = labels
        self._checked: set[Any] = set()

    def __call__(self, x: Any, y: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        """The batch `(x, y)` with some of its records turned."""
        form = _form(x), None if y is None else _form(y)
        if form not in self._checked:  # a look at values, once for batches of this form
            self._check(x, y)
            self._checked.add(form)
        chosen = rng.random(_records(x)) < self.probability
        x = tree_map(lambda leaf: _turned(leaf, chosen, (1, leaf.ndim - 1)), x)
        if self.labels and y is not None:
            y = tree_map(lambda leaf: _turned_labels(leaf, chosen), y)
        return x, y

    def _check(self, x: Any, y: Any) -> None:
        lengths = {leaf.shape[-1] for _, leaf in tree_leaves(x) if leaf.ndim >= 3}
        for name, leaf in tree_leaves(x):
            _check_input(name, leaf, lengths)
        if not lengths:
            raise UserError(
                "reverse_complement turns one-hot sequences (N, 4, …, L), but the inputs have "
                f"shape {_shapes(x)}: leave reverse_complement out"
            )
        if len(lengths) > 1 and self.labels:
            raise UserError(
                f"reverse_labels=True, but the sequences are of several lengths {sorted(lengths)}"
            )
        for name, leaf in tree_leaves(y) if y is not None else ():
            self._check_labels(name, leaf, lengths)

    def _check_labels(self, name: str, leaf: Any, lengths: set[int]) -> None:
        by_position = leaf.ndim >= 2 and leaf.shape[-1] in lengths and leaf.shape[-1] > 1
        shown = f"labels{f' {name!r}' if name else ''} have shape {tuple(leaf.shape)}"
        if by_position and self.labels is None:
            raise UserError(
                f"{shown}, as many in a row as a sequence has positions: say reverse_labels=True, "
                "so that they are turned with it, or reverse_labels=False"
            )
        if self.labels and not by_position:
            raise UserError(
                f"{shown}, but reverse_labels=True takes a number for each of the sequence's "
                f"{min(lengths)} positions in the last dimension: leave reverse_labels out"
            )


def _form(tree: Any) -> tuple[Any, ...]:
    return tuple((name, tuple(leaf.shape)[1:]) for name, leaf in tree_leaves(tree))


def _records(x: Any) -> int:
    return len(next(leaf for _, leaf in tree_leaves(x)))


def _check_input(name: str, leaf: Any, lengths: set[int]) -> None:
    """Refuse what is neither letters nor one vector a record."""
    shown = f"the input{f' {name!r}' if name else ''} has shape {tuple(leaf.shape)}"
    if leaf.ndim == 1 or (leaf.ndim == 2 and leaf.shape[1] not in lengths):
        return
    if leaf.ndim < 3 or leaf.shape[1] != 4 or not _are_letters(leaf):
        raise UserError(
            f"{shown}, which reverse_complement cannot turn: only one-hot sequences (N, 4, …, L) "
            "of the rows A, C, G and T have another strand; leave it out, or turn records in a "
            "loader of your own"
        )


def _are_letters(leaf: Any) -> bool:
    """Whether the four rows of each position are a letter, or probabilities of letters."""
    least, most, sums = leaf.min(), leaf.max(), leaf.sum(1).max()
    return len(leaf) == 0 or bool(least >= 0 and most <= 1 and sums <= 1 + SLACK)


def _turned(leaf: Any, chosen: np.ndarray, axes: tuple[int, ...]) -> Any:
    """A leaf whose chosen records are turned along these axes; vectors stay."""
    if leaf.ndim < 3:
        return leaf
    return _where(leaf, chosen, axes)


def _turned_labels(leaf: Any, chosen: np.ndarray) -> Any:
    return _where(leaf, chosen, (leaf.ndim - 1,))


def _where(leaf: Any, chosen: np.ndarray, axes: tuple[int, ...]) -> Any:
    shape = (-1, *([1] * (leaf.ndim - 1)))
    if isinstance(leaf, torch.Tensor):
        mask = torch.from_numpy(chosen).view(shape).to(leaf.device)
        return torch.where(mask, torch.flip(leaf, axes), leaf)
    return np.where(chosen.reshape(shape), np.flip(leaf, axes), leaf)


def _shapes(x: Any) -> str:
    return ", ".join(str(tuple(leaf.shape)) for _, leaf in tree_leaves(x))
