"""Attributions and motifs of networks whose answer is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlutil_core import base_model
from dlutil_core.common.errors import UserError
from dlutil_core.explain import attribution, explaining
from dlutil_core.explain.filters import filters, first_convolution
from dlutil_core.explain.target import Target, sequences

LENGTH = 40
SITE = [0, 1, 2, 2, 3, 0]  # ACGGTA


def model_of(network: nn.Module, kind: Any = base_model.RegressionModel, **more: Any) -> Any:
    """A model around a network that needs no training."""

    class Model(kind):  # type: ignore[misc]
        def init_model(self) -> None:
            super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.1), **more)

    return Model({}, device="cpu")


def one_hot(letters: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1)[:, :, None])


def planted(count: int = 64, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Random sequences, half of them with the site at a known place."""
    rng = np.random.default_rng(seed)
    letters = rng.integers(0, 4, (count, LENGTH))
    places = rng.integers(0, LENGTH - len(SITE), count)
    for row in range(0, count, 2):
        letters[row, places[row] : places[row] + len(SITE)] = SITE
    return one_hot(letters), places


class SiteNetwork(nn.Module):
    """Scores how well the best window matches `SITE`; a second filter is never used."""

    def __init__(self, padding: int = 0, both: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 2, (1, len(SITE)), padding=(0, padding))
        self.both = both
        with torch.no_grad():
            self.convolution.weight.zero_()
            self.convolution.bias.fill_(-3.5)
            for position, letter in enumerate(SITE):
                self.convolution.weight[0, letter, 0, position] = 1.0
            self.convolution.weight[1, :, 0, 0] = torch.tensor([4.5, 0.0, 0.0, 0.0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = torch.relu(self.convolution(x)).amax(dim=(2, 3))
        if self.both:
            turned = torch.relu(self.convolution(x.flip(1, 3))).amax(dim=(2, 3))
            found = torch.maximum(found, turned)
        return found[:, 0] * 2


def test_first_filter_finds_the_planted_site_and_the_unused_one_has_no_influence() -> None:
    x, _ = planted()
    found = filters(Target(model_of(SiteNetwork())), x)
    assert [f.number for f in found] == [0, 1]
    assert found[0].motif.consensus == "ACGGTA"
    assert found[0].influence > 0 and found[1].influence == 0
    assert found[1].motif.consensus[0] == "A"
    assert found[0].highest == pytest.approx(2.5)


@pytest.mark.parametrize("padding", [0, 3])
def test_sites_are_counted_as_by_hand(padding: int) -> None:
    x, _ = planted(16)
    network = SiteNetwork(padding)
    motif = filters(Target(model_of(network)), x)[0].motif
    padded = nn.functional.pad(x, (padding, padding))[:, :, 0]
    expected = np.zeros((len(SITE), 4))
    with torch.no_grad():
        response = network.convolution(x)[:, 0, 0]
    for row, place in torch.nonzero(response > 1.25).tolist():
        expected += padded[row, :, place : place + len(SITE)].T.numpy()
    assert expected.sum() > 0
    assert (motif.counts == expected).all()


def test_sites_of_the_other_strand_count_where_the_network_reads_it() -> None:
    x, _ = planted()
    turned = x.flip(1, 3)
    alone = filters(Target(model_of(SiteNetwork())), turned)[0].motif
    both = filters(Target(model_of(SiteNetwork(both=True))), turned)[0].motif
    assert both.consensus == "ACGGTA"
    assert both.sites > alone.sites


class ScanNetwork(nn.Module):
    """`SiteNetwork` with its responses looked up."""

    def __init__(self, dense: SiteNetwork) -> None:
        super().__init__()
        padding, strands = dense.convolution.padding[1], "both" if dense.both else "one"
        self.scan = base_model.MotifScan(2, len(SITE), padding=padding, strands=strands)
        self.scan.load_state_dict(dense.convolution.state_dict())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scan(x)[:, 0, 0, 0] * 2


@pytest.mark.parametrize(("padding", "both"), [(0, False), (3, True)])
def test_a_motif_scan_is_explained_as_the_dense_network_is(padding: int, both: bool) -> None:
    x, _ = planted()
    network = SiteNetwork(padding, both)
    torch.manual_seed(4)
    with torch.no_grad():  # no two windows that respond alike
        network.convolution.weight += 0.01 * torch.randn_like(network.convolution.weight)
    dense, scan = Target(model_of(network)), Target(model_of(ScanNetwork(network)))
    pairs = zip(filters(dense, x), filters(scan, x), strict=True)
    for expected, found in pairs:
        assert found.number == expected.number
        assert (found.motif.counts == expected.motif.counts).all()
        assert (found.highest, found.influence) == pytest.approx(
            (expected.highest, expected.influence)
        )
    for method in attribution.METHODS:
        explain = getattr(attribution, method)
        assert explain(scan, x[:6]) == pytest.approx(explain(dense, x[:6]), abs=1e-5), method
        assert np.abs(explain(scan, x[:6])).sum() > 0
    assert scan.scores(x) == pytest.approx(dense.scores(x), abs=1e-5)


def test_conv1d_and_networks_without_one() -> None:
    class Squeezed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(4, 3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.convolution(x[:, :, 0]).amax(dim=2).sum(dim=1)

    x, _ = planted(8)
    assert len(filters(Target(model_of(Squeezed())), x)) == 3
    dense = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1), nn.Flatten(0))
    assert first_convolution(dense) is None
    assert filters(Target(model_of(dense)), x) == []


def test_linear_network_is_explained_exactly() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1), nn.Flatten(0))
    weight = network[1].weight.detach().reshape(4, LENGTH).numpy()
    x, _ = planted(6)
    target = Target(model_of(network))
    letters = x[:, :, 0].numpy()
    assert attribution.input_x_gradient(target, x) == pytest.approx(weight * letters, abs=1e-5)
    mutated = attribution.in_silico_mutagenesis(target, x)
    own = (weight * letters).sum(axis=1, keepdims=True)
    assert mutated == pytest.approx(np.where(letters == 1, 0, weight - own), abs=1e-5)
    integrated = attribution.integrated_gradients(target, x)
    assert integrated == pytest.approx((letters - 0.25) * weight, abs=1e-4)


def test_integrated_gradients_add_up_to_the_difference() -> None:
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(4, 8, (1, 7)), nn.Softplus(), nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0)
    )
    x, _ = planted(300)
    network(x)
    target = Target(model_of(network))
    total = attribution.integrated_gradients(target, x).sum(axis=(1, 2))
    base = target.scores(torch.full_like(x, attribution.BACKGROUND))
    assert total == pytest.approx(target.scores(x) - base, abs=1e-3)


def test_contributions_lie_on_the_planted_site() -> None:
    x, places = planted(10)
    target = Target(model_of(SiteNetwork()))
    for method in attribution.METHODS:
        values = getattr(attribution, method)(target, x)
        heights = attribution.contributions(method, values, x[:, :, 0].numpy())
        inside = np.zeros((len(x), LENGTH), bool)
        for row in range(0, len(x), 2):
            inside[row, places[row] : places[row] + len(SITE)] = True
        shares = np.abs(heights).sum(axis=1)[::2]
        assert (shares * inside[::2]).sum() > 0.8 * shares.sum(), method


def outputs_model(columns: int) -> Any:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, columns))
    kind = base_model.ClassificationModel
    return model_of(network, kind), network[1].weight.detach().reshape(columns, 4, LENGTH).numpy()


def test_target_of_one_two_and_more_outputs() -> None:
    torch.manual_seed(3)
    x, _ = planted(8)
    letters = x[:, :, 0].numpy()
    model, weight = outputs_model(2)
    difference = (weight[1] - weight[0]) * letters
    assert attribution.input_x_gradient(Target(model), x) == pytest.approx(difference, abs=1e-5)
    model, weight = outputs_model(5)
    highest = model.network(x).argmax(dim=1).numpy()
    assert len(set(highest.tolist())) > 1
    found = attribution.input_x_gradient(Target(model), x)
    assert found == pytest.approx(weight[highest] * letters, abs=1e-5)
    found = attribution.input_x_gradient(Target(model, output=4), x)
    assert found == pytest.approx(weight[4] * letters, abs=1e-5)
    with pytest.raises(UserError, match=r"explain\.output is 7, but the network has 5"):
        Target(model, output=7)(x)


class TwoTasks(nn.Module):
    """Ten times the number of A, and three times that of G: in two columns, or by name."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))
        self.named = named

    def forward(self, x: torch.Tensor) -> Any:
        a, g = (10 * x[:, 0, 0].sum(1) + self.shift, 3 * x[:, 2, 0].sum(1) + self.shift)
        if not self.named:
            return torch.stack([a, g], 1)
        parts = {"open": a, "bound": g[:, None]}
        return {"y_pred": parts, "y_pred_loss": parts}


@pytest.mark.parametrize(
    ("kind", "more", "names"),
    [
        (base_model.RegressionModel, {}, ["0", "1"]),
        (base_model.ClassificationModel, {"multi_label": True}, ["0", "1"]),
        (
            base_model.RegressionModel,
            {"criterion": lambda t, p: p["open"].sum()},
            ["open", "bound"],
        ),
    ],
)
def test_two_tasks_are_not_two_classes(kind: Any, more: Any, names: list[str]) -> None:
    target = Target(model_of(TwoTasks("criterion" in more), kind, **more))
    x = one_hot(np.array([[0, 1, 2, 3, 0]]))
    with pytest.raises(UserError, match="has 2 tasks, which are explained one by one"):
        target(x)
    tasks = target.tasks(x)
    assert [task.name for task in tasks] == names
    assert [float(task(x)[0].detach()) for task in tasks] == [20.0, 3.0]
    assert [task.described for task in tasks] == [f"task {n} of the network" for n in names]
    assert Target(target.model, output=1).tasks(x)[0].scores(x).tolist() == [3.0]


def test_each_task_has_attributions_and_a_row_for_each_filter(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, _ = planted(12)
    network = nn.Sequential(
        nn.Conv2d(4, 3, (1, 5)), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    model = model_of(network)
    targets = Target(model).tasks(x)
    drawn = explaining._explain_sequences(targets, x, explaining.Options(examples=3), tmp_path)
    assert drawn == 3, "two of the first task and one of the second"
    arrays = np.load(tmp_path / "attributions.npz")
    for task, target in enumerate(targets):
        best = arrays[f"{task}.record"][:1]
        weights = attribution.input_x_gradient(target, x[best])
        assert arrays[f"{task}.input_x_gradient"][:1] == pytest.approx(weights, abs=1e-6)
    assert not np.array_equal(arrays["0.score"], arrays["1.score"])


def test_inputs_that_are_no_one_hot_sequences_are_a_sentence() -> None:
    model = SimpleNamespace(to_device=lambda x: torch.as_tensor(x))
    with pytest.raises(UserError, match=r"is of shape \(3, 10\)"):
        sequences(model, [np.zeros((3, 10), np.float32)])
    with pytest.raises(UserError, match="not one-hot"):
        sequences(model, [np.full((3, 4, 1, 9), 0.5, np.float32)])
    with pytest.raises(UserError, match="gave no sequences"):
        sequences(model, [])
