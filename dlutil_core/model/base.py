"""`BaseModel`: a network, a loss and an optimizer, with the one training loop of the project.

Read `fit`, `fit_epoch` and `fit_batch` from top to bottom: that is all that training does.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from dlutil_core.common.errors import UserError
from dlutil_core.common.seeds import epoch_seed, seed_everything
from dlutil_core.loaders import on_device
from dlutil_core.loaders.own_generators import reseed_epoch
from dlutil_core.model.checkpoint import read_checkpoint, write_checkpoint
from dlutil_core.model.checks.alignment import LabelForms, own_step
from dlutil_core.model.checks.causes import (
    cause_of,
    check_batches,
    check_finite,
    warn_unheld,
)
from dlutil_core.model.checks.label_checks import labels_for
from dlutil_core.model.chosen_metrics import reward_of
from dlutil_core.model.compiling import compiled
from dlutil_core.model.constraints import Constraint, constrained_weights
from dlutil_core.model.criterion import bind_criterion, torch_loss
from dlutil_core.model.epoch_outputs import (
    EpochOutputs,
    mean_over_batches,
)
from dlutil_core.model.evaluating import ForwardPasses
from dlutil_core.model.held_state import stateful, unheld
from dlutil_core.model.lr_scheduler import (
    check_materialised,
    check_optimizer,
    check_scheduler,
    interval_of,
    step_scheduler,
)
from dlutil_core.model.options import TrainingOptions

Row = dict[str, float]


@dataclass(frozen=True)
class ModelSettings:
    """Where models live that are made without saying it, and how they are trained."""

    device: str = "cpu"
    options: TrainingOptions = field(default_factory=TrainingOptions)


_SETTINGS = ContextVar("model settings", default=ModelSettings())  # noqa: B039 (it is frozen)


@contextmanager
def model_settings(device: str, options: TrainingOptions) -> Iterator[None]:
    """What models take that are made meanwhile."""
    token = _SETTINGS.set(ModelSettings(device, options))
    try:
        yield
    finally:
        _SETTINGS.reset(token)


class BaseModel(ForwardPasses):
    """A network with its loss and optimizer, and how to train, evaluate, save and load it.

    A subclass defines `init_model`, `train_metrics`, `eval_metrics` and `get_hyperband_reward`, and
    may override any other method. Of the parameters below, what is not given is taken from
    `model_settings`, since a `Model` of `def.py` may have an `__init__` that takes `config` alone.

    Parameters
    ----------
    config
        The trial's hyperparameters; `self.config` is the model's own copy.
    device
        Where tensors live: `"cpu"`, `"cuda"` or `"cuda:1"`.
    options
        Precision, gradient clipping and the like; see `TrainingOptions`.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer

    init_form = "super().init_model(network, criterion, optimizer)"

    def __init__(
        self,
        config: dict[str, Any],
        device: str | torch.device | None = None,
        options: TrainingOptions | None = None,
    ) -> None:
        self.config = copy.deepcopy(config)
        settings = _SETTINGS.get()
        self.device = torch.device(settings.device if device is None else device)
        self.options = settings.options if options is None else options
        self.init_model()
        if "loss_function" not in self.__dict__:
            raise UserError(
                f"{type(self).__name__}.init_model must end in {self.init_form}; it did not"
            )

    # What def.py defines

    def init_model(
        self,
        network: nn.Module | None = None,
        criterion: Callable[..., torch.Tensor] | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        constraints: Sequence[Constraint] = (),
        scheduler: Any = None,
        scheduler_interval: str | None = None,
    ) -> None:
        """Set the parts of the model; `def.py` overrides this and calls it at its end.

        Parameters
        ----------
        network
            Maps a batch of inputs to predictions, or to a dictionary with `y_pred` (for metrics and
            predictions) and `y_pred_loss` (for the loss).
        criterion
            The loss: a function `(y_true, y_pred)` of one's own, or one of torch's.
        optimizer
            Over `network.parameters()`.
        constraints
            Applied in place after every optimizer step, in this order.
        scheduler
            Of the learning rate, over `optimizer`
            (`ReduceLROnPlateau`: by the reward, or by minus the reward where its mode is `min`).
        scheduler_interval
            When it is stepped: after every `"epoch"` or `"batch"`. Unless it is said,
            `OneCycleLR` and `CyclicLR` are stepped by batch and all others by epoch.
        """
        if network is None or criterion is None or optimizer is None:
            raise UserError(
                f"{type(self).__name__} must define init_model(self) and end it in {self.init_form}"
            )
        if "device" not in self.__dict__:
            raise UserError(
                f"{type(self).__name__}.__init__ must begin with super().__init__(config)"
            )
        check_materialised(network)
        self._own_step = type(self).fit_batch is not BaseModel.fit_batch
        check_optimizer(optimizer, network, self._own_step)
        check_scheduler(scheduler, optimizer)
        self.network = network.to(self.device)
        self.criterion = criterion
        self.loss_function = bind_criterion(criterion)
        self.loss_name = torch_loss(criterion)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_interval = interval_of(scheduler, scheduler_interval)
        self.constraints = list(constraints)
        self._constrained = constrained_weights(self.constraints, self.network)
        self._forms = LabelForms()
        self._checked: set[Any] = set()
        first = next(self.network.parameters(), None)
        self.dtype = first.dtype if first is not None else torch.float32
        self._forward = compiled(network) if self.options.compile else network

    def train_metrics(self, y_true: Any, y_pred: Any) -> Row:
        """Metrics of one training batch, from numpy arrays; averaged over the epoch."""
        raise UserError(f"{type(self).__name__} must define train_metrics(self, y_true, y_pred)")

    def eval_metrics(self, y_true: Any, y_pred: Any) -> Row:
        """Metrics of a whole validation or test set, from numpy arrays."""
        raise UserError(f"{type(self).__name__} must define eval_metrics(self, y_true, y_pred)")

    def get_hyperband_reward(self, result: Any) -> float:
        """What the search maximises, from a pandas Series with `train_…` and `val_…` values."""
        raise UserError(f"{type(self).__name__} must define get_hyperband_reward(self, result)")

    # Training

    def fit(
        self,
        train: Iterable[Any],
        val: Iterable[Any] | None = None,
        epochs: int = 1,
        first_epoch: int = 1,
        seed: int = 0,
        on_epoch: Callable[[Row], bool | None] | None = None,
    ) -> list[Row]:
        """Train from `first_epoch` to `epochs`, both included.

        All that is random in an epoch is seeded by `(seed, epoch)`, so that a model that was saved
        and loaded goes on to the same bits.

        Parameters
        ----------
        train, val
            Loaders of batches `(x, y)`; without `val` there are no `val_…` values.
        on_epoch
            Called with each epoch's row; a true answer ends the training.

        Returns
        -------
        One dictionary per epoch: `epoch`, `train_loss`, `train_…`, `val_loss`, `val_…`, `reward`.
        """
        rows = []
        before = unheld(self)
        for epoch in range(first_epoch, epochs + 1):
            seed_everything(epoch_seed(seed, epoch))
            reseed_epoch(train, val, epoch_seed(seed, epoch))
            row: Row = {"epoch": epoch}
            row |= {f"train_{name}": value for name, value in self.fit_epoch(train).items()}
            check_finite(row["train_loss"], train, "training set", self.masks_missing)
            if val is not None:
                self.set_name = "validation set"
                row |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
                check_finite(row.get("val_loss", 0.0), val, self.set_name, self.masks_missing)
            wanted = self.options.reward
            row["reward"] = reward_of(row, wanted) if wanted else self.reward(row)
            if self.scheduler is not None and self.scheduler_interval == "epoch":
                self._step_scheduler(row["reward"])
            rows.append(row)
            if epoch == first_epoch and type(self).save is BaseModel.save:
                warn_unheld(type(self).__name__, before, unheld(self))
            if on_epoch is not None and on_epoch(row):
                break
        return rows

    def fit_epoch(self, train: Iterable[Any]) -> Row:
        """One pass over `train`: the mean loss, and the means of `train_metrics` over batches."""
        self.network.train()
        outputs = EpochOutputs(self._numpy_train_metrics)
        masked = self.masks_missing and on_device.may_miss_labels(train)
        self._may_miss = masked
        by_batch = self.scheduler is not None and self.scheduler_interval == "batch"
        batches = 0
        for batch in on_device.batches(train, self.device, self.dtype):
            batches += 1
            x, y = self.batch_to_device(batch)
            labelled = self.labelled(y) if masked else None
            if labelled == 0:  # as if the records were not there
                continue
            y_pred, loss = self._step(x, y)
            outputs.add(y, self._full(y_pred), loss, labelled)
            if by_batch:
                self._step_scheduler()
        check_batches(batches, outputs.samples, train)
        row = mean_over_batches(outputs)
        self._may_miss = True
        return row

    def _step(self, x: Any, y: Any) -> tuple[Any, torch.Tensor]:
        """`fit_batch`; what torch says of a wrong input becomes a sentence."""
        try:
            return own_step(self, x, y) if self._own_step else self.fit_batch(x, y)
        except Exception as error:
            cause = cause_of(error, x)
            if cause is None:
                raise
            raise cause from error

    def _step_scheduler(self, reward: float = 0.0) -> None:
        try:
            step_scheduler(self.scheduler, reward)
        except ValueError as error:
            cause = cause_of(error, None)
            raise error if cause is None else cause from error

    def fit_batch(self, x: Any, y: Any) -> tuple[Any, torch.Tensor]:
        """One optimizer step. Returns the batch's predictions and loss, detached."""
        self._drop_gradients()
        y_pred, y_pred_loss = self.forward(x)
        self._check_outputs(y_pred_loss)
        loss = self.loss(self._fitting("loss", y, y_pred_loss), y_pred_loss)
        loss.backward()
        if self.options.clip_norm is not None:
            owned = [p for group in self.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(owned, self.options.clip_norm)
        self.optimizer.step()
        self.apply_constraints()
        return self._detached(y_pred), loss.detach()

    def _drop_gradients(self) -> None:
        """`optimizer.zero_grad()`, without what torch adds for its profiler."""
        if type(self.optimizer).zero_grad is not torch.optim.Optimizer.zero_grad:
            self.optimizer.zero_grad()
            return
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = None

    def loss(self, y_true: Any, y_pred: Any) -> torch.Tensor:
        """The criterion of labels and predictions, in full precision.

        Under losses of torch's `(N, 1)` and `(N,)` are the same numbers, and other unequal shapes
        an error where they compare number with number.
        """
        y_pred = self._full(y_pred)
        if self.loss_name:
            y_true = labels_for(self.loss_name, y_true, y_pred)
        return self.loss_function(y_true, y_pred)

    def apply_constraints(self) -> None:
        """Change the weights in place so that every constraint holds."""
        if self._constrained:
            with torch.no_grad():
                for constraint, weight in self._constrained:
                    if weight.requires_grad:
                        constraint.apply(weight)

    def reward(self, row: Row) -> float:
        """`get_hyperband_reward` of an epoch's row, as a float."""
        import pandas as pd

        result = pd.Series({k: v for k, v in row.items() if k != "epoch"}, dtype=float)
        try:
            found = self.get_hyperband_reward(result)
        except KeyError as error:
            raise UserError(
                f"get_hyperband_reward reads {error}, but there are only {', '.join(result.index)}"
            ) from error
        try:
            return float(found)
        except (TypeError, ValueError):
            raise UserError(
                f"{type(self).__name__}.get_hyperband_reward returned {found!r}, but must return a "
                "number"
            ) from None

    def _numpy_train_metrics(self, y_true: Any, y_pred: Any) -> Row:
        found = self.train_metrics(self._fitting("train_metrics", y_true, y_pred), y_pred)
        return self._numbers("train_metrics", found)

    # Saving and loading

    def save(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """What training needs to go on: `weights`, `optimizer` and, if there is one, `scheduler`;
        `others` are further attributes with a `state_dict`, such as an average of the weights.

        An override adds keys to what `super().save()` returns; values are tensors, numbers, texts,
        lists and dictionaries. With a path, the dictionary is written there too.
        """
        state = {"weights": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.scheduler is not None:
            state["scheduler"] = self.scheduler.state_dict()
        others = {name: part.state_dict() for name, part in stateful(self).items()}
        if others:
            state["others"] = others
        if path is not None:
            write_checkpoint(path, state)
        return state

    def load(self, state: dict[str, Any] | str | os.PathLike[str]) -> None:
        """Take over what `save` returned or wrote; without `optimizer` the weights alone."""
        if not isinstance(state, dict):
            state = read_checkpoint(state)
        self.network.load_state_dict(state["weights"])
        if "optimizer" in state:
            self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None and "scheduler" in state:
            self.scheduler.load_state_dict(state["scheduler"])
        for name, part in stateful(self).items():
            if name in state.get("others", {}):
                part.load_state_dict(state["others"][name])
