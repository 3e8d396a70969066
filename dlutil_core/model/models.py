"""Models with their loss, metrics and reward: regression and classification."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from dlutil_core.common.errors import UserError
from dlutil_core.model import metrics
from dlutil_core.model.base import BaseModel, Row
from dlutil_core.model.constraints import Constraint
from dlutil_core.model.label_checks import (
    check_one_hot,
    check_probabilities,
    check_shapes,
    check_weights,
    check_yes_or_no,
    class_numbers,
    weights_of_classes,
)
from dlutil_core.model.networks import ConvClassificationNetwork


class LossReward(BaseModel):
    """A model that is rewarded with minus the validation loss, unless a subclass says otherwise."""

    def get_hyperband_reward(self, result: Any) -> float:
        """The negative validation loss."""
        return -float(result["val_loss"])

    def reward(self, row: Row) -> float:
        """See `BaseModel.reward`; without an override there is no need for pandas."""
        own = type(self).get_hyperband_reward is LossReward.get_hyperband_reward
        return -row["val_loss"] if own and "val_loss" in row else super().reward(row)


class RegressionModel(LossReward):
    """A model with `nn.MSELoss`; metrics `mse` and `pearson`; the reward is -val_loss.

    `init_model` of `def.py` ends in `super().init_model(network, optimizer, constraints=[...])`.
    """

    def init_model(  # type: ignore[override]
        self,
        network: nn.Module | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        constraints: Sequence[Constraint] = (),
        scheduler: Any = None,
        criterion: Callable[..., torch.Tensor] | None = None,
    ) -> None:
        """See `BaseModel.init_model`; the criterion is the mean squared error unless given."""
        super().init_model(network, criterion or nn.MSELoss(), optimizer, constraints, scheduler)

    def loss(self, y_true: Any, y_pred: torch.Tensor) -> torch.Tensor:
        """The criterion; labels and predictions must have one shape, nothing is broadcast."""
        check_shapes(y_true, y_pred)
        if not y_true.dtype.is_floating_point:
            y_true = y_true.to(y_pred.dtype)
        return super().loss(y_true, y_pred)

    def train_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`mse` and `pearson` of a batch."""
        return self.eval_metrics(y_true, y_pred)

    def eval_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`mse` (in squared units of the labels) and `pearson`."""
        return {
            "mse": metrics.mean_squared_error(y_true, y_pred),
            "pearson": metrics.pearson(y_true, y_pred),
        }


class ClassificationModel(LossReward):
    """A model with cross-entropy; metrics `accuracy` and `auroc`; the reward is -val_loss.

    Labels are class numbers `(N,)` or `(N, 1)`, or one-hot `(N, K)`. With `multi_label=True` they
    are `(N, K)` zeros and ones, each column a yes or no of its own, the loss is binary
    cross-entropy of logits, and `auroc` is the mean over columns.
    """

    multi_label = False
    class_weights: torch.Tensor | None = None

    def init_model(  # type: ignore[override]
        self,
        network: nn.Module | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        constraints: Sequence[Constraint] = (),
        scheduler: Any = None,
        criterion: Callable[..., torch.Tensor] | None = None,
        class_weights: Sequence[float] | None = None,
        multi_label: bool = False,
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
            criterion = nn.CrossEntropyLoss(weight=weights).to(self.device)
        super().init_model(network, criterion, optimizer, constraints, scheduler)

    def loss(self, y_true: Any, y_pred: torch.Tensor) -> torch.Tensor:
        """The criterion of labels and logits."""
        check_weights(self.class_weights, y_pred)
        if self.multi_label:
            check_yes_or_no(y_true, y_pred)
            return super().loss(y_true.to(y_pred.dtype), y_pred)
        if y_true.dim() == 2 and y_true.shape[1] == 1:
            y_true = y_true[:, 0]
        if y_true.dim() == 1:
            y_true = class_numbers(y_true)
        elif y_true.dtype.is_floating_point:
            check_shapes(y_true, y_pred)
        else:
            check_one_hot(y_true, y_pred)
            y_true = y_true.to(y_pred.dtype)
        try:
            return super().loss(y_true, y_pred)
        except IndexError as error:  # torch's, on the CPU
            classes = y_pred.shape[-1]
            wrong = y_true[(y_true < 0) | (y_true >= classes)]
            if not len(wrong):
                raise
            raise UserError(
                f"there is a label {int(wrong[0])}, but the network has {classes} classes: labels "
                f"must be whole numbers from 0 to {classes - 1}"
            ) from error

    def train_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`accuracy` of a batch."""
        check_probabilities(y_pred)
        if self.multi_label:
            return {"accuracy": float(np.mean((y_pred > 0.5) == (y_true > 0.5)))}
        return {"accuracy": metrics.accuracy(y_true, y_pred)}

    def eval_metrics(self, y_true: np.ndarray, y_pred: np.ndarray) -> Row:
        """`accuracy` and `auroc`."""
        if self.multi_label:
            columns = range(y_true.shape[1])
            areas = [metrics.binary_auroc(y_true[:, k] > 0.5, y_pred[:, k]) for k in columns]
            area = math.nan if np.isnan(areas).all() else float(np.nanmean(areas))
        else:
            area = metrics.auroc(y_true, y_pred)
        return {**self.train_metrics(y_true, y_pred), "auroc": area}
