"""The cause of what goes wrong in training, in one sentence, in place of torch's symptom."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from dlutil_core import base_model
from dlutil_core.batch_generator import H5pyBatchGenerator, MatrixBatchGenerator
from dlutil_core.common import logs
from dlutil_core.common.errors import UserError
from dlutil_core.definition.executed import line_in
from dlutil_core.model.checkpoint import canonical
from dlutil_core.model.checks import causes

torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(41, 5)).astype(np.float32)
Y = X.sum(1)


def model_of(network: nn.Module | None = None, optimizer: Any = None, **more: Any) -> Any:
    network = network or nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
    made = optimizer or (lambda parameters: torch.optim.SGD(parameters, lr=0.01))

    class Model(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            super().init_model(network, made(network.parameters()), **more)

    return Model({})


def fitted(model: Any, y: Any = Y, x: Any = X, size: int = 20) -> Any:
    return model.fit(MatrixBatchGenerator(x, y, size), MatrixBatchGenerator(X[:20], Y[:20]))


def refused(act: Any, *pieces: str) -> UserError:
    with pytest.raises(UserError) as caught:
        act()
    text = str(caught.value)
    assert "\n" not in text
    for piece in pieces:
        assert piece in text, text
    return caught.value


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(logs, "_told", set())
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    causes.log.addHandler(handler)
    yield lines
    causes.log.removeHandler(handler)


def test_batch_normalisation_on_a_last_batch_of_one() -> None:
    network = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 1), nn.Flatten(0))
    refused(lambda: fitted(model_of(network)), "a batch has one record", "drop_last=True")
    fitted(model_of(network), Y[:40], X[:40])


def test_the_line_of_the_definition_is_that_of_the_cause() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.layer = nn.BatchNorm1d(5), nn.Linear(5, 1)

        def forward(self, x: Any) -> Any:
            return self.layer(self.norm(x))[:, 0]

    error = refused(lambda: fitted(model_of(Network())), "a batch has one record")
    lines = Path(__file__).read_text().splitlines()
    assert "self.layer(self.norm(x))" in lines[(line_in(error, __file__) or 0) - 1]


def test_losses_that_are_no_number_or_have_no_gradient() -> None:
    several = nn.MSELoss(reduction="none")
    refused(lambda: fitted(model_of(criterion=several)), "the loss is several numbers", ".mean()")
    cut = model_of(criterion=lambda y_true, y_pred: ((y_true - y_pred.detach()) ** 2).mean())
    refused(lambda: fitted(cut), "does not depend on a weight that can be trained")
    wide = nn.Sequential(nn.Linear(7, 1), nn.Flatten(0))
    refused(lambda: fitted(model_of(wide)), "a batch of inputs has shape (20, 5)")


def test_optimizers_that_the_step_cannot_use() -> None:
    refused(lambda: model_of(optimizer=torch.optim.LBFGS), "LBFGS", "a closure", "Adam or SGD")
    other = nn.Linear(5, 1)
    refused(
        lambda: model_of(optimizer=lambda _: torch.optim.SGD(other.parameters(), lr=0.1)),
        "over other weights than the network's",
    )
    refused(lambda: model_of(optimizer=lambda _: "adam"), "optimizer is 'adam'")

    class Stepping(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
            super().init_model(network, torch.optim.LBFGS(network.parameters()))

        def fit_batch(self, x: Any, y: Any) -> Any:
            def closure() -> Any:
                self.optimizer.zero_grad()
                loss = self.loss(y, self.network(x))
                loss.backward()
                return loss

            loss = self.optimizer.step(closure)
            return self.network(x).detach(), loss.detach()

    assert fitted(Stepping({}))[-1]["val_mse"] < 0.01


def test_lazy_modules_need_a_batch_before_the_optimizer() -> None:
    for lazy in (nn.LazyLinear(1), nn.Sequential(nn.LazyBatchNorm1d(), nn.LazyLinear(1))):
        refused(lambda lazy=lazy: model_of(lazy), "of a lazy module has no size yet", "network(")
    convolution = nn.Sequential(nn.LazyConv1d(3, 2), nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0))
    convolution(torch.zeros(2, 1, 5))
    made = MatrixBatchGenerator(X[:, None], Y, 20)
    model_of(convolution).fit(made, made)


def test_what_init_model_forgets() -> None:
    class Forgetful(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            self.network = nn.Linear(5, 1)

    refused(lambda: Forgetful({}), "must end in super().init_model(network, optimizer)")

    class Own(base_model.RegressionModel):
        def __init__(self, config: Any) -> None:
            self.config = config
            self.init_model()

        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Linear(5, 1)
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.1))

    refused(lambda: Own({}), "__init__ must begin with super().__init__(config)")


def test_the_configuration_is_the_models_own_copy() -> None:
    class Changing(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            rate = self.config.pop("lr")
            self.config["nested"]["sizes"].append(3)
            self.config["array"] = np.ones(3)
            network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=rate))

    config = {"lr": 0.1, "nested": {"sizes": [1, 2]}}
    Changing(config)
    assert config == {"lr": 0.1, "nested": {"sizes": [1, 2]}}


# Schedulers by batch


def test_schedulers_made_for_batches_are_stepped_by_batch() -> None:
    def rates(total: int, **more: Any) -> list[float]:
        found: list[float] = []
        network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
        model = model_of(network, lambda _: optimizer, scheduler=scheduler, **more)
        made = MatrixBatchGenerator(X, Y, 21)
        model.fit(made, made, 4, on_epoch=lambda row: found.append(optimizer.param_groups[0]["lr"]))
        return found

    wanted = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.01)
    by_hand = lr_scheduler.OneCycleLR(wanted, 0.1, total_steps=9)
    expected = []
    for _ in range(4):
        for _ in range(2):
            wanted.step()
            by_hand.step()
        expected.append(wanted.param_groups[0]["lr"])
    assert rates(9) == expected == rates(9, scheduler_interval="batch")
    assert rates(9, scheduler_interval="epoch") != expected
    refused(lambda: rates(4), "made for fewer steps", "epochs times batches")
    refused(lambda: rates(9, scheduler_interval="step"), "must be 'epoch' or 'batch'")


def test_a_plateau_is_of_epochs() -> None:
    network = nn.Linear(5, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    options = {"scheduler": plateau, "scheduler_interval": "batch"}
    refused(lambda: model_of(network, lambda _: optimizer, **options), "by an epoch's reward")


# What is not finite


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_input_that_is_not_finite_is_named(value: float) -> None:
    wrong = X.copy()
    wrong[17, 2] = value
    sentence = f"record 17 of the inputs holds {value}"
    refused(lambda: fitted(model_of(), x=wrong), "loss of the training set is", sentence)
    validation = MatrixBatchGenerator({"a": wrong}, Y)

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 1)

        def forward(self, x: Any) -> Any:
            return self.layer(x["a"])[:, 0]

    train = MatrixBatchGenerator({"a": X}, Y, 20, shuffle=True)
    refused(
        lambda: model_of(Named()).fit(train, validation),
        "the loss of the validation set is ",
        f"since record 17 of the inputs 'a' holds {value}",
    )


def test_a_file_and_its_record_are_named_and_predictions_warned_of(
    tmp_path: Path, told: Any
) -> None:
    wrong = X.copy()
    wrong[30, 2] = np.nan
    for name, rows in (("a", slice(0, 20)), ("b", slice(20, 41))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"], file["label"] = wrong[rows], Y[rows]
    made = H5pyBatchGenerator(str(tmp_path / "*.h5"), batch_size=8, shuffle=True)
    sentence = f"record 30 of the inputs ({tmp_path / 'b.h5'}, record 10) holds nan"
    refused(lambda: model_of().fit(made, made), sentence)
    model_of().predict(H5pyBatchGenerator(str(tmp_path / "*.h5"), labels=False))
    assert told[-1].startswith("warning: predictions of 1 records are not finite")
    assert sentence in told[-1]


def test_a_model_that_diverges_on_good_data_is_none_of_it() -> None:
    model = model_of(optimizer=lambda p: torch.optim.SGD(p, lr=1e30))
    row = model.fit(MatrixBatchGenerator(X, Y, 5), MatrixBatchGenerator(X, Y), epochs=1)[-1]
    assert not np.isfinite(row["train_loss"])


# What a checkpoint holds


class Averaging(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
        super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.1))
        swa = torch.optim.swa_utils
        self.average = swa.AveragedModel(network, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))

    def fit_batch(self, x: Any, y: Any) -> Any:
        done = super().fit_batch(x, y)
        self.average.update_parameters(self.network)
        return done

    def forward(self, x: Any) -> Any:
        if self.network.training:
            return super().forward(x)
        y = self.average(x)
        return y, y


def test_an_average_of_the_weights_is_part_of_a_checkpoint(tmp_path: Path) -> None:
    model = Averaging({})
    fitted(model)
    model.save(tmp_path / "a.pt")
    other = Averaging({})
    other.load(tmp_path / "a.pt")
    made = MatrixBatchGenerator(X)
    assert np.array_equal(model.predict(made), other.predict(made))
    assert list(model_of().save()) == ["weights", "optimizer"], "plain models as before"


def test_weights_of_a_criterion_are_part_of_it_too() -> None:
    class Weighing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, y_true: Any, y_pred: Any) -> Any:
            return ((y_true - y_pred) ** 2 / self.scale**2 + self.scale**2).mean()

    criterion = Weighing()
    network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
    owned = [*network.parameters(), *criterion.parameters()]
    model = model_of(network, lambda _: torch.optim.SGD(owned, lr=0.01), criterion=criterion)
    fitted(model)
    state = canonical(model.save())
    with torch.no_grad():
        criterion.scale.fill_(9)
    model.load(state)
    assert float(criterion.scale.detach()) == float(state["others"]["criterion"]["scale"]) != 9


def test_state_that_a_checkpoint_does_not_hold_is_warned_of(told: Any) -> None:
    class Counting(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.01))
            self.steps, self.scale = 0, 0.5
            self.rng = np.random.default_rng(0)
            self.mean = torch.zeros(5)
            self.shadow = {name: w.detach().clone() for name, w in network.named_parameters()}
            self.members = [nn.Linear(2, 2), nn.Linear(2, 2)]

        def fit_batch(self, x: Any, y: Any) -> Any:
            self.steps += 1
            self.shadow["0.bias"].add_(1)
            nn.init.ones_(self.members[1].weight)
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            return super().fit_batch(x + torch.as_tensor(self.rng.normal(size=1)).float(), y)

    fitted(Counting({}))
    (line,) = told
    assert line.startswith(
        "warning: training changes self.steps, self.rng, self.mean, self.shadow, self.members of Co"
    )

    class Held(Counting):
        def save(self, path: Any = None) -> Any:
            return super().save(path) | {"steps": self.steps}

    fitted(Held({}))
    fitted(model_of())
    assert len(told) == 1


def test_only_what_the_optimizer_owns_counts_for_clipping() -> None:
    from dlutil_core.model.options import TrainingOptions

    class Half(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            torch.manual_seed(0)
            network = nn.Sequential(nn.Linear(5, 50), nn.Linear(50, 1), nn.Flatten(0))
            head = network[1].parameters()
            super().init_model(network, torch.optim.SGD(head, lr=0.1))

    model = Half({}, options=TrainingOptions(clip_norm=0.5))
    model.fit_batch(torch.from_numpy(X), torch.from_numpy(Y) * 1000)
    grads = [[p.grad.flatten() for p in model.network[k].parameters()] for k in (0, 1)]
    norms = [torch.cat(parts).norm() for parts in grads]
    assert float(norms[1]) == pytest.approx(0.5, rel=1e-3)
    assert float(norms[0]) > 1, "what the optimizer does not own is as it was"
