"""Forward passes over whole sets: evaluation and prediction, in bounded batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_length, tree_map
from dlutil_core.common.wording import shortened
from dlutil_core.loaders import on_device
from dlutil_core.loaders.pieces import common_length, cut, gives_records
from dlutil_core.loaders.prediction_order import check_prediction_loader
from dlutil_core.model.checks.alignment import LabelForms
from dlutil_core.model.checks.causes import (
    check_counts,
    check_records,
    pair_instead_of_inputs,
    warn_left_out,
    warn_not_finite,
)
from dlutil_core.model.checks.logits import check_outputs
from dlutil_core.model.chosen_metrics import (
    chosen_metrics,
    column_metrics,
    columns_for,
    overall,
)
from dlutil_core.model.criterion import is_of_classes
from dlutil_core.model.epoch_outputs import joined, numpy_tree
from dlutil_core.model.given_inputs import RawInputs, loader_of
from dlutil_core.model.options import TrainingOptions
from dlutil_core.model.tensors import DeviceTensors

Row = dict[str, float]


class ForwardPasses(DeviceTensors, ABC):
    """What has a network and a loss, and passes batches and sets through them."""

    eval_batch_size = 128
    """Samples of one forward pass in evaluation and prediction; fixed, since bits depend on it.

    A convolution's activations on 128 sequences are some megabytes; those on 256 may be more than
    the C library keeps of freed memory, and new memory for each batch is several times slower.
    """

    network: nn.Module
    options: TrainingOptions
    loss_name: str

    tensors_are_logits = False
    """Whether a tensor from the network is logits, of which predictions are probabilities."""

    masks_missing = False
    """Whether labels that are NaN are left out of the loss and the metrics."""

    set_name = "set that is evaluated"
    """What is evaluated, in words."""

    multi_label: bool | None = None
    """Whether each column of the labels is a yes or no of its own; `None`: their values tell."""

    metrics_beside: tuple[str, ...] = ()
    """Metrics of a test that training does without."""

    metrics_of_each: tuple[str, ...] = ()
    """Metrics of a test that are told of each class, label or column."""

    raw_inputs: RawInputs | None = None
    """Encodes texts and data frames; a model has it that was loaded from a result."""

    _forward: Callable[[Any], Any]
    _forms: LabelForms
    _checked: set[Any]
    _gave_tensor = False
    _may_miss = True  # labels may be NaN; looked up once for a loader

    @abstractmethod
    def loss(self, y_true: Any, y_pred: Any) -> torch.Tensor:
        """The loss; see `BaseModel.loss`."""

    @abstractmethod
    def eval_metrics(self, y_true: Any, y_pred: Any) -> Row:
        """Metrics of a set; see `BaseModel.eval_metrics`."""

    @property
    def outputs_are_classes(self) -> bool:
        """Whether outputs are the classes of one question, not several tasks."""
        return is_of_classes(self.loss_name)

    def labelled(self, y_true: Any) -> float | None:
        """How many records of a batch have labels; `None`: all count."""
        return None

    def loss_of(self, y_pred: Any) -> str:
        """The name of torch's loss of these outputs; empty for one's own."""
        return self.loss_name

    def _check_outputs(self, y_pred: Any) -> None:
        """Look at what the network gives to the loss, once for each shape."""
        form = y_pred.shape[1:] if isinstance(y_pred, torch.Tensor) else None
        if form is not None and form not in self._checked:
            logits = self.tensors_are_logits and self._gave_tensor
            check_outputs(y_pred, self.loss_of(y_pred), logits)
            self._checked.add(form)

    def _fitting(self, name: str, y_true: Any, y_pred: Any) -> Any:
        """Labels in the form that the method `name` takes beside these predictions."""
        if getattr(y_true, "shape", None) == getattr(y_pred, "shape", ()):
            return y_true
        of_dlutil = getattr(type(self), name).__module__.startswith("dlutil_core.")
        known = of_dlutil and (name != "loss" or self.loss_name != "")
        return self._forms.fitting(name, getattr(self, name), y_true, y_pred, known)

    def forward(self, x: Any) -> tuple[Any, Any]:
        """`(y_pred, y_pred_loss)` of a batch: for metrics and predictions, and for the loss."""
        if self.options.precision == "bf16":
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                output = self._forward(x)
        else:
            output = self._forward(x)
        self._gave_tensor = isinstance(output, torch.Tensor)
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
                "dictionary with y_pred and y_pred_loss (a recurrent layer gives its states too: "
                "take the first of what it returns)"
            )
        output = output if output.dim() else output.reshape(1)  # squeeze() on one record
        return self.predicted(output), output

    def predicted(self, output: torch.Tensor) -> torch.Tensor:
        """What a tensor from the network means for metrics and predictions."""
        return output

    def evaluate(self, loader: Iterable[Any]) -> Row:
        """`loss` and `eval_metrics` on a whole set; the forward pass runs in bounded batches."""
        return self.metrics_of(*self.outputs(loader))

    def metrics_of(self, y_true: Any, y_pred: Any, y_pred_loss: Any) -> Row:
        """`loss` and `eval_metrics` of what `outputs` gave."""
        if self.masks_missing and self.labelled(y_true) == 0:
            raise UserError(f"every label of the {self.set_name} is missing (NaN)")
        with torch.no_grad():
            labels = self._fitting("loss", y_true, y_pred_loss)
            row = {"loss": float(self.loss(labels, y_pred_loss))}
        return row | self.metrics_of_predictions(y_true, y_pred)

    def metrics_of_predictions(self, y_true: Any, y_pred: Any) -> Row:
        """`eval_metrics`, and what `metrics` of the config names beside them, of a whole set."""
        true, pred = numpy_tree(y_true), numpy_tree(y_pred)
        found = self.eval_metrics(self._fitting("eval_metrics", true, pred), pred)
        row = self._numbers("eval_metrics", found)
        missing = [name for name in self.options.metrics if name not in row]
        if missing:
            row |= chosen_metrics(missing, *self.labels_there(true, pred), self.multi_label)
        return row

    def labels_there(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Labels and predictions, as numpy arrays, without records that are to be left out."""
        return y_true, y_pred

    def further_metrics(self, y_true: Any, y_pred: Any, titles: Sequence[str] | None) -> Row:
        """What a test tells beside `evaluate`: metrics of each class, label or column.

        Parameters
        ----------
        y_true, y_pred
            Those of the whole set, as `outputs` gave them.
        titles
            Names of the classes, labels or columns.
        """
        true, pred = self.labels_there(numpy_tree(y_true), numpy_tree(y_pred))
        each = dict.fromkeys([*self.metrics_of_each, *self.options.metrics])
        found = column_metrics(each, true, pred, self.multi_label, titles)
        for name in self.metrics_beside:
            columns = columns_for(name, true, pred, self.multi_label)
            found |= {} if columns is None else {name: overall(name, columns)}
        return found

    @torch.no_grad()
    def outputs(self, loader: Iterable[Any]) -> tuple[Any, Any, Any]:
        """`(y_true, y_pred, y_pred_loss)` of a whole labelled set, in the loader's order."""
        self.network.eval()
        warn_left_out(loader)
        parts = []
        for batch in self._batches(loader):
            found = self._in_pieces(batch, batch[:1], loader, self._evaluated)
            for y, y_pred, _ in found:
                check_counts(y, y_pred)
            parts += found
        if not parts:
            raise UserError("the loader to evaluate on gave no batch; check its data")
        y_true, y_pred, y_pred_loss = joined(parts)
        return y_true, y_pred, y_pred_loss

    def _evaluated(self, batch: Any) -> tuple[Any, Any, Any]:
        x, y = self.batch_to_device(batch)
        y_pred, y_pred_loss = self.forward(x)
        self._check_outputs(y_pred_loss)
        return y, self._full(y_pred), self._full(y_pred_loss)

    @torch.no_grad()
    def predict(self, loader: Any) -> Any:
        """Predictions `(N, …)` of inputs, as a numpy array in their order.

        Labels that a `BatchGenerator` gives too are passed over. A network whose `y_pred` is a
        dictionary gives a dictionary of arrays.

        Parameters
        ----------
        loader
            A loader of inputs; an array or tensor `(N, …)` as the network takes it, or a dictionary
            of such; or, where the model was loaded from a result, sequences as text (one, a list or
            a Series, and two lists for pairs) or a data frame, which are encoded as its training
            data were.

        Raises
        ------
        UserError
            The loader shuffles, changes or leaves out records, there are not as many predictions
            as records, or the records do not fit the model.
        """
        with loader_of(loader, self.raw_inputs) as batches:
            return self._predictions(batches)

    def _predictions(self, loader: Iterable[Any]) -> Any:
        check_prediction_loader(loader)
        self.network.eval()
        labelled = bool(getattr(loader, "has_labels", False))
        parts = []
        for batch in self._batches(loader):
            x = _inputs(batch, labelled)
            found = self._in_pieces(x, x, loader, self._predicted)
            check_records(x, sum(tree_length(y_pred) for _, y_pred, _ in found))
            parts += [y_pred for _, y_pred, _ in found]
        if not parts:
            raise UserError("the loader to predict gave no batch; check its data")
        predictions = numpy_tree(joined(parts))
        warn_not_finite(loader, predictions, labelled)
        return predictions

    def _predicted(self, x: Any) -> tuple[Any, Any, Any]:
        try:
            y_pred = self._full(self.forward(self.to_device(x))[0])
        except (TypeError, AttributeError, RuntimeError, IndexError) as error:
            cause = pair_instead_of_inputs(x, error)
            raise error if cause is None else cause from error
        return None, tree_map(lambda leaf: leaf.cpu(), y_pred), None

    def _batches(self, loader: Iterable[Any]) -> Iterable[Any]:
        return on_device.batches(loader, self.device, self.dtype, self.eval_batch_size)

    def _in_pieces(
        self,
        batch: Any,
        inputs: Any,
        loader: Iterable[Any],
        forward: Callable[[Any], tuple[Any, Any, Any]],
    ) -> list[tuple[Any, Any, Any]]:
        """Forward passes of a batch of at most `eval_batch_size` records each, or of it as a whole
        where its rows are not records.
        """
        pieces = cut(batch, self.eval_batch_size, inputs, gives_records(loader))
        first = forward(pieces[0])
        if len(pieces) > 1 and tree_length(first[1]) != common_length(pieces[0]):
            return [forward(batch)]
        return [first, *map(forward, pieces[1:])]

    def _numbers(self, name: str, found: Any) -> Row:
        """What a metrics method returned, as floats."""
        try:
            return {str(key): float(value) for key, value in found.items()}
        except (AttributeError, TypeError, ValueError):
            raise UserError(
                f"{type(self).__name__}.{name} returned {shortened(str(found), 80)}, but must "
                "return a dictionary of numbers"
            ) from None


def _inputs(batch: Any, labelled: bool) -> Any:
    """The inputs of a batch to predict; a `DataLoader` of a `TensorDataset` puts them in a list."""
    if isinstance(batch, (tuple, list)) and (len(batch) == 1 or (labelled and len(batch) == 2)):
        return batch[0]
    return batch
