"""Constraints on weights for `def.py`, under the documented name."""

from dlutil_core.model.constraints import Constraint, MaxNormConstraint

__all__ = ["Constraint", "MaxNormConstraint"]
