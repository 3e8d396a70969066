"""Models with their loss, metrics and reward: regression and classification."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import warn_once
from dlutil_core.model import metrics
from dlutil_core.model.base import BaseModel, Row
from dlutil_core.model.checks import missing
from dlutil_core.model.checks.alignment import aligned, check_shapes
from dlutil_core.model.checks.label_checks import (
    check_binary,
    check_one_hot,
    check_probabilities,
    check_weights,
    check_yes_or_no,
    class_numbers,
    classes_lacking,
    labels_for,
    labels_of_ones_own,
    weights_of_classes,
)
from dlutil_core.model.checks.logits import is_one_output, probabilities
from dlutil_core.model.constraints import Constraint
from dlutil_core.model.criterion import is_elementwise, is_of_classes
from dlutil_core.model.networks import ConvClassificationNetwork

NO_CLASS = -(2**62)
"""What cross-entropy passes over: no label there is, while torch's -100 would be one in silence."""


class LossReward(BaseModel):
    """A model that is rewarded with minus the validation loss, unless a subclass says otherwise.

    Labels that are missing (NaN) are left out of its losses, if these are torch's, and metrics.
    """

    init_form = "super().init_model(network, optimizer)"

    @property
    def masks_missing(self) -> bool:  # type: ignore[override]
        """Whether labels that are NaN are left out; a criterion of one's own gets them."""
        return self.loss_name != ""

    def labelled(self, y_true: Any) -> float | None:
        """How many records of a batch have labels; `None`: all count."""
        if not isinstance(y_true, torch.Tensor):
            return None
        return missing.labelled_records(y_true, self.ignored)

    @property
    def ignored(self) -> int | None:
        """The class number that the criterion passes over (`ignore_index`)."""
        found = getattr(self.criterion, "ignore_index", None)
        return found if isinstance(found, int) else None

    def loss(self, y_true: Any, y_pred: Any) -> torch.Tensor:
        """The criterion of the labels that are not missing; see `BaseModel.loss`."""
        if not self._may_miss or not isinstance(y_true, torch.Tensor) or not self.loss_name:
            return super().loss(y_true, y_pred)
        y_pred = self._full(y_pred)
        if is_elementwise(self.loss_name):
            y_true = labels_for(self.loss_name, y_true, y_pred)
            return missing.elementwise(self.criterion, self.loss_function, y_true, y_pred)
        if is_of_classes(self.loss_name):
            y_true, y_pred = missing.rows_with_labels(y_true, y_pred)
        return super().loss(y_true, y_pred)

    def get_hyperband_reward(self, result: Any) -> float:
        """The negative validation loss."""
        return -float(result["val_loss"])

    def reward(self, row: Row) -> float:
        """See `BaseModel.reward`; without an override there is no need for pandas.

        Where `fit` is given no validation data, the training loss stands for theirs.
        """
        own = type(self).get_hyperband_reward is LossReward.get_hyperband_reward
        loss = "val_loss" if "val_loss" in row else "train_loss"
        return -row[loss] if own and loss in row else super().reward(row)


class RegressionModel(LossReward):
    """A model with `nn.MSELoss`; metrics `mse` and `pearson`; the reward is -val_loss.

    `init_model` of `def.py` ends in `super().init_model(network, optimizer, constraints=[...])`.
    """

    metrics_beside = ("spearman",)
    metrics_of_each = ("mse", "pearson", "spearman")

    def init_model(  # type: ignore[override]
        self,
        network: nn.Module | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        constraints: Sequence[Constraint] = (),
        scheduler: Any = None,
        criterion: Callable[..., torch.Tensor] | None = None,
        scheduler_interval: str | None = None,
    ) -> None:
        """See `BaseModel.init_model`; the criterion is the mean squared error unless given."""
        criterion = criterion or nn.MSELoss()
        super().init_model(
            network, criterion, optimizer, constraints, scheduler, scheduler_interval
        )

    def train_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`mse` and `pearson` of a batch."""
        return self.eval_metrics(y_true, y_pred)

    def eval_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`mse` (in squared units of the labels) and `pearson`, of labels that are not missing."""
        check_shapes(y_true, y_pred, "mse and pearson")
        there = missing.present(y_true) if self._may_miss else None
        if there is None:
            return {
                "mse": metrics.mean_squared_error(y_true, y_pred),
                "pearson": metrics.pearson(y_true, y_pred),
            }
        columns = [part.reshape(len(y_true), -1).T for part in (y_true, y_pred, there)]
        each = [metrics.pearson(t[k], p[k]) for t, p, k in zip(*columns, strict=True)]
        return {
            "mse": metrics.mean_squared_error(y_true[there], y_pred[there]),
            "pearson": float(np.mean(each)),
        }


class ClassificationModel(LossReward):
    """A model with cross-entropy; metrics `accuracy` and `auroc`; the reward is -val_loss.

    A tensor from the network is logits, of which predictions are the softmax, or the sigmoid where
    there is one output or `multi_label`. Labels are class numbers `(N,)` or `(N, 1)`, or one-hot
    `(N, K)`. One output is that of a binary model. With `multi_label=True` labels are `(N, K)`
    zeros and ones, each column a yes or no of its own, the loss is binary cross-entropy of logits,
    and `auroc` is the mean over columns.
    """

    tensors_are_logits = True
    multi_label = False
    metrics_beside = ("average_precision",)
    metrics_of_each = ("auroc", "average_precision", "recall")
    class_weights: torch.Tensor | None = None
    own_criterion = False

    def init_model(  # type: ignore[override]
        self,
        network: nn.Module | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        constraints: Sequence[Constraint] = (),
        scheduler: Any = None,
        criterion: Callable[..., torch.Tensor] | None = None,
        class_weights: Sequence[float] | None = None,
        multi_label: bool = False,
        scheduler_interval: str | None = None,
    ) -> None:
        """See `BaseModel.init_model`.

        Parameters
        ----------
        class_weights
            A weight for the loss of each class; in multi-label models for the positives of each
            column.
        multi_label
            Whether each column of the labels is a class of its own.
        """
        self.multi_label = multi_label
        self.own_criterion = criterion is not None
        if class_weights is not None and criterion is not None:
            raise UserError(
                "class_weights are for the loss that the model has without a criterion of your "
                "own: leave out one of the two"
            )
        self.class_weights = weights = weights_of_classes(class_weights)
        if multi_label and isinstance(network, ConvClassificationNetwork):
            network.multi_label = True
        if criterion is None and multi_label:
            criterion = nn.BCEWithLogitsLoss(pos_weight=weights).to(self.device)
        elif criterion is None:
            criterion = nn.CrossEntropyLoss(weights, ignore_index=NO_CLASS).to(self.device)
        super().init_model(
            network, criterion, optimizer, constraints, scheduler, scheduler_interval
        )

    @property
    def outputs_are_classes(self) -> bool:
        """Whether outputs are the classes of one question: unless each column is one."""
        return not self.multi_label

    def predicted(self, output: torch.Tensor) -> torch.Tensor:
        """The probabilities of logits."""
        return probabilities(self._full(output), self.loss_of(output), self.multi_label)

    def loss_of(self, y_pred: Any) -> str:
        """The name of torch's loss of these outputs; empty for one's own."""
        binary = not self.own_criterion and isinstance(y_pred, torch.Tensor)
        if binary and is_one_output(y_pred):
            return "binary_cross_entropy_with_logits"
        return self.loss_name

    def loss(self, y_true: Any, y_pred: Any) -> torch.Tensor:
        """The criterion of labels and logits."""
        if not isinstance(y_true, torch.Tensor) or not isinstance(y_pred, torch.Tensor):
            return super().loss(y_true, y_pred)
        if self.own_criterion and not is_of_classes(self.loss_name):
            if not is_elementwise(self.loss_name):
                y_true = labels_of_ones_own(y_true, y_pred, self.multi_label)
            return super().loss(y_true, y_pred)
        check_weights(self.class_weights, y_pred, self.multi_label)
        if self.multi_label:
            y_true = aligned(y_true, y_pred)
            check_yes_or_no(y_true, y_pred)
            return super().loss(y_true, y_pred)
        if not self.own_criterion and is_one_output(y_pred):
            return self._binary_loss(y_true, y_pred)
        if y_pred.dim() > 2 and y_true.dim() == y_pred.dim() - 1:  # a class at each position
            y_true, y_pred = y_true.reshape(-1), y_pred.movedim(1, -1).flatten(0, -2)
        if self._may_miss:
            y_true, y_pred = missing.rows_with_labels(y_true, y_pred)
        return self._loss_of_classes(y_true, y_pred)

    def _binary_loss(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        """Binary cross-entropy of one logit; with class weights that of the logits 0 and it."""
        y_pred = self._full(y_pred)
        y_true = aligned(y_true, y_pred)
        check_shapes(y_true, y_pred)
        y_true, y_pred = y_true.reshape(-1), y_pred.reshape(-1)
        if self._may_miss:
            y_true, y_pred = missing.rows_with_labels(y_true, y_pred)
        check_binary(y_true)
        if self.class_weights is None:
            return F.binary_cross_entropy_with_logits(y_pred, y_true.to(y_pred.dtype))
        both = torch.stack([torch.zeros_like(y_pred), y_pred], 1)
        return self.loss_function(y_true.long(), both)

    def _loss_of_classes(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        if y_true.dim() == 2 and y_true.shape[1] == 1:
            y_true = y_true[:, 0]
        if y_true.dim() == 1:
            y_true = class_numbers(y_true)
        elif y_true.dim() == y_pred.dim() and y_true.dtype.is_floating_point:
            check_shapes(y_true, y_pred)
        elif y_true.dim() == y_pred.dim():
            check_one_hot(y_true, y_pred)
            y_true = y_true.to(y_pred.dtype)
        try:
            return BaseModel.loss(self, y_true, y_pred)
        except IndexError as error:  # torch's, on the CPU
            classes = y_pred.shape[1]
            wrong = y_true[(y_true < 0) | (y_true >= classes)]
            if not len(wrong):
                raise
            raise UserError(
                f"there is a label {int(wrong[0])}, but the network has {classes} classes: labels "
                f"must be whole numbers from 0 to {classes - 1}"
            ) from error

    def _there(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels and predictions of the records, or positions, that have labels."""
        if y_pred.ndim > 2 and y_true.ndim == y_pred.ndim - 1:
            y_pred = np.moveaxis(y_pred, 1, -1).reshape(-1, y_pred.shape[1])
            y_true = y_true.reshape(-1)
        ignored = None if not self.own_criterion else -1 if self.ignored is None else self.ignored
        if ignored is None and not self._may_miss:
            return y_true, y_pred
        there = missing.present(y_true, ignored)
        if there is None:
            return y_true, y_pred
        rows = there.reshape(len(there), -1).all(axis=1)
        return y_true[rows], y_pred[rows]

    def labels_there(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """See `ForwardPasses.labels_there`."""
        arrays = isinstance(y_true, np.ndarray) and isinstance(y_pred, np.ndarray)
        if self.multi_label or not arrays:
            return y_true, y_pred
        return self._there(y_true, y_pred)

    def train_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`accuracy` of a batch."""
        check_probabilities(y_pred)
        if not self.multi_label:
            return {"accuracy": metrics.accuracy(*self._there(y_true, y_pred))}
        there = missing.present(y_true, -1 if self.own_criterion else None)
        right = (y_pred > 0.5) == (y_true > 0.5)
        return {"accuracy": float(np.mean(right if there is None else right[there]))}

    def eval_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`accuracy` and `auroc`, of labels that are not missing."""
        found = self.train_metrics(y_true, y_pred)
        if self.multi_label:
            area = self._mean_auroc(y_true, y_pred)
        else:
            true, pred = self._there(y_true, y_pred)
            area = metrics.auroc(true, pred)
            if math.isnan(area):
                self._warn_of_lacking(classes_lacking(true, pred))
        return {**found, "auroc": area}

    def _mean_auroc(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """The mean over the columns that have both a yes and a no."""
        y_true, y_pred = (part.reshape(len(part), -1) for part in (y_true, y_pred))
        there = missing.present(y_true, -1 if self.own_criterion else None)
        areas = []
        for k in range(y_true.shape[1]):
            rows = slice(None) if there is None else there[:, k]
            areas.append(metrics.binary_auroc(y_true[rows, k] > 0.5, y_pred[rows, k]))
        lacking = [k for k, area in enumerate(areas) if math.isnan(area)]
        if lacking and np.isfinite(y_pred).all():
            self._warn_of_lacking(f"record of both kinds in column {', '.join(map(str, lacking))}")
        return math.nan if np.isnan(areas).all() else float(np.nanmean(areas))

    def _warn_of_lacking(self, what: str | None) -> None:
        if what:
            warn_once(f"warning: the {self.set_name} has no {what}: auroc is not defined there")
