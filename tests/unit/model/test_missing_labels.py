"""Labels that are missing (NaN): as if the records were not there, in losses and metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5)).astype(np.float32)
Y = (X[:, 0] - X[:, 1]).astype(np.float32)
CLASSES = np.digitize(Y, [-0.5, 0.5]).astype(np.float32)
MISSING = np.arange(80) % 4 == 1  # a quarter of each batch of 20


def parts_of(config: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """A network, its optimizer and further options of `init_model`."""
    torch.manual_seed(0)
    options = dict(config)
    network = nn.Sequential(nn.Linear(5, options.pop("outputs", 1)))
    return network, torch.optim.Adam(network.parameters(), lr=0.05, weight_decay=0.1), options


class Regressor(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        network, optimizer, options = parts_of(self.config)
        super().init_model(network, optimizer, **options)


class Classifier(base_model.ClassificationModel):
    def init_model(self) -> None:  # type: ignore[override]
        network, optimizer, options = parts_of(self.config)
        super().init_model(network, optimizer, **options)


def holed(labels: np.ndarray, rows: np.ndarray = MISSING) -> np.ndarray:
    found = labels.astype(np.float32)
    found[rows] = np.nan
    return found


def last(model: Any, x: Any, y: Any, size: int = 20) -> Any:
    made = MatrixBatchGenerator(x, y, size)
    return model.fit(made, made, epochs=3)[-1]


CASES: list[tuple[Any, dict[str, Any], np.ndarray]] = [
    (Regressor, {}, Y),
    (Regressor, {}, Y[:, None]),
    (Regressor, {"criterion": nn.HuberLoss()}, Y),
    (Regressor, {"outputs": 2}, np.stack([Y, -Y], 1)),
    (Classifier, {"outputs": 3}, CLASSES),
    (Classifier, {"outputs": 3}, CLASSES[:, None]),
    (Classifier, {"outputs": 3}, np.eye(3)[CLASSES.astype(int)]),
    (Classifier, {"outputs": 3, "class_weights": [1, 2, 3]}, CLASSES),
    (Classifier, {"outputs": 1}, (Y > 0).astype(np.float32)),
    (Classifier, {"outputs": 1, "criterion": nn.BCEWithLogitsLoss()}, (Y > 0)[:, None]),
    (Classifier, {"outputs": 2, "multi_label": True}, np.stack([Y > 0, Y < 1], 1)),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_missing_labels_are_as_if_their_records_were_not_there(case: int) -> None:
    kind, options, labels = CASES[case]
    found = last(kind(options), X, holed(labels))
    kept = ~MISSING
    wanted = last(kind(options), X[kept], labels[kept].astype(np.float32), size=15)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_a_batch_without_any_label_takes_no_step_and_counts_nothing() -> None:
    rows = np.arange(80) < 20
    found = last(Regressor({}), X, holed(Y, rows))
    wanted = last(Regressor({}), X[20:], Y[20:])
    assert found == pytest.approx(wanted, rel=1e-5)


def test_columns_are_masked_each() -> None:
    labels = np.stack([Y > 0, Y < 1], 1).astype(np.float32)
    labels[::3, 0] = np.nan
    labels[1::5, 1] = np.nan
    model = Classifier({"outputs": 2, "multi_label": True, "class_weights": [1.0, 3.0]})
    row = model.evaluate(MatrixBatchGenerator(X, labels))
    logits = model.network(torch.from_numpy(X)).detach()
    there = ~torch.from_numpy(labels).isnan()
    each = nn.functional.binary_cross_entropy_with_logits(
        logits,
        torch.from_numpy(np.nan_to_num(labels)),
        pos_weight=torch.tensor([1.0, 3.0]),
        reduction="none",
    )
    assert row["loss"] == pytest.approx(float(each[there].mean()), rel=1e-5)
    right = (logits.numpy() > 0) == (labels > 0.5)
    assert row["accuracy"] == pytest.approx(right[there.numpy()].mean())
    two = np.stack([Y, -Y], 1)
    two[::3, 0] = np.nan
    row = Regressor({"outputs": 2}).evaluate(MatrixBatchGenerator(X, two))
    assert np.isfinite(list(row.values())).all()


@pytest.mark.parametrize("wrapped", [True, False])
def test_own_loaders_give_them_too(wrapped: bool) -> None:
    labels = holed(Y)
    batches: Any = [(X[k : k + 20], labels[k : k + 20]) for k in range(0, 80, 20)]
    if wrapped:
        data = TensorDataset(torch.from_numpy(X), torch.from_numpy(labels))
        batches = DataLoader(data, batch_size=20)
    found = Regressor({}).fit(batches, batches, epochs=3)[-1]
    assert found == pytest.approx(last(Regressor({}), X, labels), rel=1e-6)


def test_a_criterion_of_ones_own_gets_them_as_they_are() -> None:
    seen: list[Any] = []

    def masked(y_true: Any, y_pred: Any) -> Any:
        seen.append(y_true.clone())
        there = ~y_true.isnan()
        return ((y_true[there] - y_pred[there]) ** 2).mean()

    labels = holed(Y)
    found = last(Regressor({"criterion": masked}), X, labels)
    assert np.array_equal(seen[-1].numpy().ravel(), labels, equal_nan=True)
    assert found["val_loss"] == pytest.approx(found["val_mse"], rel=1e-4)
    minus: list[Any] = []

    def passing_over(y_true: Any, y_pred: Any) -> Any:
        minus.append(y_true.clone())
        return nn.functional.cross_entropy(y_pred, y_true, ignore_index=-1)

    classes = np.where(MISSING, -1, CLASSES).astype(np.int64)
    found = last(Classifier({"outputs": 3, "criterion": passing_over}), X, classes)
    assert int(minus[-1].min()) == -1
    ignoring = {"outputs": 3, "criterion": nn.CrossEntropyLoss(ignore_index=-1)}
    wanted = last(Classifier({"outputs": 3}), X[~MISSING], CLASSES[~MISSING], 15)
    assert found == pytest.approx(wanted, rel=1e-4)
    assert last(Classifier(ignoring), X, classes) == pytest.approx(wanted, rel=1e-4)


def test_a_set_without_any_label_is_a_sentence() -> None:
    nothing = MatrixBatchGenerator(X, np.full(80, np.nan), 20)
    with pytest.raises(UserError, match="every label of the training set is missing"):
        Regressor({}).fit(nothing, MatrixBatchGenerator(X, Y))
    with pytest.raises(UserError, match="every label of the validation set is missing"):
        Regressor({}).fit(MatrixBatchGenerator(X, Y), nothing)


def test_without_missing_labels_the_bits_are_those_of_the_plain_loss() -> None:
    model = Regressor({})
    labels = MatrixBatchGenerator(X, Y[:, None])
    wanted = nn.functional.mse_loss(
        model.network(torch.from_numpy(X)), torch.from_numpy(Y)[:, None]
    )
    assert model.evaluate(labels)["loss"] == float(wanted.detach())
    table, with_one = Y[:, None], holed(Y[:, None], np.arange(80) == 3)
    plain = last(Regressor({}), X, table)
    assert plain == last(Regressor({}), X.copy(), table.copy())
    assert plain != last(Regressor({}), X, with_one)
