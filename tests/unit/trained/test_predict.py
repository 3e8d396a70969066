"""What goes through a network: pieces of whole sets, loaders to predict, forms of batches."""

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
from dlutil_core.model.checkpoint import canonical, content_hash

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5)).astype(np.float32)
Y = (X[:, 0] - X[:, 1] * X[:, 2]).astype(np.float32)


def whole_set() -> MatrixBatchGenerator:
    return MatrixBatchGenerator(X, Y)


class Model(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        layers = [nn.Linear(5, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 1), nn.Flatten(0)]
        network = nn.Sequential(*layers)
        super().init_model(network, torch.optim.Adam(network.parameters(), lr=0.01))


def fresh(kind: type[base_model.BaseModel] = Model) -> Any:
    torch.manual_seed(1)
    return kind({})


# Evaluation and prediction in pieces


def test_evaluation_and_prediction_run_in_bounded_pieces() -> None:
    class Watching(Model):
        eval_batch_size = 32

        def forward(self, x: Any) -> Any:
            self.sizes.append(len(x))
            return super().forward(x)

    model = fresh(Watching)
    model.sizes = []
    whole = model.evaluate(MatrixBatchGenerator(X, Y))
    assert model.sizes == [32, 32, 26]
    assert model.evaluate([(X, Y)]) == whole
    model.sizes.clear()
    predicted = model.predict([X])
    assert model.sizes == [32, 32, 26]
    assert predicted.shape == (90,)
    with torch.no_grad():
        assert np.allclose(predicted, model.network(torch.from_numpy(X)).numpy(), atol=1e-6)
    assert whole["mse"] == pytest.approx(float(np.mean((predicted - Y) ** 2)), rel=1e-5)


def test_prediction_takes_every_kind_of_loader() -> None:
    model = fresh()
    wanted = model.predict(MatrixBatchGenerator(X))
    assert wanted.dtype == np.float32
    loaders: list[Any] = [
        MatrixBatchGenerator(X, Y),  # labels are passed over
        MatrixBatchGenerator(X, Y, batch_size=7),
        MatrixBatchGenerator(torch.from_numpy(X), batch_size=50),
        DataLoader(torch.from_numpy(X), batch_size=20),
        DataLoader(TensorDataset(torch.from_numpy(X)), batch_size=20),
        [X[:50].astype(np.float64), X[50:]],
    ]
    for loader in loaders:
        assert np.allclose(model.predict(loader), wanted, atol=1e-6)


def test_a_model_is_fitted_without_validation_data() -> None:
    (row,) = fresh().fit(MatrixBatchGenerator(X, Y, batch_size=30))
    assert row["reward"] == -row["train_loss"]
    assert not [name for name in row if name.startswith("val_")]


def test_prediction_does_not_change_the_model() -> None:
    model = fresh()
    before = content_hash(canonical(model.save()))
    model.predict(MatrixBatchGenerator(X))
    model.evaluate(whole_set())
    assert content_hash(canonical(model.save())) == before


# Forms of batches


class TwoInputs(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(5, 1)

            def forward(self, x: Any) -> Any:
                a, b = (x["a"], x["b"]) if isinstance(x, dict) else x
                return self.layer(torch.cat([a, b], 1))[:, 0]

        network = Network()
        super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.1))


def test_inputs_may_be_dictionaries_and_tuples_of_arrays_and_tensors() -> None:
    a, b = X[:, :2], X[:, 2:]
    tensors = (torch.from_numpy(a), torch.from_numpy(b))
    forms: list[Any] = [
        [((a, b), Y)],
        [({"a": a, "b": tensors[1]}, torch.from_numpy(Y))],
        MatrixBatchGenerator({"a": a, "b": b}, Y),
        MatrixBatchGenerator((a, b), Y),
        DataLoader(TensorDataset(*tensors, torch.from_numpy(Y)), 90, collate_fn=paired),
    ]
    found = []
    for form in forms:
        model = fresh(TwoInputs)
        model.fit(form, form, epochs=2)
        found.append(model.evaluate(form))
    assert all(f["mse"] == pytest.approx(found[0]["mse"], rel=1e-5) for f in found)
    model = fresh(TwoInputs)
    assert model.predict(MatrixBatchGenerator({"a": a, "b": b})).shape == (90,)
    wanted = model.predict(MatrixBatchGenerator({"a": a, "b": b}))
    for given in ({"a": a, "b": b}, {"a": tensors[0], "b": b.astype(np.float64)}):
        assert model.predict(given).tobytes() == wanted.tobytes()
    assert model.predict([(a, b)]).shape == (90,)


def paired(rows: Any) -> Any:
    a, b, y = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return [[a, b], y]


def test_labels_may_be_dictionaries() -> None:
    class Own(base_model.BaseModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Linear(5, 2)

            def criterion(y_true: Any, y_pred: Any) -> Any:
                return (y_pred[:, 0] - y_true["mean"]).pow(2).mean() + y_pred[:, 1].pow(2).mean()

            super().init_model(network, criterion, torch.optim.SGD(network.parameters(), lr=0.1))

        def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return {"n": len(y_true["mean"])}

        eval_metrics = train_metrics

        def get_hyperband_reward(self, result: Any) -> Any:
            return -result["val_loss"]

    loader = MatrixBatchGenerator(X, {"mean": Y, "other": Y}, batch_size=30)
    (row,) = fresh(Own).fit(loader, loader)
    assert row["val_n"] == 90


def test_the_networks_dictionary_must_be_whole() -> None:
    class Network(nn.Module):
        def __init__(self, answer: Any) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 1)
            self.answer = answer

        def forward(self, x: Any) -> Any:
            return self.answer(self.layer(x)[:, 0])

    class Own(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = Network(self.config["answer"])
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.1))

    with pytest.raises(UserError, match="without y_pred_loss"):
        Own({"answer": lambda y: {"y_pred": y}}).fit(whole_set())
    with pytest.raises(UserError, match="the network returned tuple"):
        Own({"answer": lambda y: (y, y)}).fit(whole_set())
    model = Own({"answer": lambda y: {"y_pred": y * 0 + 2, "y_pred_loss": y}})
    model.fit(whole_set(), whole_set())
    assert set(model.predict([X])) == {2.0}
    assert model.evaluate(whole_set())["loss"] != model.evaluate(whole_set())["mse"]
