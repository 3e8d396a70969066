"""What torch's messages mean here: one sentence with the cause and what to do."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log, warn_once
from dlutil_core.common.nested import tree_leaves, tree_length
from dlutil_core.common.seeds import kept_random_state
from dlutil_core.loaders.not_finite import not_finite
from dlutil_core.loaders.pieces import may_be_records
from dlutil_core.loaders.prediction_order import records_left_out, records_of

ONE_RECORD = "Expected more than 1 value per channel"

CAUSES = {
    ONE_RECORD: (
        "a batch has one record, on which batch normalisation cannot train: choose a batch_size "
        "that does not leave one record over, or give the training loader drop_last=True"
    ),
    "grad can be implicitly created only for scalar outputs": (
        "the loss is several numbers, but must be one: let the criterion end in .mean()"
    ),
    "does not require grad and does not have a grad_fn": (
        "the loss does not depend on a weight that can be trained: the criterion or the network "
        "leaves torch (numpy, .item(), .detach(), no_grad), or all weights are frozen"
    ),
    "backward through the graph a second time": (
        "a tensor of an earlier batch is used again (a hidden state that was kept, say): detach it"
    ),
    "Expected all tensors to be on the same device": (
        "a tensor that the definition makes is on another device than the model: make it with "
        "device=x.device, or register_buffer it in the network"
    ),
    "multi-target not supported": (
        "the labels have several columns, but cross-entropy takes a class number a record: choose "
        "a column (process_x_y)"
    ),
    "Tried to step": (
        "the learning-rate scheduler was made for fewer steps than are taken: give it as many as "
        "epochs times batches (max_epochs of the search counts), or scheduler_interval='epoch'"
    ),
    "SparseAdam does not support dense gradients": (
        "SparseAdam trains embeddings with sparse=True alone: use Adam"
    ),
}


def cause_of(error: Exception, x: Any) -> UserError | None:
    """The sentence for an exception of torch's in a training step; `None` where there is none.

    Parameters
    ----------
    x
        The inputs of the batch.
    """
    message = " ".join(str(error).split())
    if ONE_RECORD in message and (x is None or tree_length(x) != 1):
        return None
    for part, cause in CAUSES.items():
        if part in message:
            return UserError(cause)
    if isinstance(error, RuntimeError) and re.search(
        r"shapes cannot be multiplied|size of tensor|expected input", message
    ):
        return UserError(f"{message} (a batch of inputs has shape {shapes(x)})")
    return None


def pair_instead_of_inputs(batch: Any, error: Exception) -> UserError | None:
    """The sentence for a pair `(x, y)` where inputs alone are wanted."""
    if not isinstance(batch, (list, tuple)) or len(batch) != 2:
        return None
    return UserError(
        f"a batch to predict is a pair of arrays of shapes {shapes(batch)}, which the network does "
        f"not take ({' '.join(str(error).split())[:100]}): if it is (inputs, labels), give the "
        "inputs alone, for example DataLoader(TensorDataset(x))"
    )


def shapes(tree: Any) -> str:
    """The shapes of a batch's arrays."""
    found = [str(tuple(getattr(leaf, "shape", ()))) for _, leaf in tree_leaves(tree)]
    return " and ".join(found[:4])


def check_batches(batches: int, samples: int, loader: Any) -> None:
    """Refuse an epoch in which nothing could be trained on."""
    if samples:
        return
    if batches:
        raise UserError("every label of the training set is missing (NaN)")
    once = iter(loader) is loader
    raise UserError(
        "the training loader gave no batch; "
        + ("it can be iterated only once: give a list" if once else "check the data and batch_size")
    )


def check_counts(y_true: Any, y_pred: Any) -> None:
    """Refuse predictions that are not as many as the labels beside them."""
    counts = {len(leaf) for _, leaf in tree_leaves(y_true) if getattr(leaf, "ndim", 0)}
    found = tree_length(y_pred)
    if counts and found not in counts:
        raise UserError(
            f"the network gave {found} predictions for {min(counts)} records: the first dimension "
            "of what it returns must be the records (of recurrent layers: batch_first=True)"
        )


def check_records(x: Any, found: int) -> None:
    """Refuse predictions that are not as many as the records of a batch."""
    if not may_be_records(x, found):
        raise UserError(
            f"the network gave {found} predictions for a batch of inputs of shape {shapes(x)}: the "
            "first dimension of what it returns must be the records"
        )


def warn_left_out(loader: Any) -> None:
    """Warn of a set that is evaluated without some of its records."""
    left_out = records_left_out(loader)
    if left_out:
        warn_once(
            f"warning: a {type(loader).__name__} to evaluate on leaves out {left_out} of "
            f"{records_of(loader)} records, since drop_last is true"
        )


def check_finite(loss: float, loader: Any, which: str, nan_labels: bool) -> None:
    """Where a loss is not finite since an input or label is not, name it."""
    if math.isfinite(loss):
        return
    with kept_random_state():
        found = not_finite(loader, True, nan_labels)
    if found is not None:
        raise UserError(
            f"the loss of the {which} is {loss:g}, since {found}: mend or leave out such records"
        )


def warn_not_finite(loader: Any, predictions: Any, labelled: bool) -> None:
    """Warn of predictions that are not finite, and name the input where it is the cause."""
    leaves = [leaf for _, leaf in tree_leaves(predictions) if leaf.dtype.kind == "f"]
    wrong = [~np.isfinite(leaf).reshape(len(leaf), -1).all(1) for leaf in leaves]
    records = np.flatnonzero(np.any(wrong, axis=0)) if wrong else np.zeros(0)
    if records.size:
        found = not_finite(loader, labelled) if iter(loader) is not loader else None
        why = f", since {found}" if found else ""
        log.warning(
            "warning: predictions of %d records are not finite, the first that of record %d%s",
            len(records),
            records[0],
            why,
        )


def warn_unheld(name: str, before: dict[str, str], after: dict[str, str]) -> None:
    """Warn of a model's state that training changes and a checkpoint does not hold."""
    changed = [f"self.{key}" for key in before if after.get(key, before[key]) != before[key]]
    if changed:
        warn_once(
            f"warning: training changes {', '.join(changed)} of {name}, which a checkpoint does "
            "not hold, so that a trial that is resumed begins without: let save and load keep "
            "it, or register it as a buffer of the network"
        )
