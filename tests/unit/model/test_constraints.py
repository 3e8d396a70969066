"""Constraints: the norm of each output unit's incoming weights, after every step."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from dlutil_core import base_model, constraints
from dlutil_core.common.errors import UserError
from dlutil_core.constraints import MaxNormConstraint


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 8, 5), nn.BatchNorm1d(8), nn.Flatten(), nn.Linear(48, 3))


def row_norms(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().flatten(1).norm(dim=1)


def test_a_row_is_a_units_incoming_weights_and_is_scaled_in_place() -> None:
    weight = nn.Parameter(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
    place = weight.data_ptr()
    with torch.no_grad():
        MaxNormConstraint(1.0).apply(weight)
    assert torch.allclose(weight, torch.tensor([[0.6, 0.8], [0.3, 0.4]]), atol=1e-6)
    assert weight.data_ptr() == place


def test_convolutions_are_bounded_per_filter() -> None:
    weight = nn.Parameter(torch.full((6, 4, 5), 1.0))
    with torch.no_grad():
        MaxNormConstraint(2.0).apply(weight)
    assert torch.allclose(row_norms(weight), torch.full((6,), 2.0), atol=1e-5)


@pytest.mark.parametrize(
    ("pattern", "count"), [("*", 2), ("0", 1), ("3", 1), ("[03]", 2), ("1", 0), ("nothing", 0)]
)
def test_the_glob_chooses_modules_with_weights_of_two_dimensions(pattern: str, count: int) -> None:
    assert len(MaxNormConstraint(1.0, pattern).weights(network())) == count


def test_a_norm_must_be_larger_than_zero() -> None:
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=r"max_norm is .*larger than 0"):
            MaxNormConstraint(wrong)


class Model(base_model.BaseModel):
    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 1), nn.Flatten(0))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        super().init_model(net, nn.MSELoss(), optimizer, constraints=self.config["limits"])

    def train_metrics(self, y_true, y_pred):
        return {}

    def eval_metrics(self, y_true, y_pred):
        return {}

    def get_hyperband_reward(self, result):
        return -result["train_loss"]


def batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    made = [torch.randn(8, 7, generator=generator) for _ in range(count)]
    return [(b[:, :6], 5 * b[:, 6]) for b in made]


class Watching(Model):
    def init_model(self) -> None:  # type: ignore[override]
        self.seen: list[tuple[float, float]] = []
        super().init_model()

    def fit_batch(self, x, y):
        done = super().fit_batch(x, y)
        first, second = self.network[0].weight, self.network[2].weight
        self.seen.append((float(row_norms(first).max()), float(row_norms(second).max())))
        return done


def test_weights_are_within_the_norm_after_every_step() -> None:
    limited = Watching({"limits": [MaxNormConstraint(0.5, "0"), MaxNormConstraint(0.25, "2")]})
    limited.fit(batches(5), epochs=3)
    assert len(limited.seen) == 15
    assert all(a <= 0.5 + 1e-5 and b <= 0.25 + 1e-5 for a, b in limited.seen)
    free = Watching({"limits": []})
    free.fit(batches(5), epochs=3)
    assert all(a > 0.6 and b > 0.3 for a, b in free.seen), "without constraints they are larger"


def test_a_constraint_of_ones_own() -> None:
    class NotNegative(constraints.Constraint):
        def apply(self, weight: torch.Tensor) -> None:
            weight.clamp_(min=0)

    model = Model({"limits": [NotNegative("2")]})
    model.fit(batches(5), epochs=2)
    assert float(model.network[2].weight.detach().min()) >= 0
    assert float(model.network[0].weight.detach().min()) < 0


def test_constrained_weights_can_be_trained_on() -> None:
    model = Model({"limits": [MaxNormConstraint(0.5)]})
    before = model.network[0].weight.detach().clone()
    model.fit(batches(5))
    assert model.network[0].weight.requires_grad
    assert not torch.equal(before, model.network[0].weight)


# Which weights


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.rnn = layer
        self.out = nn.Linear(8, 1)


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (nn.LSTM(4, 8), 2),
        (nn.LSTM(4, 8, num_layers=2, bidirectional=True, proj_size=4), 12),
        (nn.GRU(4, 8), 2),
        (nn.RNNCell(4, 8), 2),
        (nn.MultiheadAttention(8, 2), 2),
        (nn.MultiheadAttention(8, 2, kdim=4, vdim=4), 4),
        (nn.Bilinear(4, 4, 8), 1),
        (nn.Embedding(4, 8), 1),
    ],
)
def test_recurrent_layers_and_attention_are_covered(layer: nn.Module, count: int) -> None:
    network = Recurrent(layer)
    weights = MaxNormConstraint(0.01).weights(network)
    assert len(weights) == count + 1
    with torch.no_grad():
        for weight in weights:
            MaxNormConstraint(0.01).apply(weight)
    matrices = [p for n, p in network.named_parameters() if p.dim() > 1 and "bias" not in n]
    assert all(float(row_norms(p).max()) <= 0.0101 for p in matrices)


def test_a_glob_may_name_a_weight_and_tied_ones_count_once() -> None:
    network = Recurrent(nn.LSTM(4, 8))
    assert MaxNormConstraint(1, "rnn.weight_ih*").weights(network) == [network.rnn.weight_ih_l0]
    tied = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9))
    tied[1].weight = tied[0].weight
    assert len(MaxNormConstraint(1).weights(tied)) == 1


def model_with(network: nn.Module, pattern: str) -> base_model.RegressionModel:
    class Own(base_model.RegressionModel):
        def init_model(self) -> None:  # type: ignore[override]
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
            super().init_model(network, optimizer, [MaxNormConstraint(0.01, pattern)])

    return Own({})


def flat() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 10), nn.LayerNorm(10), nn.Linear(10, 1), nn.Flatten(0))


@pytest.mark.parametrize("pattern", ["classifer*", "1", "3", "0.bias", ""])
def test_a_glob_that_matches_no_weight_matrix_is_an_error(pattern: str) -> None:
    with pytest.raises(UserError, match=r"has a weight matrix; those that have one .* '0', '2'"):
        model_with(flat(), pattern)


def computed(how: str) -> nn.Sequential:
    network = flat()
    layer = network[0]
    if how == "weight_norm":
        parametrizations.weight_norm(layer)
    elif how == "spectral_norm":
        parametrizations.spectral_norm(layer)
    elif how == "orthogonal":
        parametrizations.orthogonal(layer)
    elif how == "pruned":
        prune.l1_unstructured(layer, "weight", 0.5)
    else:
        getattr(nn.utils, how.partition(" ")[2])(layer)
    return network


@pytest.mark.parametrize(
    "how",
    [
        "weight_norm",
        "spectral_norm",
        "orthogonal",
        "pruned",
        "old weight_norm",
        "old spectral_norm",
    ],
)
@pytest.mark.parametrize("pattern", ["*", "0"])
@pytest.mark.filterwarnings("ignore")
def test_a_weight_that_is_computed_from_others_is_an_error(how: str, pattern: str) -> None:
    with pytest.raises(UserError, match=r"'0.weight', which is computed from other weights"):
        model_with(computed(how), pattern)
    model_with(computed(how), "2")


def test_frozen_weights_are_left_alone() -> None:
    network = flat()
    network[0].weight.requires_grad_(False).fill_(1.0)
    model = model_with(network, "*")
    model.fit(batches(2), batches(1))
    assert bool((network[0].weight == 1).all())
    assert float(row_norms(network[2].weight).max()) <= 0.0101
    network[0].weight.requires_grad_(True)
    model.fit(batches(2), batches(1))
    assert float(row_norms(network[0].weight).max()) <= 0.0101, "and not any more when they train"
