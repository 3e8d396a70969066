"""Constraints on weights, applied in place after every optimizer step."""

from __future__ import annotations

from fnmatch import fnmatchcase

import torch
from torch import nn


class Constraint:
    """A rule that weights must keep, for the modules whose name matches a glob.

    Parameters
    ----------
    pattern
        A glob against the names of the network's modules, as `network.named_modules()` gives them
        (`"*"` matches all, `"features.0"` the first module of `features`).
    """

    def __init__(self, pattern: str = "*") -> None:
        self.pattern = pattern

    def weights(self, network: nn.Module) -> list[torch.Tensor]:
        """The `weight` parameters of two or more dimensions of the matching modules."""
        modules = [m for name, m in network.named_modules() if fnmatchcase(name, self.pattern)]
        weights = [getattr(module, "weight", None) for module in modules]
        return [w for w in weights if isinstance(w, torch.Tensor) and w.dim() >= 2]

    def apply(self, weight: torch.Tensor) -> None:
        """Change `weight` in place so that it keeps the rule; a subclass says how."""
        raise TypeError(f"{type(self).__name__} must define apply(weight)")


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
