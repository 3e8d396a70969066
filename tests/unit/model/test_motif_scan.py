"""`MotifScan` beside the dense layers that it stands for: numbers, gradients, which way it goes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from support import REPOSITORY
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.profiler import profile

from dlutil_core.base_model import MotifScan
from dlutil_core.common.errors import UserError
from dlutil_core.constraints import MaxNormConstraint


class Dense(nn.Module):
    """The same by torch's layers, with the same weights."""

    def __init__(self, scan: MotifScan, activation: nn.Module | None = None) -> None:
        super().__init__()
        width, padding = scan.kernel_size[1], scan.padding[1]
        self.convolution = nn.Conv2d(4, scan.out_channels, (1, width), padding=(0, padding))
        self.convolution.to(scan.weight.dtype).load_state_dict(scan.state_dict())
        act = nn.ReLU() if activation is None else activation
        self.strand = nn.Sequential(self.convolution, act, nn.AdaptiveMaxPool2d(1))
        self.both = scan.strands == "both"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.strand(x)
        return torch.maximum(found, self.strand(x.flip(1, 3))) if self.both else found


def sequences(
    count: int, length: int, unknown: float = 0.0, seed: int = 0, dtype: Any = torch.float64
) -> torch.Tensor:
    """One-hot sequences `(N, 4, 1, L)`, a share of whose letters is N."""
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(0, 4, (count, length), generator=generator)
    x = nn.functional.one_hot(letters, 4).permute(0, 2, 1)[:, :, None].to(dtype)
    return x * (torch.rand((count, 1, 1, length), generator=generator) >= unknown)


def made(*sizes: int, dtype: Any = torch.float64, **options: Any) -> MotifScan:
    torch.manual_seed(3)
    return MotifScan(*sizes, **options).to(dtype)


def gradients(module: nn.Module, x: torch.Tensor, parts: Iterator[torch.Tensor]) -> list[Any]:
    """Of a sum in which each response has a weight of its own."""
    found = module(x)
    shares = torch.linspace(-1, 2, found.numel(), dtype=found.dtype).view_as(found)
    return list(torch.autograd.grad((found * shares).sum(), list(parts)))


def convolves(run: Callable[[], Any]) -> bool:
    """Whether a convolution is computed meanwhile."""
    with profile() as seen:
        run()
    return any("conv" in event.key for event in seen.key_averages())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("strands", ["one", "both"])
@pytest.mark.parametrize("padding", [0, 2, 9])
@pytest.mark.parametrize("unknown", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(
    ("count", "filters", "width", "length"),
    [(7, 5, 8, 40), (1, 1, 1, 1), (3, 2, 3, 3), (30, 130, 19, 101), (2, 3, 25, 25)],
)
def test_responses_and_gradients_are_those_of_the_dense_layers(
    count: int, filters: int, width: int, length: int, unknown: float, padding: int, strands: str
) -> None:
    scan = made(filters, width, padding=padding, strands=strands)
    x, dense = sequences(count, length, unknown), Dense(scan)
    assert scan(x).shape == (count, filters, 1, 1)
    torch.testing.assert_close(scan(x), dense(x), rtol=0, atol=1e-13)
    found = gradients(scan, x, scan.parameters())
    torch.testing.assert_close(found, gradients(dense, x, dense.parameters()), rtol=0, atol=1e-11)
    assert not convolves(lambda: gradients(scan, x, scan.parameters()))


def test_single_precision_is_equal_within_rounding() -> None:
    scan = made(64, 24, strands="both", dtype=torch.float32)
    x, dense = sequences(100, 200, dtype=torch.float32), Dense(scan)
    torch.testing.assert_close(scan(x), dense(x), rtol=0, atol=2e-6)
    found = gradients(scan, x, scan.parameters())
    torch.testing.assert_close(found, gradients(dense, x, dense.parameters()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("exp", None),
        ("sigmoid", nn.Sigmoid()),
        ("softplus", nn.Softplus()),
        ("none", nn.Identity()),
    ],
)
def test_other_activations(name: str, module: nn.Module | None) -> None:
    scan, x = made(6, 7, activation=name), sequences(9, 30)
    expected = Dense(scan, module or nn.Identity())(x)
    torch.testing.assert_close(scan(x), expected if module else expected.exp())


def test_weights_are_named_shaped_and_drawn_as_a_convolutions() -> None:
    scan = made(6, 7, dtype=torch.float32)
    torch.manual_seed(3)
    convolution = nn.Conv2d(4, 6, (1, 7))
    assert list(scan.state_dict()) == ["weight", "bias"]
    for name, value in convolution.state_dict().items():
        assert torch.equal(scan.state_dict()[name], value)


@pytest.mark.parametrize("strands", ["one", "both"])
@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_gradients_are_the_numerical_ones(unknown: float, strands: str) -> None:
    scan = made(3, 5, padding=2 if unknown else 0, strands=strands, activation="softplus")
    x = sequences(4, 12, unknown)

    def responses(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return functional_call(scan, {"weight": weight, "bias": bias}, x)

    assert not convolves(lambda: responses(scan.weight, scan.bias))
    assert torch.autograd.gradcheck(responses, (scan.weight, scan.bias))
    assert torch.autograd.gradgradcheck(responses, (scan.weight, scan.bias))


def two_letters(x: torch.Tensor) -> torch.Tensor:
    return (x + x.roll(1, 1)).contiguous()


@pytest.mark.parametrize("strands", ["one", "both"])
@pytest.mark.parametrize(
    "change",
    [lambda x: x / 2, lambda x: two_letters(x) / 2, two_letters, lambda x: -x, lambda x: x * 2],
    ids=["faint", "half", "two", "minus", "double"],
)
def test_what_is_not_one_hot_goes_the_dense_way(
    change: Callable[[torch.Tensor], torch.Tensor], strands: str
) -> None:
    scan = made(6, 7, strands=strands)
    x = sequences(5, 30)
    x[0] = change(x)[0]  # one such record is enough
    assert convolves(lambda: scan(x))
    torch.testing.assert_close(scan(x), Dense(scan)(x))
    x[0, 0, 0, 3] = torch.nan
    assert scan(x)[0].isnan().all() and not scan(x)[1:].isnan().any()


def test_inputs_that_need_gradients_have_them() -> None:
    scan = made(6, 7, padding=2, strands="both")
    x, dense = sequences(5, 30).requires_grad_(), Dense(scan)
    torch.testing.assert_close(gradients(scan, x, iter([x])), gradients(dense, x, iter([x])))
    with torch.no_grad():
        assert not convolves(lambda: scan(x))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x.detach(), torch.ones_like(x))
        found, expected = (torch.autograd.forward_ad.unpack_dual(m(dual)) for m in (scan, dense))
    torch.testing.assert_close(found.tangent, expected.tangent)


def test_transforms_and_mixed_precision_go_the_dense_way() -> None:
    scan, x = made(6, 7, strands="both"), sequences(5, 30)
    dense = Dense(scan)
    weights = dict(scan.named_parameters())

    def loss(weights: Any, one: torch.Tensor) -> torch.Tensor:
        return functional_call(scan, weights, one[None]).sum()

    each = vmap(grad(loss), (None, 0))(weights, x)
    whole = torch.autograd.grad(dense(x).sum(), list(dense.parameters()))
    torch.testing.assert_close([part.sum(0) for part in each.values()], list(whole))
    scan, x = scan.float(), x.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert convolves(lambda: scan(x))
        assert scan(x).dtype == torch.bfloat16


def test_frozen_and_computed_weights() -> None:
    scan, x = made(6, 7), sequences(5, 30)
    expected = gradients(scan, x, scan.parameters())
    scan.weight.requires_grad_(False)
    torch.testing.assert_close(gradients(scan, x, iter([scan.bias])), expected[1:])
    scan.weight.requires_grad_(True)
    before = scan(x)
    nn.utils.parametrizations.weight_norm(scan)
    torch.testing.assert_close(scan(x), before)
    assert all(part.abs().sum() > 0 for part in gradients(scan, x, scan.parameters()))


def test_bits_are_equal_again_and_whatever_else_is_in_the_batch() -> None:
    scan = made(64, 24, strands="both", dtype=torch.float32)
    x = sequences(300, 120, dtype=torch.float32)
    first = gradients(scan, x, scan.parameters())
    torch.use_deterministic_algorithms(True)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for a, b in zip(first, gradients(scan, x, scan.parameters()), strict=True):
                assert torch.equal(a, b)
    finally:
        torch.use_deterministic_algorithms(False)
    with torch.no_grad():
        alone = torch.cat([scan(x[:10]), scan(x[10:])])
        assert torch.equal(alone, scan(x))
        x[20:] = sequences(280, 120, unknown=0.2, dtype=torch.float32)
        assert torch.equal(scan(x)[:10], alone[:10])
    assert torch.equal(scan(x)[:10].detach(), alone[:10])


TRAIN = """
import hashlib, torch
from torch import nn
from dlutil_core.base_model import MotifScan
torch.set_num_threads(1)
torch.manual_seed(0)
network = nn.Sequential(MotifScan(16, 11, strands="both"), nn.Flatten(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
x = nn.functional.one_hot(torch.randint(0, 4, (64, 1, 50)), 4).permute(0, 3, 1, 2).float()
for _ in range(20):
    optimizer.zero_grad()
    nn.functional.mse_loss(network(x)[:, 0], x[:, 0, 0].sum(1)).backward()
    optimizer.step()
found = b"".join(part.detach().numpy().tobytes() for part in network.parameters())
digest = hashlib.sha256(found).hexdigest()
"""


def test_training_has_the_same_bits_in_another_process() -> None:
    here: dict[str, Any] = {}
    made(128, 24)(sequences(50, 500))  # what a process did before
    exec(TRAIN, here)
    command = [sys.executable, "-c", TRAIN + "print(digest)"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here["digest"]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_exported_and_compiled_programs_are_dense() -> None:
    network = nn.Sequential(made(6, 7, padding=1, strands="both", dtype=torch.float32))
    x = sequences(5, 30, 0.1, dtype=torch.float32)
    samples = ({0: torch.export.Dim("samples")},)
    program = torch.export.export(network.eval(), (x,), dynamic_shapes=samples)
    assert "conv2d" in str(program.graph) and "embedding_bag" not in str(program.graph)
    traced = torch.jit.trace(network, x)
    soft = torch.rand(3, 4, 1, 30)
    for found in (program.module(), traced, torch.fx.symbolic_trace(network)):
        for inputs in (x, x[:2], soft):
            torch.testing.assert_close(found(inputs), network(inputs), rtol=0, atol=1e-5)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(soft), network(soft))
    assert convolves(lambda: compiled(x))


def test_constraints_bound_each_filter() -> None:
    network = nn.Sequential(made(6, 7))
    constraint = MaxNormConstraint(0.1, "0")
    with torch.no_grad():
        for weight in constraint.weights(network):
            constraint.apply(weight)
    assert network[0].weight.flatten(1).norm(dim=1).max() < 0.1 + 1e-6


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"filters": 0, "width": 5}, "filters is 0, but must be a whole number from 1"),
        ({"filters": 4, "width": 2.5}, "width is 2.5"),
        ({"filters": 4, "width": 5, "padding": -1}, "padding is -1"),
        ({"filters": 4, "width": 5, "strands": "two"}, "strands is 'two'"),
        ({"filters": 4, "width": 5, "activation": "gelu"}, "activation is 'gelu'"),
    ],
)
def test_wrong_parameters_are_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MotifScan(**arguments)


def test_wrong_inputs_are_a_sentence() -> None:
    scan = made(6, 7, padding=1)
    for shape in [(5, 4, 30), (5, 20, 1, 30), (4, 1, 30), (5, 4, 2, 30)]:
        with pytest.raises(UserError, match=r"shape \(N, 4, 1, L\), but was given"):
            scan(torch.zeros(shape, dtype=torch.float64))
    with pytest.raises(UserError, match="filters of 7 letters, but the sequences have 4"):
        scan(sequences(5, 4))
    assert scan(sequences(5, 5)).shape == (5, 6, 1, 1)
