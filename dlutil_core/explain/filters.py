"""What the filters of the first convolution (or `MotifScan`) respond to, as motifs.

For each filter, the subsequences at which it responds with more than half of its highest response
over all sequences are laid on top of each other (Alipanahi et al. 2015, Nature Biotechnology 33,
831-838; Kelley et al. 2016, Genome Research 26, 990-999). What the filter saw is taken from the
running network, so a network that also reads the other strand counts both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.grad import conv1d_weight

from dlutil_core.explain.motifs import Motif
from dlutil_core.explain.target import BATCH, Target
from dlutil_core.model.motif_scan import MotifScan

THRESHOLD = 0.5
"""A site is where a filter responds with more than this share of its highest response."""

INFLUENCE_SEQUENCES = 500

Convolution = nn.Conv1d | nn.Conv2d


@dataclass(frozen=True)
class Filter:
    """A filter of the first convolution.

    Attributes
    ----------
    motif
        Its sites as counts; a filter that never responds has none.
    highest
        Its highest response over all sequences.
    influence
        By how much the target changes, in the mean of absolute values, when the filter is held at
        its mean response.
    """

    number: int
    motif: Motif
    highest: float
    influence: float


def first_convolution(network: nn.Module) -> Convolution | None:
    """The first convolution over the four letters, if the network has one."""
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)) and module.in_channels == 4:
            flat = isinstance(module, nn.Conv1d) or module.kernel_size[0] == 1
            if flat and module.groups == 1 and module.padding_mode == "zeros":
                return module
    return None


def filters(target: Target, x: torch.Tensor) -> list[Filter]:
    """Every filter of the first convolution, the most influential first.

    Parameters
    ----------
    x
        Sequences `(N, 4, 1, L)`; none where the network has no such convolution.
    """
    convolution = first_convolution(target.model.network)
    if convolution is None:
        return []
    highest = _highest(target, convolution, x)
    counts, mean = _sites(target, convolution, x, highest)
    influence = _influence(target, convolution, x[:INFLUENCE_SEQUENCES], mean)
    found = [
        Filter(
            number,
            Motif(f"filter{number}", counts[number]),
            float(highest[number]),
            float(influence[number]),
        )
        for number in range(convolution.out_channels)
    ]
    return sorted(found, key=lambda f: (-f.influence, f.number))


@contextmanager
def _seen(
    convolution: Convolution, see: Callable[[torch.Tensor, torch.Tensor], Any]
) -> Iterator[None]:
    """Call `see(input, output)` at each pass; an answer that is not `None` replaces the output."""
    if isinstance(convolution, MotifScan):
        with convolution.seen(see):
            yield
        return
    handle = convolution.register_forward_hook(lambda _, inputs, output: see(inputs[0], output))
    try:
        yield
    finally:
        handle.remove()


def _pass(target: Target, x: torch.Tensor) -> None:
    with torch.no_grad():
        for part in x.split(BATCH):
            target(part)


def _highest(target: Target, convolution: Convolution, x: torch.Tensor) -> np.ndarray:
    """The highest response `(F,)` of each filter."""
    found = torch.full((convolution.out_channels,), -torch.inf)

    def see(_: torch.Tensor, output: torch.Tensor) -> None:
        nonlocal found
        found = torch.maximum(found, output.float().flatten(2).amax(dim=(0, 2)).cpu())

    with _seen(convolution, see):
        _pass(target, x)
    return np.asarray(found.numpy(), dtype=np.float64)


def _sites(
    target: Target, convolution: Convolution, x: torch.Tensor, highest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Letter counts `(F, W, 4)` at each filter's sites, and its mean response `(F,)`."""
    width = convolution.kernel_size[-1]
    counts = np.zeros((convolution.out_channels, width, 4))
    sums, passed = np.zeros(convolution.out_channels), 0
    bound = torch.from_numpy(np.where(highest > 0, THRESHOLD * highest, np.inf)).float()

    def see(inputs: torch.Tensor, output: torch.Tensor) -> None:
        nonlocal passed
        response = output.float().flatten(2).cpu()
        sites = (response > bound[:, None]).float()
        # Laying windows on top of each other is the gradient of a convolution by its weights.
        letters = functional.pad(inputs, convolution._reversed_padding_repeated_twice)
        letters = letters.float().reshape(len(inputs), 4, -1).cpu()
        shape = (convolution.out_channels, 4, width)
        step, gap = convolution.stride[-1], convolution.dilation[-1]
        found = conv1d_weight(letters, shape, sites, stride=step, dilation=gap)
        counts[:] += found.permute(0, 2, 1).double().numpy()
        sums[:] += response.sum(dim=(0, 2)).double().numpy()
        passed += response.shape[0] * response.shape[2]

    with _seen(convolution, see):
        _pass(target, x)
    return np.rint(counts), sums / max(passed, 1)


def _influence(
    target: Target, convolution: Convolution, x: torch.Tensor, mean: np.ndarray
) -> np.ndarray:
    """Mean absolute change `(F,)` of the target when a filter is held at its mean response."""
    columns = target.columns(x)
    with _seen(convolution, lambda *_: None):  # in the same way, so that nothing is no influence
        reference = target.scores(x, columns)
    found = np.zeros(len(mean))
    for number, value in enumerate(mean):

        def hold(_: torch.Tensor, output: torch.Tensor, n: int = number, v: float = value) -> Any:
            held = output.clone()
            held[:, n] = v
            return held

        with _seen(convolution, hold):
            found[number] = np.abs(target.scores(x, columns) - reference).mean()
    return found
