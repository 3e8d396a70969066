"""`BaseModel`: a network, a loss and an optimizer, with the one training loop of the project.

Read `fit`, `fit_epoch` and `fit_batch` from top to bottom: that is all that training does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import take, tree_length, tree_map
from dlutil_core.common.seeds import epoch_seed, seed_everything
from dlutil_core.loaders import on_device
from dlutil_core.loaders.own_generators import reseed_epoch
from dlutil_core.model.checkpoint import read_checkpoint, write_checkpoint
from dlutil_core.model.compiling import compiled
from dlutil_core.model.constraints import Constraint
from dlutil_core.model.criterion import bind_criterion
from dlutil_core.model.epoch_outputs import (
    EpochOutputs,
    joined,
    mean_over_batches,
    numpy_tree,
    shape_of,
)
from dlutil_core.model.lr_scheduler import check_scheduler, step_scheduler
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


class BaseModel:
    """A network with its loss and optimizer, and how to train, evaluate, save and load it.

    A subclass defines `init_model`, `train_metrics`, `eval_metrics` and `get_hyperband_reward`, and
    may override any other method.

    Parameters
    ----------
    config
        The trial's hyperparameters, as `self.config`.
    device
        Where tensors live: `"cpu"`, `"cuda"` or `"cuda:1"`.
    options
        Precision, gradient clipping and the like; see `TrainingOptions`.

    What is not given is taken from `model_settings`, since a `Model` of `def.py` may have an
    `__init__` that takes `config` alone.
    """

    eval_batch_size = 128
    """Samples of one forward pass in evaluation and prediction; fixed, since bits depend on it.

    A convolution's activations on 128 sequences are some megabytes; those on 256 may be more than
    the C library keeps of freed memory, and new memory for each batch is several times slower.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        config: dict[str, Any],
        device: str | torch.device | None = None,
        options: TrainingOptions | None = None,
    ) -> None:
        self.config = config
        settings = _SETTINGS.get()
        self.device = torch.device(settings.device if device is None else device)
        self.options = settings.options if options is None else options
        self.init_model()
        if "network" not in self.__dict__:
            raise UserError(
                f"{type(self).__name__}.init_model must end in super().init_model(network, "
                "criterion, optimizer), but no network was set"
            )

    # What def.py defines

    def init_model(
        self,
        network: nn.Module | None = None,
        criterion: Callable[..., torch.Tensor] | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        constraints: Sequence[Constraint] = (),
        scheduler: Any = None,
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
            Of the learning rate, over `optimizer`; stepped once an epoch
            (`ReduceLROnPlateau`: by the reward, or by minus the reward where its mode is `min`).
        """
        if network is None or criterion is None or optimizer is None:
            raise UserError(
                f"{type(self).__name__} must define init_model(self) and end it in "
                "super().init_model(network, criterion, optimizer)"
            )
        check_scheduler(scheduler, optimizer)
        self.network = network.to(self.device)
        self.criterion = criterion
        self.loss_function = bind_criterion(criterion)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.constraints = list(constraints)
        self._constrained = [(c, w) for c in self.constraints for w in c.weights(self.network)]
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
        for epoch in range(first_epoch, epochs + 1):
            seed_everything(epoch_seed(seed, epoch))
            reseed_epoch(train, val, epoch_seed(seed, epoch))
            row: Row = {"epoch": epoch}
            row |= {f"train_{name}": value for name, value in self.fit_epoch(train).items()}
            if val is not None:
                row |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
            row["reward"] = self.reward(row)
            step_scheduler(self.scheduler, row["reward"])
            rows.append(row)
            if on_epoch is not None and on_epoch(row):
                break
        return rows

    def fit_epoch(self, train: Iterable[Any]) -> Row:
        """One pass over `train`: the mean loss, and the means of `train_metrics` over batches."""
        self.network.train()
        outputs = EpochOutputs(self._numpy_train_metrics)
        for batch in on_device.batches(train, self.device, self.dtype):
            x, y = self.batch_to_device(batch)
            y_pred, loss = self.fit_batch(x, y)
            outputs.add(y, self._full(y_pred), loss)
        if not outputs.samples:
            raise UserError("the training loader gave no batch; check the data and batch_size")
        return mean_over_batches(outputs)

    def fit_batch(self, x: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer step. Returns the batch's predictions and loss, detached."""
        self._drop_gradients()
        y_pred, y_pred_loss = self.forward(x)
        loss = self.loss(y, y_pred_loss)
        loss.backward()
        if self.options.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.apply_constraints()
        return y_pred.detach(), loss.detach()

    def _drop_gradients(self) -> None:
        """`optimizer.zero_grad()`, without what torch adds for its profiler."""
        if type(self.optimizer).zero_grad is not torch.optim.Optimizer.zero_grad:
            self.optimizer.zero_grad()
            return
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = None

    def forward(self, x: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """`(y_pred, y_pred_loss)` of a batch: for metrics and predictions, and for the loss."""
        if self.options.precision == "bf16":
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                output = self._forward(x)
        else:
            output = self._forward(x)
        if isinstance(output, dict):
            missing = {"y_pred", "y_pred_loss"} - set(output)
            if missing:
                raise UserError(
                    f"the network returned a dictionary without {' and '.join(sorted(missing))}; "
                    "it must have y_pred (for metrics) and y_pred_loss (for the loss)"
                )
            return output["y_pred"], output["y_pred_loss"]
        if not isinstance(output, torch.Tensor):
            raise UserError(
                f"the network returned {type(output).__name__}, but must return a tensor or a "
                "dictionary with y_pred and y_pred_loss"
            )
        return output, output

    def loss(self, y_true: Any, y_pred: torch.Tensor) -> torch.Tensor:
        """The criterion of labels and predictions, in full precision."""
        return self.loss_function(y_true, self._full(y_pred))

    def apply_constraints(self) -> None:
        """Change the weights in place so that every constraint holds."""
        if self._constrained:
            with torch.no_grad():
                for constraint, weight in self._constrained:
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

    # Evaluation and prediction

    def evaluate(self, loader: Iterable[Any]) -> Row:
        """`loss` and `eval_metrics` on a whole set; the forward pass runs in bounded batches."""
        return self.metrics_of(*self.outputs(loader))

    def metrics_of(self, y_true: Any, y_pred: torch.Tensor, y_pred_loss: torch.Tensor) -> Row:
        """`loss` and `eval_metrics` of what `outputs` gave."""
        with torch.no_grad():
            row = {"loss": float(self.loss(y_true, y_pred_loss))}
        found = self.eval_metrics(numpy_tree(y_true), numpy_tree(y_pred))
        return row | self._numbers("eval_metrics", found)

    @torch.no_grad()
    def outputs(self, loader: Iterable[Any]) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """`(y_true, y_pred, y_pred_loss)` of a whole labelled set, in the loader's order."""
        self.network.eval()
        parts = []
        for batch in on_device.batches(loader, self.device, self.dtype, self.eval_batch_size):
            for piece in self._pieces(batch):
                x, y = self.batch_to_device(piece)
                y_pred, y_pred_loss = self.forward(x)
                parts.append((y, self._full(y_pred), self._full(y_pred_loss)))
        if not parts:
            raise UserError("the loader to evaluate on gave no batch; check its data")
        y_true, y_pred, y_pred_loss = joined(parts)
        return y_true, y_pred, y_pred_loss

    @torch.no_grad()
    def predict(self, loader: Iterable[Any]) -> np.ndarray:
        """Predictions `(N, …)` of a loader of inputs, as a numpy array in the loader's order.

        Labels that a `BatchGenerator` gives too are passed over.
        """
        self.network.eval()
        labelled = bool(getattr(loader, "has_labels", False))
        parts = []
        for batch in on_device.batches(loader, self.device, self.dtype, self.eval_batch_size):
            for piece in self._pieces(_inputs(batch, labelled)):
                parts.append(self._full(self.forward(self.to_device(piece))[0]).cpu())
        if not parts:
            raise UserError("the loader to predict gave no batch; check its data")
        return np.asarray(torch.cat(parts).numpy())

    def _pieces(self, batch: Any) -> Iterable[Any]:
        """A batch in pieces of at most `eval_batch_size` samples."""
        size = tree_length(batch)
        step = self.eval_batch_size
        if size <= step:
            return [batch]
        rows = (slice(start, start + step) for start in range(0, size, step))
        return (take(batch, piece) for piece in rows)

    # Tensors

    def batch_to_device(self, batch: Any) -> tuple[Any, Any]:
        """A batch `(x, y)` as tensors on the device."""
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise UserError(
                f"a batch of the loader is {shape_of(batch)}, but must be a pair (x, y) of inputs "
                "and labels"
            )
        return self.to_device(batch[0]), self.to_device(batch[1])

    def to_device(self, tree: Any) -> Any:
        """Arrays as tensors on the device; floats in the network's precision."""
        if isinstance(tree, (torch.Tensor, np.ndarray)) or not isinstance(
            tree, (dict, list, tuple)
        ):
            return self._tensor(tree)
        return tree_map(self._tensor, tree)

    def _tensor(self, leaf: Any) -> torch.Tensor:
        if isinstance(leaf, np.ndarray) and not leaf.flags.writeable:
            leaf = leaf.copy()  # torch warns of arrays that it must not write to
        tensor = leaf if isinstance(leaf, torch.Tensor) else torch.as_tensor(leaf)
        dtype = self.dtype if tensor.dtype.is_floating_point else tensor.dtype
        if tensor.dtype is dtype and tensor.device == self.device:
            return tensor
        if self.device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()  # from other memory the copy would wait for the GPU
        return tensor.to(self.device, dtype, non_blocking=True)

    def _full(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor

    def _numpy_train_metrics(self, y_true: Any, y_pred: Any) -> Row:
        found = self.train_metrics(y_true, y_pred)
        return self._numbers("train_metrics", found)

    def _numbers(self, name: str, found: Any) -> Row:
        """What a metrics method returned, as floats."""
        try:
            return {str(key): float(value) for key, value in found.items()}
        except (AttributeError, TypeError, ValueError):
            raise UserError(
                f"{type(self).__name__}.{name} returned {str(found)[:80]}, but must return a "
                "dictionary of numbers"
            ) from None

    # Saving and loading

    def save(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """What training needs to go on: `weights`, `optimizer` and, if there is one, `scheduler`.

        An override adds keys to what `super().save()` returns; values are tensors, numbers, texts,
        lists and dictionaries. With a path, the dictionary is written there too.
        """
        state = {"weights": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.scheduler is not None:
            state["scheduler"] = self.scheduler.state_dict()
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


def _inputs(batch: Any, labelled: bool) -> Any:
    """The inputs of a batch to predict; a `DataLoader` of a `TensorDataset` puts them in a list."""
    if isinstance(batch, (tuple, list)) and (len(batch) == 1 or (labelled and len(batch) == 2)):
        return batch[0]
    return batch
