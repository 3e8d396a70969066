"""Whether a loader gives every record once, in order and as it is, as predictions need it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves
from dlutil_core.common.seeds import kept_random_state, seed_everything
from dlutil_core.loaders.generators import BatchGenerator, MatrixBatchGenerator

FEW = 8
"""Records that are looked at where a set would come at once."""

RANDOM_SAMPLERS = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
WANTED = (
    "predictions stand beside the file's records, so a loader to predict must give them in order"
)


def check_prediction_loader(loader: Iterable[Any]) -> None:
    """Refuse a loader that shuffles, changes or leaves out records.

    Raises
    ------
    UserError
        It does.
    """
    name = type(loader).__name__
    if _shuffles(loader):
        raise UserError(
            f"the {name} to predict shuffles its records, but {WANTED}: leave the shuffling out"
        )
    if getattr(loader, "reverse_complement", 0):
        raise UserError(
            f"the {name} to predict turns records at random (reverse_complement), but {WANTED} and "
            "as they are: leave reverse_complement out"
        )
    left_out = records_left_out(loader)
    if left_out:
        raise UserError(
            f"the {name} to predict leaves out {left_out} of {records_of(loader)} records, since "
            "drop_last is true: leave drop_last out"
        )
    if _may_be_random(loader) and _is_random(loader):
        raise UserError(
            f"the {name} to predict gives other values each time it is read (shuffled, or changed "
            f"at random), but {WANTED} and as they are"
        )


def records_of(loader: Any) -> int | None:
    """How many records a loader has, where it says so."""
    if isinstance(loader, BatchGenerator):
        plain = type(loader).__iter__ is BatchGenerator.__iter__
        return loader.samples if plain and getattr(loader, "process_x_y", None) is None else None
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return None
    ordered = isinstance(loader.sampler, (SequentialSampler, RandomSampler))
    if not ordered or type(loader.batch_sampler).__module__.partition(".")[0] != "torch":
        return None
    try:
        return len(loader.dataset)  # type: ignore[arg-type]
    except TypeError:
        return None


def records_left_out(loader: Any) -> int:
    """How many records `drop_last` leaves out of a pass."""
    records, size = records_of(loader), getattr(loader, "batch_size", None)
    return records % size if records and size and getattr(loader, "drop_last", False) else 0


def _shuffles(loader: Any) -> bool:
    if isinstance(loader, DataLoader):
        samplers = (loader.sampler, getattr(loader.batch_sampler, "sampler", None))
        return any(
            isinstance(s, RANDOM_SAMPLERS) or getattr(s, "shuffle", False) is True for s in samplers
        )
    return getattr(loader, "shuffle", False) is True


def _may_be_random(loader: Any) -> bool:
    """Whether code of a user's own makes the batches, which may draw random numbers."""
    if isinstance(loader, BatchGenerator):
        own = type(loader).__module__.partition(".")[0] != MatrixBatchGenerator.__module__[:11]
        return own or getattr(loader, "process_x_y", None) is not None
    if isinstance(loader, DataLoader):
        return True
    return not isinstance(loader, (list, tuple)) and iter(loader) is not loader


def _is_random(loader: Any) -> bool:
    """Whether the first records differ when the random numbers do."""
    with kept_random_state():
        found = []
        for seed in (1, 2):
            seed_everything(seed)
            found.append(_first(loader))
    return not _equal(*found)


def _first(loader: Any) -> Any:
    """The first record of a `DataLoader`'s dataset, or the first batch of another loader."""
    if isinstance(loader, BatchGenerator):
        return next(loader.in_pieces(FEW), None)
    if not isinstance(loader, DataLoader):
        return next(iter(loader), None)
    if isinstance(loader.dataset, IterableDataset):
        return None if loader.num_workers else next(iter(loader), None)
    try:
        return loader.dataset[next(iter(loader.sampler))]
    except (StopIteration, TypeError, KeyError, IndexError):
        return None


def _equal(a: Any, b: Any) -> bool:
    pairs = zip(tree_leaves(a), tree_leaves(b), strict=False)
    return all(_same(left, right) for (_, left), (_, right) in pairs)


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, (np.ndarray, torch.Tensor, float, int)):
        return True  # of other kinds nothing is known
    left, right = (
        np.asarray(v.detach().cpu() if isinstance(v, torch.Tensor) else v) for v in (a, b)
    )
    return left.shape == right.shape and bool(((left == right) | (left != left)).all())
