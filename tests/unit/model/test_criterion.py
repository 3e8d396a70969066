"""Which argument of a criterion is the label: every kind, each with an asymmetric loss."""

from __future__ import annotations

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlutil_core.model.criterion import bind_criterion

TRUE = torch.tensor([0.0, 1.0, 1.0])
PRED = torch.tensor([0.25, 0.75, 0.5])


def asymmetric(true: torch.Tensor, pred: torch.Tensor) -> torch.Tensor:
    """Swapped arguments give another value."""
    return (true - 3 * pred).mean()


WANTED = asymmetric(TRUE, PRED)
SWAPPED = asymmetric(PRED, TRUE)


def own(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return asymmetric(a, b)


def named_backwards(y_pred_t: torch.Tensor, y_true_t: torch.Tensor) -> torch.Tensor:
    return asymmetric(y_true_t, y_pred_t)


def positions_backwards(y_pred: torch.Tensor, y_true: torch.Tensor, /) -> torch.Tensor:
    return asymmetric(y_true, y_pred)


def keywords(*, y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
    return asymmetric(y_true, y_pred)


def one_named(y_pred: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return asymmetric(labels, y_pred)


def like_torch(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return asymmetric(target, input)


def like_torch_positions(input: torch.Tensor, target: torch.Tensor, /) -> torch.Tensor:
    return asymmetric(target, input)


def like_torch_backwards(target: torch.Tensor, input: torch.Tensor) -> torch.Tensor:
    return asymmetric(target, input)


def weighted(weight: float, y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
    return weight * asymmetric(y_true, y_pred)


def with_default(a: torch.Tensor, b: torch.Tensor, target: float = 1.0) -> torch.Tensor:
    return target * asymmetric(a, b)


class Callable:
    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return asymmetric(a, b)

    def method(self, y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        return asymmetric(y_true, y_pred)


class OwnModule(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return asymmetric(a, b)


class OwnModuleLikeTorch(nn.Module):
    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return asymmetric(target, input)


class OwnModuleNamed(nn.Module):
    def forward(self, y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        return asymmetric(y_true, y_pred)


class OwnForwardOfTorchs(nn.MSELoss):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return asymmetric(a, b)


OWN = [
    own,
    lambda y_true_t, y_pred_t: asymmetric(y_true_t, y_pred_t),
    lambda t, p: asymmetric(t, p),
    lambda *both: asymmetric(*both),
    named_backwards,
    positions_backwards,
    keywords,
    one_named,
    like_torch,
    like_torch_positions,
    like_torch_backwards,
    with_default,
    functools.partial(weighted, 1.0),
    functools.partial(weighted, weight=1.0),
    functools.partial(own),
    functools.partial(like_torch),
    Callable(),
    Callable().method,
    OwnModule(),
    OwnModuleLikeTorch(),
    OwnModuleNamed(),
    OwnForwardOfTorchs(),
    torch.compile(OwnModule(), backend="eager"),
    torch.compile(OwnModuleNamed(), backend="eager"),
]


@pytest.mark.parametrize("criterion", OWN)
def test_own_criterion_gets_labels_and_predictions_where_it_wants_them(criterion) -> None:
    found = bind_criterion(criterion)(TRUE, PRED)
    assert not torch.equal(WANTED, SWAPPED)
    assert torch.equal(found, WANTED)


def test_scripted_functions_and_modules_are_ones_own() -> None:
    def scripted(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - 3 * b).mean()

    class Scripted(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a - 3 * b).mean()

    with pytest.warns(DeprecationWarning):
        compiled = [torch.jit.script(scripted), torch.jit.script(Scripted())]
    for criterion in compiled:
        assert torch.equal(bind_criterion(criterion)(TRUE, PRED), WANTED)


class SubclassOfTorchs(nn.PoissonNLLLoss):
    """Its `forward(log_input, target)` is torch's."""


TORCH = [
    (nn.BCELoss(), F.binary_cross_entropy(PRED, TRUE)),
    (nn.BCEWithLogitsLoss(), F.binary_cross_entropy_with_logits(PRED, TRUE)),
    (nn.PoissonNLLLoss(), F.poisson_nll_loss(PRED, TRUE)),
    (SubclassOfTorchs(), F.poisson_nll_loss(PRED, TRUE)),
    (torch.compile(nn.PoissonNLLLoss(), backend="eager"), F.poisson_nll_loss(PRED, TRUE)),
    (nn.KLDivLoss(reduction="sum"), F.kl_div(PRED, TRUE, reduction="sum")),
    (nn.SoftMarginLoss(), F.soft_margin_loss(PRED, TRUE)),
    (nn.BCELoss().forward, F.binary_cross_entropy(PRED, TRUE)),
    (F.binary_cross_entropy, F.binary_cross_entropy(PRED, TRUE)),
    (F.poisson_nll_loss, F.poisson_nll_loss(PRED, TRUE)),
    (
        functools.partial(F.poisson_nll_loss, log_input=False),
        F.poisson_nll_loss(PRED, TRUE, log_input=False),
    ),
    (
        functools.partial(F.binary_cross_entropy, weight=torch.tensor([1.0, 2.0, 3.0])),
        F.binary_cross_entropy(PRED, TRUE, weight=torch.tensor([1.0, 2.0, 3.0])),
    ),
    (torch.sub, PRED - TRUE),
]


@pytest.mark.parametrize(("criterion", "wanted"), TORCH)
def test_torchs_losses_get_input_and_target(criterion, wanted: torch.Tensor) -> None:
    assert torch.equal(bind_criterion(criterion)(TRUE, PRED), wanted)


def test_cross_entropy_takes_logits_and_class_numbers() -> None:
    logits = torch.tensor([[2.0, 0.5], [0.1, 0.3]])
    classes = torch.tensor([0, 1])
    for criterion in (nn.CrossEntropyLoss(), F.cross_entropy):
        assert torch.equal(
            bind_criterion(criterion)(classes, logits), F.cross_entropy(logits, classes)
        )
