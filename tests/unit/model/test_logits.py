"""A tensor from a classification network is logits; probabilities in their place are told."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common import logs
from dlutil_core.common.errors import UserError
from dlutil_core.model.checks import causes

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype(np.float32)
BINARY = (X[:, 0] > 0).astype(np.uint8)
COLUMNS = np.stack([BINARY, X[:, 1] > 0], 1).astype(np.uint8)


class Model(base_model.ClassificationModel):
    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(0)
        options = dict(self.config)
        network = nn.Sequential(nn.Linear(6, options.pop("outputs")), *options.pop("layers", []))
        super().init_model(network, torch.optim.Adam(network.parameters(), lr=0.05), **options)


def loader(labels: Any) -> MatrixBatchGenerator:
    return MatrixBatchGenerator(X, labels, 50)


def trained(labels: Any, epochs: int = 15, **config: Any) -> tuple[Any, Any]:
    model = Model(config)
    return model, model.fit(loader(labels), loader(labels), epochs=epochs)[-1]


class Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(logs, "_told", set())
    handler = Told()
    causes.log.addHandler(handler)
    yield handler.lines
    causes.log.removeHandler(handler)


def test_predictions_are_the_softmax_and_the_loss_is_of_logits(told: Any) -> None:
    model, row = trained(BINARY, outputs=2)
    logits = model.network(torch.from_numpy(X)).detach()
    predicted = model.predict(MatrixBatchGenerator(X))
    assert predicted == pytest.approx(torch.softmax(logits, 1).numpy(), abs=1e-6)
    wanted = float(F.cross_entropy(logits, torch.from_numpy(BINARY).long()))
    assert row["val_loss"] == pytest.approx(wanted, rel=1e-5)
    assert row["val_accuracy"] > 0.9
    assert told == []


def test_columns_are_sigmoids_each() -> None:
    model, row = trained(COLUMNS, outputs=2, multi_label=True)
    logits = model.network(torch.from_numpy(X)).detach()
    predicted = model.predict(MatrixBatchGenerator(X))
    assert predicted == pytest.approx(torch.sigmoid(logits).numpy(), abs=1e-6)
    assert row["val_auroc"] > 0.95


def focal(y_true: Any, y_pred: Any) -> Any:
    each = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return ((1 - torch.exp(-each)) ** 2 * each).mean()


def hinge(y_true: Any, y_pred: Any) -> Any:
    return torch.relu(1 - (2 * y_true - 1) * y_pred).mean()


ONE_OUTPUT: dict[str, Any] = {
    "default": {},
    "weighted positives": {"criterion": nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0]))},
    "after a sigmoid": {"criterion": nn.BCELoss(), "layers": [nn.Sigmoid()]},
    "focal": {"criterion": focal},
    "hinge": {"criterion": hinge},
}


@pytest.mark.parametrize("name", ONE_OUTPUT)
def test_one_output_is_a_binary_model(name: str, told: Any) -> None:
    options = ONE_OUTPUT[name]
    found = []
    for flat in (False, True):
        layers = [*options.get("layers", []), *([nn.Flatten(0)] if flat else [])]
        for labels in (BINARY, BINARY[:, None], BINARY.astype(np.float32), BINARY.astype(bool)):
            model, row = trained(labels, outputs=1, **options | {"layers": layers})
            found.append([row["val_loss"], row["val_accuracy"], row["val_auroc"]])
    assert found[0][1] > 0.85 and found[0][2] > 0.95
    assert np.allclose(found, found[0], rtol=1e-5)
    predicted = model.predict(MatrixBatchGenerator(X))
    assert predicted.shape == (200,) and predicted.min() >= 0 and predicted.max() <= 1
    assert told == []


def test_class_weights_of_one_output_mean_what_they_mean_of_two() -> None:
    model = Model({"outputs": 1, "class_weights": [1.0, 4.0]})
    logit = model.network(torch.from_numpy(X)).detach()[:, 0]
    both = torch.stack([torch.zeros_like(logit), logit], 1)
    wanted = F.cross_entropy(both, torch.from_numpy(BINARY).long(), torch.tensor([1.0, 4.0]))
    assert model.evaluate(loader(BINARY))["loss"] == pytest.approx(float(wanted), rel=1e-5)
    with pytest.raises(UserError, match="class_weights has 3 numbers, but the network has 2"):
        Model({"outputs": 1, "class_weights": [1, 2, 3]}).evaluate(loader(BINARY))


def test_labels_of_one_output_are_0_and_1() -> None:
    for labels in (BINARY + 1, BINARY / 2):
        with pytest.raises(UserError, match="a network of one output takes labels 0 and 1"):
            trained(labels, outputs=1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"criterion": nn.CrossEntropyLoss()},
        {"criterion": F.cross_entropy},
        {"criterion": lambda y_true, y_pred: F.nll_loss(torch.log(y_pred), y_true)},
    ],
)
def test_softmax_under_a_loss_of_logits_is_an_error(options: Any) -> None:
    with pytest.raises(UserError, match=r"probabilities \(rows sum to 1\)"):
        trained(BINARY, outputs=3, layers=[nn.Softmax(1)], **options)
    with pytest.raises(UserError, match=r"probabilities \(rows sum to 1\)"):
        Model({"outputs": 3, "layers": [nn.Softmax(1)], **options}).evaluate(loader(BINARY))


def test_softmax_in_the_dictionarys_loss_too_and_in_any_model() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(6, 2)

        def forward(self, x: Any) -> Any:
            found = torch.softmax(self.inner(x), 1)
            return {"y_pred": found, "y_pred_loss": found}

    class Dictionary(base_model.ClassificationModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = Wrapped()
            optimizer = torch.optim.Adam(network.parameters())
            super().init_model(network, optimizer, criterion=self.config.get("criterion"))

    with pytest.raises(UserError, match="so that softmax would be applied twice"):
        Dictionary({}).fit(loader(BINARY), loader(BINARY))
    own = {"criterion": lambda y_true, y_pred: F.nll_loss(torch.log(y_pred), y_true)}
    assert Dictionary(own).evaluate(loader(BINARY))["loss"] > 0, "says what its numbers are"


@pytest.mark.parametrize(
    ("outputs", "labels", "options", "layers"),
    [
        (1, BINARY, {}, [nn.Sigmoid()]),
        (1, BINARY, {}, [nn.Sigmoid(), nn.Flatten(0)]),
        (2, COLUMNS, {"multi_label": True}, [nn.Sigmoid()]),
        (1, BINARY, {"criterion": nn.BCEWithLogitsLoss()}, [nn.Sigmoid()]),
    ],
)
def test_a_sigmoid_under_a_loss_of_logits_is_warned_of_once(
    outputs: int, labels: Any, options: Any, layers: Any, told: Any
) -> None:
    for _ in range(2):
        trained(labels, 1, outputs=outputs, layers=layers, **options)
    assert len(told) == 1
    assert told[0].startswith("warning: the network's outputs for the loss are all within 0 and 1")


def test_logits_that_happen_to_be_small_are_not_warned_of(told: Any) -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(6, 1)

        def forward(self, x: Any) -> Any:
            return self.inner(x) * 0.001 + 0.5

    class Calm(base_model.ClassificationModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = Small()
            super().init_model(network, torch.optim.Adam(network.parameters()))

    Calm({}).evaluate(loader(BINARY))
    Calm({}).fit(loader(BINARY), loader(BINARY))
    assert told == []


def test_logarithms_of_probabilities_and_losses_that_want_other_numbers() -> None:
    options: Any = {"criterion": nn.NLLLoss(), "layers": [nn.LogSoftmax(1)]}
    model, row = trained(BINARY, outputs=2, **options)
    _, wanted = trained(BINARY, outputs=2)
    assert row == pytest.approx(wanted, rel=1e-4)
    assert model.predict(MatrixBatchGenerator(X)).sum(1) == pytest.approx(np.ones(200), abs=1e-5)
    with pytest.raises(UserError, match="NLLLoss takes logarithms of probabilities"):
        trained(BINARY, outputs=2, criterion=nn.NLLLoss())
    with pytest.raises(UserError, match="BCELoss takes probabilities, but the network gives"):
        trained(BINARY, outputs=1, criterion=nn.BCELoss())
    with pytest.raises(UserError, match=r"one output, for which cross_entropy is always 0"):
        trained(BINARY, outputs=1, criterion=nn.CrossEntropyLoss())


def test_a_class_that_a_set_lacks_is_named(told: Any) -> None:
    model = Model({"outputs": 3})
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    model.fit(loader(three), MatrixBatchGenerator(X[three < 2], three[three < 2]))
    assert told == [
        "warning: the validation set has no record of class 2 (of 3 classes): auroc is not defined "
        "there"
    ]
    model.fit(loader(three), loader(three))
    assert len(told) == 1
    ones = MatrixBatchGenerator(X, np.stack([BINARY, np.ones(200)], 1))
    Model({"outputs": 2, "multi_label": True}).evaluate(ones)
    assert told[1].startswith(
        "warning: the set that is evaluated has no record of both kinds in column 1"
    )


def test_a_class_at_each_position_and_columns_of_one() -> None:
    places = np.stack([BINARY, 1 - BINARY, BINARY], 1)
    layers = [nn.Unflatten(1, (2, 3))]
    model, row = trained(places, outputs=6, layers=layers)
    assert row["val_accuracy"] > 0.9 and row["val_auroc"] > 0.95
    holes = places.astype(np.float32)
    holes[::2, 0] = np.nan
    found = model.evaluate(loader(holes))
    logits = model.network(torch.from_numpy(X)).detach()
    truth = torch.from_numpy(np.where(np.isnan(holes), -100, holes)).long()
    assert found["loss"] == pytest.approx(float(F.cross_entropy(logits, truth)), rel=1e-5)
    wanted = trained(BINARY[:, None], outputs=1, multi_label=True)[1]
    for labels, layers in ((BINARY, []), (BINARY[:, None], [nn.Flatten(0)])):
        row = trained(labels, outputs=1, multi_label=True, layers=layers)[1]
        assert row == pytest.approx(wanted)


def test_one_logit_of_the_convolution_network_is_a_binary_model() -> None:
    class Convolution(base_model.ClassificationModel):
        def init_model(self) -> None:  # type: ignore[override]
            torch.manual_seed(0)
            network = base_model.ConvClassificationNetwork(nn.Identity(), nn.Linear(6, 1))
            super().init_model(network, torch.optim.Adam(network.parameters(), lr=0.05))

    row = Convolution({}).fit(loader(BINARY), loader(BINARY), epochs=15)[-1]
    assert row == pytest.approx(trained(BINARY, outputs=1)[1], rel=1e-5)
