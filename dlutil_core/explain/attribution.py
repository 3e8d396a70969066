"""How much each letter of a sequence contributes to what a model predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlutil_core.explain.target import BATCH, Target

STEPS = 50
BACKGROUND = 0.25
"""Integrated gradients start at a sequence that is each letter by a quarter."""

METHODS = ("input_x_gradient", "integrated_gradients", "in_silico_mutagenesis")


def input_x_gradient(target: Target, x: torch.Tensor) -> np.ndarray:
    """Input × gradient `(N, 4, L)` (Shrikumar et al. 2016, arXiv:1605.01713)."""
    from captum.attr import InputXGradient

    return _in_batches(InputXGradient(target), target, x, {})


def integrated_gradients(target: Target, x: torch.Tensor, steps: int = STEPS) -> np.ndarray:
    """Integrated gradients `(N, 4, L)` from equal letters (Sundararajan et al. 2017, ICML).

    The sum over a sequence is the target less that of the background, as far as `steps` suffice.
    """
    from captum.attr import IntegratedGradients

    options = {"baselines": BACKGROUND, "n_steps": steps, "internal_batch_size": BATCH}
    return _in_batches(IntegratedGradients(target), target, x, options)


def _in_batches(
    method: Any, target: Target, x: torch.Tensor, options: dict[str, Any]
) -> np.ndarray:
    columns = target.columns(x)
    found = []
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH].clone().requires_grad_(True)
        chosen = columns[start : start + BATCH]
        values = method.attribute(part, additional_forward_args=(chosen,), **options)
        found.append(values.detach().float()[:, :, 0].cpu())
    return np.asarray(torch.cat(found).numpy())


def in_silico_mutagenesis(target: Target, x: torch.Tensor) -> np.ndarray:
    """What each single letter's change does to the target: `(N, 4, L)`, 0 for the letter itself.

    Alipanahi et al. 2015, Nature Biotechnology 33, 831-838 (mutation maps).
    """
    length = x.shape[3]
    columns = target.columns(x)
    found = np.zeros((len(x), 4, length), dtype=np.float64)
    letters = torch.eye(4, device=x.device, dtype=x.dtype)
    for index in range(len(x)):
        mutants = x[index].repeat(4 * length, 1, 1, 1)
        rows = torch.arange(4 * length, device=x.device)
        mutants[rows, :, 0, rows % length] = letters[rows // length]
        chosen = columns[index].repeat(4 * length)
        scores = target.scores(mutants, chosen).reshape(4, length)
        found[index] = scores - target.scores(x[index][None], columns[index][None])
    same = x[:, :, 0].cpu().numpy() == 1
    found[same] = 0.0
    return found.astype(np.float32)


def contributions(method: str, attribution: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """An attribution `(N, 4, L)` as heights of the sequence's own letters `(N, 4, L)`.

    Of mutagenesis, the mean loss of changing the letter; otherwise the sum over the four rows.
    """
    if method == "in_silico_mutagenesis":
        heights = -attribution.sum(axis=1, keepdims=True) / 3
    else:
        heights = attribution.sum(axis=1, keepdims=True)
    return np.asarray(heights * one_hot)
