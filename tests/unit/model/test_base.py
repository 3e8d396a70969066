"""The training loop: modes, order, gradients, resuming, options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.common.seeds import seed_everything
from dlutil_core.model.checkpoint import canonical
from dlutil_core.model.options import TrainingOptions

torch.set_num_threads(1)  # as trials are trained

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5)).astype(np.float32)
Y = (X[:, 0] - X[:, 1] * X[:, 2]).astype(np.float32)


def train_loader(batch_size: int | None = 16, shuffle: bool = True) -> MatrixBatchGenerator:
    return MatrixBatchGenerator(X, Y, batch_size, shuffle)


def val_loader() -> MatrixBatchGenerator:
    return MatrixBatchGenerator(X[:40], Y[:40])


class Model(base_model.RegressionModel):
    """Dropout, Adam and a scheduler: all that has state between epochs."""

    def init_model(self) -> None:  # type: ignore[override]
        network = nn.Sequential(
            nn.Linear(5, 12),
            nn.BatchNorm1d(12),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(12, 1),
            nn.Flatten(0),
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
        super().init_model(network, optimizer, scheduler=scheduler)


def fresh(kind: type[base_model.BaseModel] = Model, seed: int = 1, **options: Any) -> Any:
    seed_everything(seed)
    return kind({}, options=TrainingOptions(**options))


def equal(a: Any, b: Any) -> bool:
    """Whether two states are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


# Modes and order


def test_training_mode_in_every_epoch_and_evaluation_mode_in_every_validation() -> None:
    class Watching(Model):
        def forward(self, x: Any) -> Any:
            self.modes.append((self.network.training, torch.is_grad_enabled()))
            return super().forward(x)

    model = fresh(Watching)
    model.modes = []
    model.fit(train_loader(30), val_loader(), epochs=3)
    assert (
        model.modes
        == [(True, True)] * 3 + [(False, False)] + ([(True, True)] * 3 + [(False, False)]) * 2
    )


def test_dropout_drops_in_the_second_epoch_too() -> None:
    class Watching(Model):
        def init_model(self) -> None:  # type: ignore[override]
            super().init_model()
            self.zeros: list[float] = []
            self.network[3].register_forward_hook(
                lambda module, given, out: self.zeros.append(
                    float(((out == 0) & (given[0] != 0)).float().mean())
                )
            )

    model = fresh(Watching)
    model.fit(train_loader(90), val_loader(), epochs=3)
    trained, validated = model.zeros[::2], model.zeros[1::2]
    assert all(share > 0.1 for share in trained)
    assert all(share == 0 for share in validated)


def test_every_epoch_has_an_order_and_dropout_of_its_own_that_the_seed_decides() -> None:
    class Watching(Model):
        def fit_batch(self, x: Any, y: Any) -> Any:
            self.orders.append(y.tolist())
            return super().fit_batch(x, y)

    def orders(seed: int) -> list[list[float]]:
        model = fresh(Watching)
        model.orders = []
        model.fit(train_loader(90), epochs=3, val=val_loader(), seed=seed)
        return list(model.orders)

    first = orders(5)
    assert first == orders(5)
    assert len({tuple(o) for o in first}) == 3
    assert all(sorted(o) == sorted(Y.tolist()) for o in first)
    assert first[0] != orders(6)[0]


def test_a_loader_of_torch_shuffles_by_the_epochs_seed() -> None:
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    states = []
    for _ in range(2):
        model = fresh()
        model.fit(DataLoader(data, batch_size=16, shuffle=True), val_loader(), epochs=2, seed=3)
        states.append(canonical(model.save()))
    assert equal(*states)


# Resuming


@pytest.mark.parametrize("through_file", [True, False])
def test_stopped_saved_loaded_and_continued_is_equal_to_the_last_bit(
    tmp_path: Path, through_file: bool
) -> None:
    whole = fresh()
    rows = whole.fit(train_loader(), val_loader(), epochs=5, seed=9)
    stopped = fresh()
    first = stopped.fit(train_loader(), val_loader(), epochs=2, seed=9)
    state = canonical(stopped.save(tmp_path / "state.pt"))
    resumed = fresh(seed=77)  # other initial weights, which loading replaces
    resumed.load(tmp_path / "state.pt" if through_file else state)
    rest = resumed.fit(train_loader(), val_loader(), epochs=5, first_epoch=3, seed=9)
    assert first + rest == rows
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert equal(canonical(whole.save()), canonical(resumed.save()))
    assert whole.optimizer.param_groups[0]["lr"] == 0.01 * 0.5**2


def test_without_the_optimizer_the_continuation_would_differ() -> None:
    whole = fresh()
    whole.fit(train_loader(), val_loader(), epochs=3, seed=9)
    stopped = fresh()
    stopped.fit(train_loader(), val_loader(), epochs=2, seed=9)
    resumed = fresh()
    resumed.load({"weights": stopped.save()["weights"]})
    resumed.fit(train_loader(), val_loader(), epochs=3, first_epoch=3, seed=9)
    assert not equal(canonical(whole.save()["weights"]), canonical(resumed.save()["weights"]))


def test_two_models_in_one_process_do_not_affect_each_other() -> None:
    alone = fresh()
    alone.fit(train_loader(), val_loader(), epochs=3, seed=9)
    first, second = fresh(), fresh(seed=2)
    for epoch in (1, 2, 3):
        first.fit(train_loader(), val_loader(), epochs=epoch, first_epoch=epoch, seed=9)
        second.fit(train_loader(5), val_loader(), epochs=epoch, first_epoch=epoch, seed=4)
    assert equal(canonical(alone.save()), canonical(first.save()))
    assert not equal(canonical(second.save()), canonical(first.save()))


def test_what_is_saved_shares_nothing_with_the_model() -> None:
    model = fresh()
    model.fit(train_loader(), val_loader(), epochs=1)
    kept = canonical(model.save())
    copied = canonical(kept)
    model.fit(train_loader(), val_loader(), epochs=2, first_epoch=2)
    assert equal(kept, copied)
    assert not equal(kept, canonical(model.save()))


# Rows, rewards, metrics


def test_a_row_has_all_values_under_their_prefixes_and_on_epoch_can_end() -> None:
    seen: list[Any] = []

    def on_epoch(row: Any) -> bool:
        seen.append(row)
        return len(seen) == 2

    rows = fresh().fit(train_loader(), val_loader(), epochs=9, on_epoch=on_epoch)
    assert rows == seen
    assert len(rows) == 2
    names = ["loss", "mse", "pearson"]
    wanted = ["epoch", *(f"train_{n}" for n in names), *(f"val_{n}" for n in names), "reward"]
    assert list(rows[0]) == wanted
    assert rows[0]["reward"] == -rows[0]["val_loss"]


def test_the_reward_gets_a_series_with_the_documented_names() -> None:
    class Own(Model):
        def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return {"bias": (y_pred - y_true).mean()}

        def eval_metrics(self, y_true: Any, y_pred: Any) -> Any:
            return {"worst": abs(y_pred - y_true).max()}

        def get_hyperband_reward(self, result: Any) -> Any:
            self.seen = result
            return -result["val_worst"] - result.train_loss

    model = fresh(Own)
    (row,) = model.fit(train_loader(), val_loader())
    assert isinstance(model.seen, pd.Series)
    assert list(model.seen.index) == ["train_loss", "train_bias", "val_loss", "val_worst"]
    assert row["reward"] == -row["val_worst"] - row["train_loss"]


def test_metrics_get_arrays_and_are_averaged_without_undefined_ones() -> None:
    class Own(Model):
        def train_metrics(self, y_true: Any, y_pred: Any) -> Any:
            assert type(y_true) is type(y_pred) is np.ndarray
            found = {"size": len(y_true), "first": float("nan") if len(y_true) == 10 else 4.0}
            return found | ({"sometimes": 1.0} if len(y_true) == 10 else {})

        def eval_metrics(self, y_true: Any, y_pred: Any) -> Any:
            assert y_true.shape == y_pred.shape == (40,), "the whole set at once"
            return {"never": float("nan")}

    (row,) = fresh(Own).fit(train_loader(16, shuffle=False), val_loader())
    assert row["train_size"] == pytest.approx((5 * 16 * 16 + 10 * 10) / 90)
    assert row["train_first"] == 4.0
    assert row["train_sometimes"] == 1.0
    assert np.isnan(row["val_never"])


def test_the_training_loss_is_the_mean_over_samples() -> None:
    class Still(Model):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
            base_model.RegressionModel.init_model(
                self, network, torch.optim.SGD(network.parameters(), lr=0.0)
            )

    model = fresh(Still)
    (row,) = model.fit(train_loader(16), train_loader())
    assert row["train_loss"] == pytest.approx(row["val_loss"], rel=1e-5)


def test_wrong_returns_are_sentences() -> None:
    class Bad(Model):
        def get_hyperband_reward(self, result: Any) -> Any:
            return result["val_accuracy"]

    with pytest.raises(UserError, match=r"val_accuracy.*train_loss, train_mse.*val_pearson"):
        fresh(Bad).fit(train_loader(), val_loader())
    for name in ("train_metrics", "eval_metrics", "get_hyperband_reward"):
        working = {"train_metrics": lambda self, y_true, y_pred: {"n": 1}}
        none = type("Bad", (Model,), working | {name: lambda self, *given: None})
        with pytest.raises(UserError, match=f"Bad.{name} returned None, but must return a"):
            fresh(none).fit(train_loader(), val_loader())
    with pytest.raises(UserError, match="the training loader gave no batch"):
        fresh().fit([], val_loader())
    with pytest.raises(UserError, match="to evaluate on gave no batch"):
        fresh().fit(train_loader(), [])
    with pytest.raises(UserError, match=r"ndarray.*must be a pair \(x, y\)"):
        fresh().fit([X], val_loader())


def test_a_model_that_lacks_parts_says_which() -> None:
    class Empty(base_model.BaseModel):
        pass

    class Forgetful(base_model.BaseModel):
        def init_model(self) -> None:  # type: ignore[override]
            pass

    class Half(base_model.BaseModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Linear(5, 1)
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
            super().init_model(network, nn.MSELoss(), optimizer)

    for kind in (Empty, Forgetful):
        with pytest.raises(UserError, match=r"super\(\).init_model\(network, criterion, optimizer"):
            kind({})
    half = Half({})
    for name, arguments in [
        ("train_metrics", (Y, Y)),
        ("eval_metrics", (Y, Y)),
        ("get_hyperband_reward", ({},)),
    ]:
        with pytest.raises(UserError, match=f"Half must define {name}"):
            getattr(half, name)(*arguments)


# Options


def test_gradients_are_clipped_to_a_norm() -> None:
    class Watching(Model):
        def fit_batch(self, x: Any, y: Any) -> Any:
            done = super().fit_batch(x, y * 1000)
            grads = [p.grad.flatten() for p in self.network.parameters()]
            self.norms.append(float(torch.cat(grads).norm()))
            return done

    for clip, bounded in ((0.5, True), (None, False)):
        model = fresh(Watching, clip_norm=clip)
        model.norms = []
        model.fit(train_loader(), val_loader(), epochs=1)
        assert all(norm <= 0.5 * 1.001 for norm in model.norms) == bounded


def test_bf16_computes_in_half_and_keeps_weights_and_losses_in_full() -> None:
    class Watching(Model):
        def init_model(self) -> None:  # type: ignore[override]
            super().init_model()
            self.kinds: set[torch.dtype] = set()
            self.network[0].register_forward_hook(
                lambda module, given, out: self.kinds.add(out.dtype)
            )

    model = fresh(Watching, precision="bf16")
    (row,) = model.fit(train_loader(), val_loader())
    assert model.kinds == {torch.bfloat16}
    assert model.network[0].weight.dtype == torch.float32
    assert model.predict([X]).dtype == np.float32
    full = fresh()
    (wanted,) = full.fit(train_loader(), val_loader())
    assert row["val_loss"] == pytest.approx(wanted["val_loss"], rel=0.05)
    assert row["val_loss"] != wanted["val_loss"]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_plateau_scheduler_lowers_the_rate_when_the_reward_stops_to_grow(mode: str) -> None:
    class Plateau(Model):
        # torch's relative threshold only works for values of the sign that the mode expects
        rewards = (1.0, 2.0, 3.0, 3.0, 3.0) if mode == "max" else (-3.0, -2.0, -1.0, -1.0, -1.0)

        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
            scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode, factor=0.5, patience=1
            )
            base_model.RegressionModel.init_model(self, network, optimizer, scheduler=scheduler)
            self.epoch = 0

        def get_hyperband_reward(self, result: Any) -> float:
            self.epoch += 1
            return self.rewards[self.epoch - 1]

    model = fresh(Plateau)
    rates: list[float] = []
    model.fit(
        train_loader(),
        val_loader(),
        epochs=5,
        on_epoch=lambda row: rates.append(model.optimizer.param_groups[0]["lr"]),
    )
    assert rates == [0.1, 0.1, 0.1, 0.1, 0.05]


def test_a_network_in_double_precision_gets_double_inputs() -> None:
    class Double(Model):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0)).double()
            optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
            base_model.RegressionModel.init_model(self, network, optimizer)

    model = fresh(Double)
    model.fit(train_loader(), val_loader())
    assert model.predict([X]).dtype == np.float64


def test_a_scheduler_that_would_change_nothing_is_refused() -> None:
    def model(make: Any) -> Any:
        class Own(base_model.RegressionModel):
            def init_model(self) -> None:  # type: ignore[override]
                network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
                optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
                super().init_model(network, optimizer, scheduler=make(optimizer))

        return fresh(Own)

    other = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    with pytest.raises(UserError, match="scheduler StepLR is over another optimizer"):
        model(lambda optimizer: torch.optim.lr_scheduler.StepLR(other, 1))
    for wrong in (torch.optim.lr_scheduler.StepLR, "cosine", other):
        with pytest.raises(UserError, match=r"scheduler is .*for example StepLR\(optimizer, 10\)"):
            model(lambda optimizer, wrong=wrong: wrong)


SCHEDULERS: dict[str, Any] = {
    "steps": lambda o: lr_scheduler.MultiStepLR(o, [1, 3, 3], 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 7),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "function": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "warming up": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=2), lr_scheduler.ExponentialLR(o, 0.5)], [2]
    ),
    "chained": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.5, 2), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "cycles by epoch": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.1, 2),
    "one cycle by epoch": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=6),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, epochs=5, steps_per_epoch=6),
    "one cycle in a sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.OneCycleLR(o, 0.1, total_steps=40)], [2]
    ),
    "steps by batch": lambda o: lr_scheduler.StepLR(o, 7, 0.5),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.5),
    "plateau of the reward": lambda o: lr_scheduler.ReduceLROnPlateau(
        o, "max", patience=0, threshold=0.5, threshold_mode="abs"
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_goes_on_to_the_same_bytes_with_all_options(name: str, tmp_path: Path) -> None:
    class Scheduled(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Sequential(
                nn.Linear(5, 9), nn.ReLU(), nn.Dropout(0.2), nn.Linear(9, 1), nn.Flatten(0)
            )
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
            super().init_model(
                network,
                optimizer,
                scheduler=SCHEDULERS[name](optimizer),
                scheduler_interval=name.partition(" by ")[2] or None,
            )

    def trained(first: int, last: int) -> list[float]:
        rates: list[float] = []
        model = fresh(Scheduled, clip_norm=0.3, precision="bf16")
        if first > 1:
            model.load(tmp_path / f"{first - 1}.pt")
        group = model.optimizer.param_groups[0]
        model.fit(
            train_loader(), val_loader(), last, first, 2, lambda row: rates.append(group["lr"])
        )
        model.save(tmp_path / f"{last}.pt")
        return rates

    assert len(set(trained(1, 5))) > 1, "the rate changes"
    whole = (tmp_path / "5.pt").read_bytes()
    trained(1, 2)
    trained(3, 5)
    assert (tmp_path / "5.pt").read_bytes() == whole
