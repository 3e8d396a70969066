"""Evaluation and prediction: as many predictions as records, in their order and as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
)

from dlutil_core import base_model
from dlutil_core.batch_generator import BatchGenerator, MatrixBatchGenerator
from dlutil_core.common.errors import UserError

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 8)).astype(np.float32)
Y = X.sum(1)
ONE_HOT = np.eye(4, dtype=np.float32)[RNG.integers(4, size=(10, 6))].transpose(0, 2, 1)


def model_of(network: nn.Module) -> Any:
    class Model(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.001))

    return Model({})


class Shared(nn.Module):
    """Takes a table that all records share beside the records."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 1)
        self.seen: list[tuple[int, ...]] = []

    def forward(self, inputs: Any) -> Any:
        x, shared = inputs
        self.seen.append(tuple(shared.shape))
        return self.layer(x)[:, 0] + shared.sum() / 100


SHARED = {
    "longer": torch.arange(1200.0).reshape(150, 8),
    "as long as the batch": torch.arange(2400.0).reshape(300, 8),
    "a number": torch.tensor(3.0),
}


@pytest.mark.parametrize("name", SHARED)
def test_what_all_records_share_is_never_cut(name: str) -> None:
    shared = SHARED[name]

    def collate(items: Any) -> Any:
        x, y = zip(*items, strict=True)
        return (torch.stack(x), shared), torch.stack(y)

    data: Any = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    model = model_of(Shared())
    small = model.evaluate(DataLoader(data, batch_size=100, collate_fn=collate))
    whole = model.evaluate(DataLoader(data, batch_size=300, collate_fn=collate))
    assert whole == pytest.approx(small, rel=1e-5)
    assert set(model.network.seen) == {tuple(shared.shape)}
    inputs = DataLoader(data, batch_size=300, collate_fn=lambda items: collate(items)[0])
    assert model.predict(inputs).shape == (300,)
    assert set(model.network.seen) == {tuple(shared.shape)}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.GRU(1, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.out(self.layer(x)[0][-1])[:, 0]


@pytest.mark.parametrize("length", [8, 200, 300])
def test_positions_may_come_before_records(length: int) -> None:
    x = torch.randn(length, 300, 1)
    model = model_of(Recurrent())
    with torch.no_grad():
        wanted = model.network(x).numpy()
    assert np.array_equal(model.predict([x]), wanted)
    row = model.evaluate([(x, torch.from_numpy(Y))])
    assert row["mse"] == pytest.approx(float(((wanted - Y) ** 2).mean()), rel=1e-5)


def test_records_in_a_generator_are_cut_whatever_their_parts() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 1)
            self.seen: list[int] = []

        def forward(self, x: Any) -> Any:
            self.seen.append(len(x["a"]))
            return self.layer(x["a"] + x["b"])[:, 0]

    model = model_of(Two())
    model.evaluate(MatrixBatchGenerator({"a": X, "b": X}, Y))
    model.predict(MatrixBatchGenerator({"a": X, "b": X}, batch_size=300))
    assert model.network.seen == [128, 128, 44] * 2


def test_predictions_that_are_not_as_many_as_records_are_a_sentence() -> None:
    class Pooling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 5)

        def forward(self, x: Any) -> Any:
            return self.layer(x).mean(0)

    with pytest.raises(UserError, match="gave 5 predictions for 128 records"):
        model_of(Pooling()).evaluate(MatrixBatchGenerator(X, Y))
    with pytest.raises(UserError, match="gave 5 predictions for a batch of inputs of shape"):
        model_of(Pooling()).predict(MatrixBatchGenerator(X))


class Noisy(Dataset[Any]):
    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Any:
        return X[index] + np.random.normal(size=8).astype(np.float32)


class NoisyStream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(X[:20] + torch.randn(20, 8).numpy())


class OwnOrder:
    def __iter__(self) -> Any:
        order = np.random.permutation(300)
        return (X[order[k : k + 50]] for k in range(0, 300, 50))


class OwnNoise(MatrixBatchGenerator):
    def prepare(self, x: Any, y: Any) -> Any:
        x, y = super().prepare(x, y)
        return x + np.random.normal(size=x.shape).astype(np.float32), y


TENSORS = torch.from_numpy(X)
UNORDERED: dict[str, Any] = {
    "shuffled": lambda: MatrixBatchGenerator(X, batch_size=50, shuffle=True),
    "loader of torch": lambda: DataLoader(TENSORS, batch_size=50, shuffle=True),
    "sampler": lambda: DataLoader(TENSORS, sampler=RandomSampler(TENSORS)),
    "subset": lambda: DataLoader(TENSORS, sampler=SubsetRandomSampler(range(300))),
    "replacement": lambda: DataLoader(
        TENSORS, sampler=RandomSampler(TENSORS, replacement=True, num_samples=300)
    ),
    "own order": OwnOrder,
    "turned": lambda: MatrixBatchGenerator(ONE_HOT, reverse_complement=0.5),
    "noise": lambda: DataLoader(Noisy(), batch_size=5),
    "stream": lambda: DataLoader(NoisyStream(), batch_size=5),
    "own noise": lambda: OwnNoise(X, batch_size=50),
    "left out": lambda: MatrixBatchGenerator(X, batch_size=80, drop_last=True),
    "left out by torch": lambda: DataLoader(TENSORS, batch_size=80, drop_last=True),
}


@pytest.mark.parametrize("name", UNORDERED)
def test_loaders_to_predict_give_records_in_order_and_as_they_are(name: str) -> None:
    with pytest.raises(UserError, match=r"to predict (shuffles|turns|leaves out|gives other)"):
        model_of(nn.Sequential(nn.Linear(8, 1), nn.Flatten(0))).predict(UNORDERED[name]())


def test_loaders_in_order_predict() -> None:
    model = model_of(nn.Sequential(nn.Linear(8, 1), nn.Flatten(0)))
    wanted = model.predict(MatrixBatchGenerator(X))
    loaders: list[Any] = [
        [X],
        (X[:200], X[200:]),
        DataLoader(TensorDataset(TENSORS), batch_size=64),
        DataLoader(TENSORS, batch_size=100, drop_last=True),
        MatrixBatchGenerator(X, Y, batch_size=50),
        iter([X]),
    ]
    for loader in loaders:
        assert np.allclose(model.predict(loader), wanted, atol=1e-6)


def test_a_pair_where_inputs_are_wanted_is_named() -> None:
    model = model_of(nn.Sequential(nn.Linear(8, 1), nn.Flatten(0)))
    pairs = DataLoader(TensorDataset(TENSORS, torch.from_numpy(Y)), batch_size=64)
    with pytest.raises(UserError, match=r"pair of arrays of shapes \(64, 8\) and \(64,\).*Tens"):
        model.predict(pairs)


def test_an_own_generator_counts_its_records() -> None:
    class Doubling(BatchGenerator):
        def __iter__(self) -> Any:
            yield np.concatenate([X, X])

    model = model_of(nn.Sequential(nn.Linear(8, 1), nn.Flatten(0)))
    assert len(model.predict(Doubling(300, None, False))) == 600
