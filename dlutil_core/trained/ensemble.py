"""Members of one result as one model: predictions are means over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_join, tree_leaves, tree_map
from dlutil_core.model.epoch_outputs import numpy_tree
from dlutil_core.model.given_inputs import RawInputs, loader_of


class Ensemble:
    """Models of one configuration, from other seeds and folds, that predict together.

    Parameters
    ----------
    members
        Two models or more by their names, `fold-{k}/seed-{i}`.

    Attributes
    ----------
    members
        The models, by name: `ensemble.members["fold-0/seed-1"].predict(x)`.
    raw_inputs
        Encodes texts and data frames, where the models were loaded from a result.
    """

    def __init__(self, members: Mapping[str, Any]) -> None:
        self.members = dict(members)
        self.raw_inputs: RawInputs | None = None

    @property
    def first(self) -> Any:
        """The first member, which is the best model of the search."""
        return next(iter(self.members.values()))

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the first member."""
        config: dict[str, Any] = self.first.config
        return config

    @property
    def tensors_are_logits(self) -> bool:
        """Whether the networks give logits, of which predictions are probabilities."""
        return bool(self.first.tensors_are_logits)

    @property
    def outputs_are_classes(self) -> bool:
        """Whether outputs are the classes of one question, not several tasks."""
        return bool(self.first.outputs_are_classes)

    @property
    def network(self) -> torch.nn.ModuleList:
        """The networks of all members."""
        return torch.nn.ModuleList([member.network for member in self.members.values()])

    def to_device(self, tree: Any) -> Any:
        """A batch on the device of the members, in their precision."""
        return self.first.to_device(tree)

    def predict(self, loader: Any) -> Any:
        """Mean predictions `(N, …)` of inputs, as a numpy array in their order.

        Parameters
        ----------
        loader
            What `predict` of a model takes: a loader, arrays, texts or a data frame.

        Raises
        ------
        UserError
            As a model's `predict`.
        """
        return self.predict_with_sd(loader)[0]

    def predict_with_sd(self, loader: Any) -> tuple[Any, Any]:
        """Means and standard deviations over members (N - 1 below the line), of equal shapes.

        The deviation tells how far members disagree, in the unit of the prediction: what another
        seed (and fold) may change. It is no interval for the truth.
        """
        found = self.predict_each(loader)
        return mean_of(found), sd_of(found)

    def predict_each(self, loader: Any) -> list[Any]:
        """Predictions of each member, in the order of the members."""
        with loader_of(loader, self.raw_inputs) as batches:
            if iter(batches) is batches:  # for one pass alone
                batches = list(batches)
            return [member.predict(batches) for member in self.members.values()]

    def evaluate(self, loader: Any) -> dict[str, float]:
        """`eval_metrics` of mean predictions on a whole labelled set.

        The loss is not among them: it may be taken of something else than predictions, of logits.
        """
        outputs = [member.outputs(loader) for member in self.members.values()]
        trees = [(numpy_tree(y_true), numpy_tree(y_pred)) for y_true, y_pred, _ in outputs]
        found: dict[str, float] = self.first.metrics_of_predictions(*tested_together(trees))
        return found

    def forward(self, x: Any) -> tuple[Any, Any]:
        """`(y_pred, y_pred_loss)` of a batch, means over members; gradients go through."""
        found = [member.forward(x) for member in self.members.values()]
        return tuple(
            tree_join(lambda leaves: torch.stack([leaf.float() for leaf in leaves]).mean(0), part)
            for part in zip(*found, strict=True)
        )  # type: ignore[return-value]


def tested_together(outputs: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Labels and mean predictions of a set that members were tested on, as tensors.

    Parameters
    ----------
    outputs
        Labels and predictions of each member, as numpy arrays or dictionaries and tuples of them.

    Raises
    ------
    UserError
        The labels of two members are not the same ones.
    """
    labels = [y_true for y_true, _ in outputs]
    if not all(_equal(labels[0], other) for other in labels[1:]):
        raise UserError(
            "members were tested on other records, or in another order, so that their predictions "
            "have no mean; let get_test_generator give the same records each time"
        )
    mean = mean_of([y_pred for _, y_pred in outputs])
    return tree_map(torch.from_numpy, labels[0]), tree_map(torch.from_numpy, mean)


def mean_of(predictions: Sequence[Any]) -> Any:
    """Means over members, of arrays or of dictionaries and tuples of them.

    Summed in double precision, in the order in which members are given, and kept in theirs.
    """
    return tree_join(_mean, predictions)


def sd_of(predictions: Sequence[Any]) -> Any:
    """Standard deviations over members (N - 1 below the line), alike; NaN of one member."""
    return tree_join(_sd, predictions)


def _mean(leaves: list[Any]) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in leaves]
    found = np.asarray(np.mean(np.stack(arrays), axis=0, dtype=np.float64))
    kind = arrays[0].dtype
    return found.astype(kind) if kind.kind == "f" else found


def _sd(leaves: list[Any]) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in leaves]
    kind = arrays[0].dtype
    if len(arrays) < 2:
        found = np.full(arrays[0].shape, np.nan)
    else:
        found = np.asarray(np.std(np.stack(arrays), axis=0, dtype=np.float64, ddof=1))
    return found.astype(kind) if kind.kind == "f" else found


def _equal(one: Any, other: Any) -> bool:
    pairs = zip(tree_leaves(one), tree_leaves(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for (_, a), (_, b) in pairs)
