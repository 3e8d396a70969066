"""Labels `(N, 1)` and predictions `(N,)` are the same numbers, in every loss and metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype(np.float32)
Y = (X @ np.arange(5)).astype(np.float32)


class Model(base_model.BaseModel):
    """A linear network whose loss, last layer and metrics come from the configuration."""

    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(5, 1), *self.config.get("layers", [nn.Flatten(0)]))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        super().init_model(network, self.config["criterion"], optimizer)

    def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
        return {"error": float(((y_true - y_pred) ** 2).mean())}

    def eval_metrics(self, y_true: Any, y_pred: Any) -> Any:
        return {"error": float(((y_true - y_pred) ** 2).mean())}

    def get_hyperband_reward(self, result: Any) -> float:
        return -float(result["val_loss"])


def rows(criterion: Any, labels: Any, kind: type = Model, flat: bool = True) -> Any:
    model = kind({"criterion": criterion, "layers": [nn.Flatten(0)] if flat else []})
    made = MatrixBatchGenerator(X, labels, 20)
    return flat_rows(model.fit(made, made, epochs=2))


def flat_rows(found: Any) -> dict[str, float]:
    return {f"{row['epoch']}.{name}": value for row in found for name, value in row.items()}


def own(y_true: Any, y_pred: Any) -> Any:
    return ((y_true - y_pred) ** 2).mean()


LOSSES: dict[str, Callable[..., Any]] = {
    "MSELoss": nn.MSELoss(),
    "l1_loss": F.l1_loss,
    "smooth_l1_loss": F.smooth_l1_loss,
    "HuberLoss": nn.HuberLoss(),
    "PoissonNLLLoss": nn.PoissonNLLLoss(),
    "own": own,
}


@pytest.mark.parametrize("name", LOSSES)
def test_one_column_and_none_are_the_same_numbers(name: str) -> None:
    wanted = rows(LOSSES[name], Y)
    for labels, flat in ((Y[:, None], True), (Y, False), (Y[:, None], False)):
        assert rows(LOSSES[name], labels, flat=flat) == pytest.approx(wanted)
    if name in ("MSELoss", "own"):
        assert wanted["2.val_error"] == pytest.approx(wanted["2.val_loss"])


def test_a_loss_that_chooses_the_column_itself_is_right_as_it_is() -> None:
    def of_column(y_true: Any, y_pred: Any) -> Any:
        return ((y_true - y_pred[:, 0]) ** 2).mean()

    def of_label(y_true: Any, y_pred: Any) -> Any:
        return ((y_true[:, 0] - y_pred) ** 2).mean()

    def of_column_by_torch(y_true: Any, y_pred: Any) -> Any:
        return F.mse_loss(y_pred[:, 0], y_true)

    def of_label_by_torch(y_true: Any, y_pred: Any) -> Any:
        return nn.MSELoss()(input=y_pred, target=y_true[:, 0])

    wanted = rows(own, Y)
    for loss in (of_column, of_column_by_torch):
        assert rows(loss, Y, flat=False) == pytest.approx(wanted)
    for loss in (of_label, of_label_by_torch):
        assert rows(loss, Y[:, None]) == pytest.approx(wanted)


def test_losses_of_torch_inside_ones_own_and_named_arguments() -> None:
    inside = [
        lambda y_true, y_pred: F.mse_loss(y_pred, y_true),
        lambda y_true, y_pred: torch.sub(input=y_true, other=y_pred).pow(2).mean(),
        lambda y_true, y_pred: nn.MSELoss()(y_pred, y_true),
    ]
    wanted = rows(own, Y)
    for loss in inside:
        assert rows(loss, Y[:, None]) == pytest.approx(wanted)
        assert rows(loss, Y, flat=False) == pytest.approx(wanted)


def test_differences_of_pairs_are_no_mistake() -> None:
    def ranking(y_true: Any, y_pred: Any) -> Any:
        true, pred = y_true.reshape(-1), y_pred.reshape(-1)
        return F.relu(1 - (true[:, None] - true) * (pred[:, None] - pred)).mean()

    wanted = rows(ranking, Y)
    assert rows(ranking, Y[:, None]) == pytest.approx(wanted)
    assert rows(ranking, Y, flat=False) == pytest.approx(wanted)


class OwnLoss(Model):
    def loss(self, y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred).abs().mean()


class OwnStep(Model):
    def fit_batch(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        y_pred = self.network(x)
        loss = ((y_pred - y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return y_pred.detach(), loss.detach()


class OwnTorchStep(Model):
    def fit_batch(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        y_pred = self.network(x)
        loss = F.mse_loss(y_pred, y)
        loss.backward()
        self.optimizer.step()
        return y_pred.detach(), loss.detach()


class AroundStep(Model):
    def fit_batch(self, x: Any, y: Any) -> Any:
        return super().fit_batch(x * 1.0, y)


@pytest.mark.parametrize("kind", [OwnLoss, OwnStep, OwnTorchStep, AroundStep])
def test_overridden_losses_and_steps_get_labels_that_fit(kind: type) -> None:
    wanted = rows(own, Y, kind)
    assert rows(own, Y[:, None], kind) == pytest.approx(wanted)
    if kind in (OwnStep, OwnTorchStep):
        with pytest.raises(UserError, match="fit_batch compares labels"):
            rows(own, Y, kind, flat=False)
    else:
        assert rows(own, Y, kind, flat=False) == pytest.approx(wanted)


def test_labels_and_predictions_in_dictionaries() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(5, 1), nn.Linear(5, 1)

        def forward(self, x: Any) -> Any:
            parts = {"a": self.a(x)[:, 0], "b": self.b(x)}
            return {"y_pred": parts, "y_pred_loss": parts}

    def loss(y_true: Any, y_pred: Any) -> Any:
        return own(y_true["a"], y_pred["a"]) + own(y_true["b"], y_pred["b"][:, 0])

    class Named(Model):
        def init_model(self) -> None:  # type: ignore[override]
            torch.manual_seed(0)
            network = Two()
            optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
            base_model.BaseModel.init_model(self, network, loss, optimizer)

        def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return {"a": float(((y_true["a"] - y_pred["a"]) ** 2).mean())}

        def eval_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return self.train_metrics(y_true, y_pred)

    def trained(a: Any, b: Any) -> Any:
        model = Named({})
        made = MatrixBatchGenerator(X, {"a": a, "b": b}, 20)
        found = flat_rows(model.fit(made, made, 2))
        predicted = model.predict(MatrixBatchGenerator(X))
        assert predicted["a"].shape == (60,) and predicted["b"].shape == (60, 1)
        return found

    wanted = trained(Y, -Y)
    assert wanted["2.val_loss"] < wanted["1.train_loss"]
    assert trained(Y[:, None], -Y) == pytest.approx(wanted)


def test_one_array_of_labels_beside_weights_in_a_dictionary() -> None:
    def weighted(y_true: Any, y_pred: Any) -> Any:
        return (y_true["weight"] * (y_true["y"] - y_pred) ** 2).mean()

    class Plain(Model):
        def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return {}

        eval_metrics = train_metrics

    weights = np.linspace(0, 1, 60).astype(np.float32)
    wanted = rows(weighted, {"y": Y, "weight": weights}, Plain)
    assert rows(weighted, {"y": Y[:, None], "weight": weights}, Plain) == pytest.approx(wanted)


def test_cross_entropy_takes_one_column_of_class_numbers() -> None:
    labels = (Y > 0).astype(np.float32)

    class Classes(Model):
        def init_model(self) -> None:  # type: ignore[override]
            torch.manual_seed(0)
            network = nn.Linear(5, 2)
            optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
            base_model.BaseModel.init_model(self, network, self.config["criterion"], optimizer)

        def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return {}

        eval_metrics = train_metrics

    for criterion in (nn.CrossEntropyLoss(), F.cross_entropy):
        wanted = rows(criterion, labels.astype(np.int64), Classes)
        for form in (labels[:, None], labels, labels.astype(np.uint8)[:, None]):
            assert rows(criterion, form, Classes) == pytest.approx(wanted)


@pytest.mark.parametrize("shape", [(60, 2), (60, 1, 3)])
def test_other_shapes_are_errors_under_losses_of_numbers(shape: Any) -> None:
    for criterion in (nn.MSELoss(), F.huber_loss, nn.SmoothL1Loss()):
        with pytest.raises(UserError, match=r"labels have shape .* but predictions"):
            rows(criterion, np.ones(shape, np.float32), flat=False)


def test_a_network_that_squeezes_a_single_record_away() -> None:
    class Squeezing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 1)

        def forward(self, x: Any) -> Any:
            return self.layer(x).squeeze()

    class Squeezed(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = Squeezing()
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.01))

    model = Squeezed({})
    model.fit(MatrixBatchGenerator(X[:41], Y[:41], 20), MatrixBatchGenerator(X[:1], Y[:1]))
    assert model.predict(MatrixBatchGenerator(X[:41], batch_size=20)).shape == (41,)


def test_whole_numbers_are_labels_of_every_loss_of_numbers() -> None:
    labels = (Y > 0).astype(np.uint8)
    wanted = rows(nn.BCEWithLogitsLoss(), labels.astype(np.float32))
    assert rows(nn.BCEWithLogitsLoss(), labels[:, None]) == pytest.approx(wanted)
