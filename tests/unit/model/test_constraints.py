"""Constraints: the norm of each output unit's incoming weights, after every step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlutil_core import base_model, constraints
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
