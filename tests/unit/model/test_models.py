"""Regression and classification models: losses, metrics, label forms, what may be overridden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4, 1, 9)).astype(np.float32)
SCORE = X[:, 0, 0, 0]
BINARY = (SCORE > 0).astype(np.int64)
THREE = np.digitize(SCORE, [-0.5, 0.5])


def features() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 6, (1, 5)), nn.ReLU(), nn.Flatten(1))


class Classifier(base_model.ClassificationModel):
    """Options of `init_model` come from the configuration."""

    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(0)
        options = dict(self.config)
        classifier = nn.Linear(30, options.pop("classes", 2))
        network = base_model.ConvClassificationNetwork(features(), classifier)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        super().init_model(network, optimizer, **options)


class Regressor(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(0)
        options = dict(self.config)
        network = base_model.ConvRegressionNetwork(
            features(), nn.Linear(30, options.pop("columns", 1))
        )
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        super().init_model(network, optimizer, **options)


def loader(labels: np.ndarray) -> MatrixBatchGenerator:
    return MatrixBatchGenerator(X, labels, batch_size=20)


# Regression


def test_regression_is_mean_squared_error_and_rewards_minus_the_validation_loss() -> None:
    model = Regressor({})
    (row,) = model.fit(loader(SCORE), loader(SCORE))
    predicted = model.predict(MatrixBatchGenerator(X))
    assert row["val_loss"] == pytest.approx(float(np.mean((predicted - SCORE) ** 2)), rel=1e-5)
    assert row["val_mse"] == pytest.approx(row["val_loss"], rel=1e-5)
    assert row["val_pearson"] == pytest.approx(np.corrcoef(predicted, SCORE)[0, 1], abs=1e-5)
    assert row["reward"] == -row["val_loss"]


@pytest.mark.parametrize("labels", [SCORE, SCORE[:, None], np.stack([SCORE] * 3, 1)])
def test_unequal_shapes_are_an_error_and_not_a_broadcast(labels: np.ndarray) -> None:
    model = Regressor({"columns": 2})
    with pytest.raises(UserError, match=r"labels have shape .* but predictions \(20, 2\)"):
        model.fit(loader(labels), loader(labels))
    with pytest.raises(UserError, match="labels have shape"):
        model.evaluate(loader(labels))


def test_regression_on_whole_numbers_and_on_columns() -> None:
    (row,) = Regressor({}).fit(loader(THREE), loader(THREE))
    assert np.isfinite(row["val_loss"])
    both = np.column_stack([SCORE, -SCORE])
    (row,) = Regressor({"columns": 2}).fit(loader(both), loader(both))
    assert np.isfinite(row["val_pearson"])


def test_regression_with_another_criterion() -> None:
    model = Regressor({"criterion": lambda y_true, y_pred: (y_true - 3 * y_pred).abs().mean()})
    row = model.evaluate(loader(SCORE))
    predicted = model.predict(MatrixBatchGenerator(X))
    assert row["loss"] == pytest.approx(float(np.abs(SCORE - 3 * predicted).mean()), rel=1e-5)


# Classification


def test_classification_learns_and_computes_auroc_in_evaluation_only() -> None:
    model = Classifier({})
    rows = model.fit(loader(BINARY), loader(BINARY), epochs=20)
    names = ["train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_auroc", "reward"]
    assert list(rows[0]) == ["epoch", *names]
    assert rows[-1]["val_auroc"] > 0.95
    assert rows[-1]["reward"] == -rows[-1]["val_loss"] > rows[0]["reward"]


@pytest.mark.parametrize(
    "labels",
    [
        BINARY,
        BINARY[:, None],
        BINARY.astype(np.float32),
        BINARY.astype(bool),
        BINARY.astype(np.int8)[:, None],
        np.eye(2, dtype=np.float32)[BINARY],
        np.eye(2, dtype=np.int8)[BINARY],
    ],
)
def test_every_form_of_class_labels_gives_the_same(labels: np.ndarray) -> None:
    wanted = Classifier({}).evaluate(loader(BINARY))
    model = Classifier({})
    found = model.evaluate(loader(labels))
    assert found == pytest.approx(wanted, rel=1e-5)
    model.fit(loader(labels), loader(labels))


def test_more_than_two_classes() -> None:
    model = Classifier({"classes": 3})
    rows = model.fit(loader(THREE), loader(THREE), epochs=20)
    assert rows[-1]["val_auroc"] > 0.85
    assert model.predict(MatrixBatchGenerator(X)).shape == (60, 3)


def test_a_network_of_ones_own_may_return_the_whole_softmax() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(features(), nn.Linear(30, 2))

        def forward(self, x: Any) -> Any:
            logits = self.inner(x)
            return {"y_pred": torch.softmax(logits, 1), "y_pred_loss": logits}

    class Own(base_model.ClassificationModel):
        def init_model(self) -> None:  # type: ignore[override]
            torch.manual_seed(0)
            network = Network()
            super().init_model(network, torch.optim.Adam(network.parameters(), lr=0.01))

    model = Own({})
    rows = model.fit(loader(BINARY), loader(BINARY), epochs=20)
    assert rows[-1]["val_auroc"] > 0.95
    assert model.predict(MatrixBatchGenerator(X)).shape == (60, 2)


def test_class_weights_weigh_the_loss() -> None:
    plain, weighted = Classifier({}), Classifier({"class_weights": [1.0, 5.0]})
    assert plain.evaluate(loader(BINARY))["loss"] != weighted.evaluate(loader(BINARY))["loss"]
    with torch.no_grad():
        logits = weighted.network(torch.from_numpy(X))["y_pred_loss"]
        wanted = F.cross_entropy(logits, torch.from_numpy(BINARY), weight=torch.tensor([1.0, 5.0]))
    assert weighted.evaluate(loader(BINARY))["loss"] == pytest.approx(float(wanted), rel=1e-5)


class MultiLabel(base_model.ClassificationModel):
    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(0)

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = nn.Sequential(features(), nn.Linear(30, 3))

            def forward(self, x: Any) -> Any:
                logits = self.inner(x)
                return {"y_pred": torch.sigmoid(logits), "y_pred_loss": logits}

        network = Network()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
        super().init_model(network, optimizer, multi_label=True, **self.config)


def test_multi_label_columns_are_yes_or_no_each() -> None:
    labels = (np.column_stack([SCORE, -SCORE, SCORE + 9]) > 0).astype(np.int8)
    model = MultiLabel({})
    rows = model.fit(loader(labels), loader(labels), epochs=30)
    assert rows[-1]["val_auroc"] > 0.95, "the mean over columns that have both classes"
    assert rows[-1]["val_accuracy"] > 0.9
    assert model.predict(MatrixBatchGenerator(X)).shape == (60, 3)
    weighted = MultiLabel({"class_weights": [1.0, 9.0, 1.0]})
    with torch.no_grad():
        logits = weighted.network(torch.from_numpy(X))["y_pred_loss"]
        wanted = F.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(labels).float(), pos_weight=torch.tensor([1.0, 9.0, 1.0])
        )
    assert weighted.evaluate(loader(labels))["loss"] == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize("columns", [2, 3])
def test_the_convolution_network_gives_each_column_a_probability_of_its_own(columns: int) -> None:
    labels = (np.column_stack([SCORE, SCORE, -SCORE])[:, :columns] > 0).astype(np.int8)
    model = Classifier({"classes": columns, "multi_label": True})
    rows = model.fit(loader(labels), loader(labels), epochs=30)
    assert rows[-1]["val_accuracy"] > 0.9
    predicted = model.predict(MatrixBatchGenerator(X))
    assert predicted.shape == labels.shape
    assert ((predicted > 0.5) == labels).mean() > 0.9


# Errors that newcomers make


def test_class_weights_are_one_number_for_each_class() -> None:
    wrong: list[Any] = [2, ["a", "b"], [-1, 2], [float("nan"), 1], [0, 0], {0: 1, 1: 2}]
    for weights in wrong:
        with pytest.raises(UserError, match=r"class_weights is .*one for each class"):
            Classifier({"class_weights": weights})
    with pytest.raises(UserError, match="class_weights has 3 numbers, but the network has 2 cl"):
        Classifier({"class_weights": [1, 2, 3]}).evaluate(loader(BINARY))
    with pytest.raises(UserError, match="class_weights has 1 number, but the network has 3 cl"):
        MultiLabel({"class_weights": [1]}).evaluate(loader(np.eye(3)[THREE]))
    with pytest.raises(UserError, match="without a criterion of your own: leave out one"):
        Classifier({"class_weights": [1, 2], "criterion": nn.CrossEntropyLoss()})


@pytest.mark.parametrize("labels", [2 * np.eye(3, dtype=np.int8), np.eye(3, dtype=np.int8) - 1])
def test_multi_label_takes_zeros_and_ones(labels: np.ndarray) -> None:
    told = int(labels[labels != 0][0])
    with pytest.raises(UserError, match=f"there is a label {told}, but multi_label=True takes"):
        MultiLabel({}).fit(loader(labels[THREE]), loader(labels[THREE]))


def test_a_class_number_beyond_the_classes_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"label 7.*2 classes"):
        Classifier({}).fit(loader(np.where(BINARY == 1, 7, 0)), loader(BINARY))
    for label in (-1, -100):
        with pytest.raises(UserError, match=rf"label {label}.*2 classes"):
            Classifier({}).evaluate(loader(np.where(BINARY == 1, 1, label)))


def test_multi_label_shapes_must_agree() -> None:
    with pytest.raises(UserError, match=r"labels have shape \(20,\) but predictions \(20, 3\)"):
        MultiLabel({}).fit(loader(BINARY), loader(BINARY))


def test_label_columns_that_are_not_one_hot_are_no_classes() -> None:
    columns = np.column_stack([BINARY, BINARY])
    with pytest.raises(UserError, match="do not name one class in each row: choose one column"):
        Classifier({}).fit(loader(columns), loader(columns))
    with pytest.raises(UserError, match=r"\(20, 3\) but predictions \(20, 2\)"):
        three = np.eye(3, dtype=np.int8)[THREE]
        Classifier({}).fit(loader(three), loader(three))
    with pytest.raises(UserError, match=r"\(20, 3\) but predictions \(20, 2\)"):
        three = np.eye(3, dtype=np.float32)[THREE]
        Classifier({}).fit(loader(three), loader(three))


# Overriding


def test_methods_may_be_overridden() -> None:
    class Own(Regressor):
        calls: dict[str, int]

        def init_model(self) -> None:  # type: ignore[override]
            self.calls = {}
            super().init_model()

        def _count(self, name: str) -> None:
            self.calls[name] = self.calls.get(name, 0) + 1

        def fit(self, *given: Any, **named: Any) -> Any:
            self._count("fit")
            return super().fit(*given, **named)

        def fit_batch(self, x: Any, y: Any) -> Any:
            self._count("fit_batch")
            return super().fit_batch(x, y)

        def evaluate(self, loader: Any) -> Any:
            self._count("evaluate")
            return super().evaluate(loader) | {"own": 1.0}

        def predict(self, loader: Any) -> Any:
            self._count("predict")
            return super().predict(loader) * 2

        def save(self, path: Any = None) -> Any:
            return super().save(path) | {"seen": 5}

        def load(self, state: Any) -> None:
            super().load(state)
            self.seen = state.get("seen")

    model = Own({})
    rows = model.fit(loader(SCORE), loader(SCORE), epochs=2)
    assert model.calls == {"fit": 1, "fit_batch": 6, "evaluate": 2}
    assert rows[0]["val_own"] == 1.0
    other = Own({})
    other.load(model.save())
    assert other.seen == 5
    plain = Regressor({})
    plain.load(model.save())
    doubled = other.predict(MatrixBatchGenerator(X))
    assert np.allclose(doubled, 2 * plain.predict(MatrixBatchGenerator(X)))


def test_an_own_init_without_device_or_options_works() -> None:
    class Own(Regressor):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.after = True

    assert Own({}).after
    assert str(Own({}).device) == "cpu"


def test_logits_where_probabilities_belong_are_a_sentence() -> None:
    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Flatten(1), nn.Linear(36, 2))

        def forward(self, x: Any) -> Any:
            return {"y_pred": self.inner(x), "y_pred_loss": self.inner(x)}

    class Plain(base_model.ClassificationModel):
        def init_model(self) -> None:  # type: ignore[override]
            torch.manual_seed(0)
            network = Logits()
            super().init_model(network, torch.optim.Adam(network.parameters()))

    with pytest.raises(UserError, match="which is no probability: let it return a dictionary"):
        Plain({}).fit(loader(BINARY))


def test_fractions_are_no_classes() -> None:
    with pytest.raises(UserError, match=r"there is a label 0\.5, but classes are whole numbers"):
        Classifier({}).fit(loader(np.where(BINARY == 1, 0.5, 0.0).astype(np.float32)))
    floats = loader(BINARY.astype(np.float32))  # that name classes
    assert Classifier({}).fit(floats, floats) == Classifier({}).fit(loader(BINARY), loader(BINARY))
