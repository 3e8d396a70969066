"""What of a model has state beside network, optimizer and scheduler: held in checkpoints too."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import nn

from dlutil_core.common.nested import tree_leaves

KNOWN = {"network", "optimizer", "scheduler", "criterion"}
"""Attributes that are held under names of their own, or have no state."""

PLAIN = (bool, int, float, str, np.generic)


def stateful(model: Any) -> dict[str, Any]:
    """Attributes of a model with a state of their own: a second module, optimizer or the like.

    A module whose tensors are all the network's has none; a criterion has one where it has weights.
    """
    own = {id(t) for t in _tensors(model.network)}
    found = {}
    for name, value in vars(model).items():
        if isinstance(value, type) or not hasattr(value, "load_state_dict"):
            continue
        if name in KNOWN and not (name == "criterion" and _has_weights(value)):
            continue
        if isinstance(value, nn.Module):
            tensors = list(_tensors(value))
            if not tensors or all(id(t) in own for t in tensors):
                continue
        if value is not model.optimizer and value is not model.scheduler:
            found[name] = value
    return found


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def _has_weights(criterion: Any) -> bool:
    return isinstance(criterion, nn.Module) and any(True for _ in criterion.parameters())


def unheld(model: Any) -> dict[str, str]:
    """Attributes that a checkpoint does not hold, as texts that change with them."""
    return {
        name: _shown(value)
        for name, value in vars(model).items()
        if not name.startswith("_") and name not in KNOWN and _is_value(value)
    }


def _is_value(value: Any) -> bool:
    kinds = (*PLAIN, torch.Tensor, np.ndarray, torch.Generator, np.random.Generator, random.Random)
    if isinstance(value, (dict, list, tuple)):
        return all(isinstance(leaf, (*kinds, nn.Module)) for _, leaf in tree_leaves(value))
    return isinstance(value, kinds)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return repr([(name, _shown(leaf)) for name, leaf in tree_leaves(value)])
    if isinstance(value, nn.Module):
        return repr([_shown(tensor) for tensor in _tensors(value)])
    if isinstance(value, torch.Generator):
        return str(value.get_state().sum().item())
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    if isinstance(value, random.Random):
        return str(hash(value.getstate()))
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return (
        repr((float(np.sum(value)), value.shape)) if isinstance(value, np.ndarray) else repr(value)
    )
