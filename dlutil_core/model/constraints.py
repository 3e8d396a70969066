"""Constraints on weights, applied in place after every optimizer step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from dlutil_core.common.errors import UserError


class Constraint:
    """A rule that weights must keep, for the modules whose name matches a glob.

    Parameters
    ----------
    pattern
        A glob against the names of the network's modules, as `network.named_modules()` gives them
        (`"*"` matches all, `"features.0"` the first module of `features`), or of their weights
        (`"rnn.weight_ih_l0"`).
    """

    def __init__(self, pattern: str = "*") -> None:
        self.pattern = pattern

    def weights(self, network: nn.Module) -> list[torch.Tensor]:
        """The weight matrices (parameters of two or more dimensions) of the matching modules, each
        once: `weight`, those of recurrent layers and of attention.

        Raises
        ------
        UserError
            One is computed from other parameters, so that a change in place would not last.
        """
        found: dict[int, torch.Tensor] = {}
        for module_name, module in network.named_modules():
            for name in _matrices(module):
                full = f"{module_name}.{name}".lstrip(".")
                if fnmatchcase(module_name, self.pattern) or fnmatchcase(full, self.pattern):
                    weight = _lasting(module, name, full, self.pattern)
                    found.setdefault(id(weight), weight)
        return list(found.values())

    def apply(self, weight: torch.Tensor) -> None:
        """Change `weight` in place so that it keeps the rule; a subclass says how."""
        raise TypeError(f"{type(self).__name__} must define apply(weight)")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pattern!r})"


def constrained_weights(
    constraints: Sequence[Constraint], network: nn.Module
) -> list[tuple[Constraint, torch.Tensor]]:
    """Each constraint with each of its weights.

    Raises
    ------
    UserError
        A constraint has none.
    """
    pairs = []
    for constraint in constraints:
        weights = constraint.weights(network)
        if not weights:
            having = [name for name, module in network.named_modules() if _matrices(module)]
            raise UserError(
                f"{constraint!r}: no module of the network that {constraint.pattern!r} matches has "
                f"a weight matrix; those that have one are named {', '.join(map(repr, having))}"
            )
        pairs += [(constraint, weight) for weight in weights]
    return pairs


def _matrices(module: nn.Module) -> list[str]:
    """Names of a module's own weight matrices, those that are computed from others included."""
    computed = [name for name in getattr(module, "parametrizations", {}) if "weight" in name]
    parameters = module.named_parameters(recurse=False)
    names = [name for name, p in parameters if "weight" in name and p.dim() >= 2]
    return list(dict.fromkeys(computed + [_plain(module, name) for name in names]))


def _plain(module: nn.Module, name: str) -> str:
    """The name of the weight that `weight_orig`, `weight_v` or the like is a part of."""
    plain = re.sub("_(g|v|orig)$", "", name)
    return plain if hasattr(module, plain) else name


def _lasting(module: nn.Module, name: str, full: str, pattern: str) -> torch.Tensor:
    """A module's weight; refused where it is computed anew in each forward pass."""
    weight: Any = module._parameters.get(name)
    if weight is None:
        raise UserError(
            f"the constraint on {pattern!r} matches {full!r}, which is computed from other weights "
            "(weight_norm, spectral_norm, pruning or the like) and would not keep it: leave one of "
            "the two out"
        )
    found: torch.Tensor = weight
    return found


class MaxNormConstraint(Constraint):
    """Bounds the norm of each output unit's incoming weights.

    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014): Dropout, JMLR 15, section 5.1.

    Parameters
    ----------
    max_norm
        The largest Euclidean norm that a row of a weight (all but its first dimension) may have.
    pattern
        See `Constraint`.
    """

    def __init__(self, max_norm: float, pattern: str = "*") -> None:
        super().__init__(pattern)
        if not max_norm > 0:
            raise ValueError(f"max_norm is {max_norm!r}, but must be larger than 0")
        self.max_norm = float(max_norm)

    def apply(self, weight: torch.Tensor) -> None:
        """Scale down, in place, the rows of `weight` whose norm is larger than `max_norm`."""
        weight.copy_(torch.renorm(weight, 2, 0, self.max_norm))

    def __repr__(self) -> str:
        return f"MaxNormConstraint({self.max_norm:g}, {self.pattern!r})"
